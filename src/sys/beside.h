/* SPDX-License-Identifier: MIT */
/* beside.h - other files of a program's /proc folder
 */
#ifndef UHMM_SYS_BESIDE_H
#define UHMM_SYS_BESIDE_H

/**
 * uhmm_open_beside() - open @name beside the /proc/PID/maps that @maps is
 * It needs the same user and the same /proc.
 * Return: a descriptor; -errno
 */
int uhmm_open_beside(int maps, const char *name);

#endif
