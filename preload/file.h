/* SPDX-License-Identifier: MIT */
/* file.h - a device as a file: what its descriptor, a socket, does otherwise
 *
 * The driver has no read, write or poll, and no length. Poll, fsync, ftruncate
 * and fallocate of the socket answer as the driver does, so they are not here.
 * Call these when uhmm_devfd_seen() only; each finds out whether @fd is a
 * device and, when it is not, does nothing.
 */
#ifndef UHMM_PRELOAD_FILE_H
#define UHMM_PRELOAD_FILE_H

#include "preload.h"

/**
 * uhmm_file_refuses() - is @fd a device? Then a read, or @write, of it fails.
 * @saved: errno when it is not
 * Return: true, and errno
 */
bool uhmm_file_refuses(int fd, bool write, int saved);

/**
 * uhmm_file_refuses_epoll() - is @fd a device, that epoll @epoll is to watch?
 * Return: true, and errno
 */
bool uhmm_file_refuses_epoll(int epoll, int fd);

/**
 * uhmm_file_seek() - lseek() failed with ESPIPE, as for any socket
 * @saved: errno before it
 * Return: as lseek()
 */
off_t uhmm_file_seek(int fd, off_t offset, int whence, int saved);

/** uhmm_file_flags() - F_GETFL of @fd answered @flags. Return: what is right */
int uhmm_file_flags(int fd, int flags);

/** uhmm_file_stat() - fstat() of @fd filled @st; uhmm_file_statx() the same */
void uhmm_file_stat(int fd, struct stat *st);
void uhmm_file_statx(int fd, struct statx *st);

#endif
