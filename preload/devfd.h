/* SPDX-License-Identifier: MIT */
/* devfd.h - is a descriptor a device, and which open of it
 *
 * A device descriptor is a connected socket whose other end, the daemon's, has
 * a name that says so (wire/fdpass.h). No table: dup, fork, exec, SCM_RIGHTS
 * and close need no help. Works also when the daemon is gone.
 */
#ifndef UHMM_PRELOAD_DEVFD_H
#define UHMM_PRELOAD_DEVFD_H

#include "preload.h"

/** uhmm_devfd_get() - true and *@token when @fd is one of ours */
bool uhmm_devfd_get(int fd, struct uhmm_wire_token *token);

#endif
