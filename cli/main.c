/* SPDX-License-Identifier: MIT */
/* main.c - `uhmm`: the table of sub-commands */
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *does;
} commands[] = {
	{ "run", cli_run, "run a program with a private daemon" },
	{ "status", cli_status, "what a running daemon has done so far" },
	{ "unplug", cli_unplug, "pull a device out of a running daemon" },
	{ "doctor", cli_doctor, "what this machine allows" },
	{ "replay", cli_replay, "play operation traces, compare the answers" },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char *name = "";

void cli_name(const char *sub)
{
	name = sub;
}

void cli_say(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "uhmm%s%s: %s\n", name[0] ? " " : "", name, line);
}

static int help(void)
{
	printf("usage: uhmm COMMAND [OPTION]...\n"
	       "A device with private memory for unmodified programs.\n\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].does);
	printf("\n`uhmm COMMAND --help` says more. "
	       "`uhmm --version` says which version this is.\n");
	return CLI_OK;
}

static const struct command *find(const char *word)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (!strcmp(commands[i].name, word))
			return &commands[i];
	return NULL;
}

/* What we open must not become somebody's stdin; PROG has it closed again. */
static void fill_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct command *c;

	fill_stdio();
	if (argc < 2) {
		cli_say("which command? `uhmm --help` lists them");
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help();
	if (!strcmp(argv[1], "--version")) {
		printf("uhmm %s\n", UHMM_VERSION);
		return CLI_OK;
	}
	c = find(argv[1]);
	if (!c) {
		cli_say("unknown %s '%s'; `uhmm --help` lists what there is",
			argv[1][0] == '-' ? "option" : "command", argv[1]);
		return CLI_USAGE;
	}
	cli_name(c->name);
	return c->run(argc - 1, argv + 1);
}
