/* SPDX-License-Identifier: MIT */
/* device.h - what a hook does when the call is, or may be, about a device
 *
 * Each returns what the hooked function returns to the program and sets errno
 * as it does.
 */
#ifndef UHMM_PRELOAD_DEVICE_H
#define UHMM_PRELOAD_DEVICE_H

#include "preload.h"

/**
 * uhmm_device_hides() - must the real open() not see this?
 * It would create a file in the place of the device. Then errno is ENOENT.
 */
bool uhmm_device_hides(const char *path, int flags);

/**
 * uhmm_device_open() - the real open() of @path failed, errno says why
 * @saved: errno before it
 * Return: a device descriptor; -1 and errno, untouched when it is not a device
 */
int uhmm_device_open(const char *path, int flags, int saved);

int uhmm_device_ioctl(struct uhmm_wire_token dev, int fd, unsigned long cmd,
		      unsigned long arg);

/**
 * uhmm_device_yield() - an ioctl of another descriptor is about to be made
 * What the program's own userfaultfd is to have is nobody else's.
 */
void uhmm_device_yield(unsigned long cmd, unsigned long arg);

/**
 * uhmm_device_yields() - an ioctl of another descriptor failed, errno says why
 * The program's own userfaultfd may want what ours has.
 * Return: true: ours is out of the way now, try again
 */
bool uhmm_device_yields(unsigned long cmd, unsigned long arg);

void *uhmm_device_mmap(struct uhmm_wire_token dev, void *addr, size_t bytes,
		       int prot, int flags, off_t offset);

/** uhmm_device_watches_close() - need close() go through uhmm_device_close()? */
bool uhmm_device_watches_close(void);

/**
 * uhmm_device_close() - close any descriptor of the program
 * One of ours is not the program's to close: EBADF. A device is closed first,
 * then the daemon told, so that a last close has evicted when this returns.
 */
int uhmm_device_close(int fd);

/**
 * uhmm_device_before_protect() - the program is about to change a protection
 * Return: the part that really changes; empty: nothing, or nobody to ask
 */
struct uhmm_wire_range uhmm_device_before_protect(void *addr, size_t bytes,
						  int prot);

/** uhmm_device_after_protect() - it has been done to @changes, or tried */
void uhmm_device_after_protect(struct uhmm_wire_range changes, int prot);

/**
 * uhmm_device_before_advise() - must the daemon know of this madvise? Then it
 * does now, and uhmm_device_after_advise() must follow the real call.
 * @advice: (in, out) what to call instead, where pages of a coherent device
 *          are: as the kernel does with those, nothing, or what is refused
 */
bool uhmm_device_before_advise(void *addr, size_t bytes, int *advice);
void uhmm_device_after_advise(void *addr, size_t bytes, int advice);

/**
 * uhmm_device_before_remap() - the program is about to move this range
 * Return: 0 go on; the bytes at its start that are a mapping of their own to the
 * kernel, though to the program all of it is one
 */
size_t uhmm_device_before_remap(void *addr, size_t bytes);

/** uhmm_device_pinned() - a call has pinned this memory, to read it: what a fork
 *  shared of it is the program's alone now, and nothing else tells of that */
void uhmm_device_pinned(const void *addr, size_t bytes);

/** uhmm_device_alone() - policies end, and what they took is here again */
void uhmm_device_alone(void);

/** uhmm_device_mincore() - mincore has filled @vec: mark pages on devices */
void uhmm_device_mincore(void *addr, size_t bytes, unsigned char *vec);

#endif
