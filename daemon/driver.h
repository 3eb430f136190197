/* SPDX-License-Identifier: MIT */
/* driver.h - drivers from files (--driver) */
#ifndef UHMMD_DRIVER_H
#define UHMMD_DRIVER_H

#include <uhmm/device.h>

/**
 * driver_load() - load @path, for as long as this process lives
 * Return: what it is; NULL, said why
 */
const struct uhmm_driver *driver_load(const char *path);

#endif
