/* SPDX-License-Identifier: MIT */
/* settings.h - what `uhmm replay` was told */
#ifndef UHMM_CLI_REPLAY_SETTINGS_H
#define UHMM_CLI_REPLAY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct replay_settings - options and traces
 * @record:    print traces with the answers they get; else compare
 * @strict:    lines marked as depending on the kernel count too
 * @verbose:   print all comparisons
 * @ignore:    keys of answers that do not matter, joined by commas; or NULL
 * @timeout_s: for one line
 * @base:      address of region 0
 * @device:    a number behind it makes the path of a device
 * @output:    file to print to; NULL: stdout
 * @json:      file for results; or NULL
 * @traces:    paths, NULL at the end
 */
struct replay_settings {
	bool record;
	bool strict;
	bool verbose;
	const char *ignore;
	unsigned int timeout_s;
	uint64_t base;
	const char *device;
	const char *output;
	const char *json;
	char **traces;
};

/** replay_settings_parse() - Return: -1 to go on; else the exit status */
int replay_settings_parse(struct replay_settings *s, int argc, char **argv);

#endif
