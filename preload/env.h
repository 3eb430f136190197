/* SPDX-License-Identifier: MIT */
/* env.h - what the environment tells us, and the lines we may write
 *
 * Read once, in the constructor: the program may change its environment, and
 * getenv() is not safe then. Before the constructor there is no daemon.
 */
#ifndef UHMM_PRELOAD_ENV_H
#define UHMM_PRELOAD_ENV_H

#include "preload.h"

void uhmm_env_init(void);

/**
 * uhmm_env_address() - where the daemon listens: $UHMM_SOCKET, a path, or an
 * abstract name after '@'
 * Return: length of *@addr; 0 none given, or too long
 */
unsigned int uhmm_env_address(struct sockaddr_un *addr);

/** uhmm_env_attach() - $UHMM_ATTACH: a session from the start, for policies */
bool uhmm_env_attach(void);

/** Bytes of a node's name, its final 0 included. */
#define UHMM_NODE_BYTES 32

/**
 * uhmm_env_node() - the number that $UHMM_NODES, "name=number,...", has for
 * @name; -1: none. Reads no byte of @name past a difference.
 */
int uhmm_env_node(const char *name);

/** uhmm_env_debug() - with $UHMM_DEBUG set, one line: "uhmm: @what: error N" */
void uhmm_env_debug(const char *what, int err);

/** uhmm_env_write() - @text to @fd, whatever happens */
void uhmm_env_write(int fd, const char *text);

#endif
