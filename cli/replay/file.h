/* SPDX-License-Identifier: MIT */
/* file.h - the files that traces map */
#ifndef UHMM_CLI_REPLAY_FILE_H
#define UHMM_CLI_REPLAY_FILE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * replay_file_make() - a new file of @npages pages, the pattern of @seed
 * @in_memory: a memfd; else a file of the current directory, without a name
 *
 * Return: descriptor; -errno
 */
int replay_file_make(bool in_memory, uint64_t npages, uint64_t seed);

#endif
