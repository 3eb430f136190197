/* SPDX-License-Identifier: MIT */
/* conf.h - what the daemon was told: options, then environment, then defaults
 *
 * Owns the scripts of policies; strings are of argv or of the environment.
 * Every mistake is one line that says what, why and what to do.
 */
#ifndef UHMMD_CONF_H
#define UHMMD_CONF_H

#include <stdint.h>
#include <sys/un.h>

#include <uhmm/device_private.h>
#include <uhmm/inject.h>
#include <uhmm/types.h>

#include "loop.h"
#include "policy_conf.h"
#include "sys/engine.h"

#define CONF_DEVICES_MAX 16
#define CONF_WORKERS_MAX 64
#define CONF_POLICIES_MAX 8
#define CONF_DRIVERS_MAX 4

/** How a worker comes to be on the CPU of its program (near.h). */
enum near_mode {
	NEAR_AUTO,	/* the best that is allowed */
	NEAR_IDLE,	/* it joins the idle class */
	NEAR_SPIN,	/* spinners keep the CPUs awake */
	NEAR_OFF,
};

/** One --device. */
struct conf_device {
	uint32_t minor;			/* N of hmm_dmirrorN */
	enum uhmm_memory_type type;
	uint64_t bytes;
};

struct conf {
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int socket_fd;			/* a listening socket we inherit, -1 */
	int ready_fd;			/* gets one byte when we listen, -1 */
	enum loop_kind loop;
	enum uhmm_engine_kind engine;	/* of each program */
	enum near_mode near;
	unsigned int nworkers;
	bool parent_death;		/* end with the process that started us */
	struct conf_device dev[CONF_DEVICES_MAX];
	unsigned int ndevs;
	struct policy_conf policy[CONF_POLICIES_MAX];
	unsigned int npolicies;
	const char *driver[CONF_DRIVERS_MAX];	/* paths */
	unsigned int ndrivers;
	struct uhmm_inject inject;
};

/** Exit status of main(). */
enum conf_exit {
	CONF_EXIT_OK = 0,
	CONF_EXIT_FAILED = 1,
	CONF_EXIT_USAGE = 2,
};

/**
 * conf_parse() - fill @c; says what is wrong
 * Return: -1 go on; else the exit status (--help and --version are 0)
 */
UHMM_CHECKED int conf_parse(struct conf *c, int argc, char **argv);

/** conf_fini() - free what conf_parse() has read */
void conf_fini(struct conf *c);

/**
 * conf_parse_device() - "hmm_dmirror0:private:64G"
 * Return: NULL; or why not, in a few words
 */
const char *conf_parse_device(const char *word, struct conf_device *dev);

/** conf_engine_name() - "auto" */
const char *conf_engine_name(enum uhmm_engine_kind kind);

/** conf_default_socket() - where a daemon for many programs listens */
void conf_default_socket(char *path, size_t bytes);

#endif
