/* SPDX-License-Identifier: MIT */
/* children.h - who is a child of ours right now
 *
 * Including those whose parent died (we are their subreaper) and those that
 * died and were not waited for yet. A child cannot leave the list but by our
 * own waitpid(), so a list made between two waits is complete.
 */
#ifndef UHMM_CLI_CHILDREN_H
#define UHMM_CLI_CHILDREN_H

#include <stddef.h>
#include <sys/types.h>

/**
 * cli_children_each() - call @fn for every child but @except
 * Return: how many there are
 */
size_t cli_children_each(pid_t except, void (*fn)(pid_t pid, int arg), int arg);

#endif
