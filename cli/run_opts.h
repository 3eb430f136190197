/* SPDX-License-Identifier: MIT */
/* run_opts.h - the options of uhmm run */
#ifndef UHMM_CLI_RUN_OPTS_H
#define UHMM_CLI_RUN_OPTS_H

#include <stdbool.h>

#define CLI_DEVICES_MAX 16
#define CLI_POLICIES_MAX 8
#define CLI_DRIVERS_MAX 4
#define CLI_INJECTS_MAX 8

struct cli_run_opts {
	const char *engine; /* NULL: the daemon decides */
	const char *loop;
	const char *near;
	const char *workers;
	const char *device[CLI_DEVICES_MAX]; /* NAME:TYPE:SIZE */
	unsigned int ndevices;
	const char *policy[CLI_POLICIES_MAX];
	unsigned int npolicies;
	const char *taking;	/* a policy that takes memory, or NULL */
	const char *driver[CLI_DRIVERS_MAX]; /* FILE */
	unsigned int ndrivers;
	const char *inject[CLI_INJECTS_MAX]; /* NAME=N */
	unsigned int ninjects;
	const char *socket;	/* of a running daemon, or NULL */
	const char *stats_json; /* file, or NULL */
	bool stats;
	char **program; /* argv of PROG */
};

/**
 * cli_run_opts_parse() - fill @o from @argv
 * Return: -1 go on; else the exit status, everything said
 */
int cli_run_opts_parse(struct cli_run_opts *o, int argc, char **argv);

#endif
