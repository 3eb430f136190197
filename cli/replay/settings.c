/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cli.h"
#include "op.h"

const char cli_replay_help[] =
	"usage: uhmm replay [OPTION]... TRACE...\n"
	"Play operation traces against whatever serves /dev/hmm_dmirror*: a\n"
	"kernel, or the emulation: `uhmm run -- uhmm replay ...`.\n\n"
	"  -c, --check         compare with recorded answers (default)\n"
	"  -r, --record        print the traces with the answers they get\n"
	"  -o, --output FILE   print to FILE\n"
	"      --json FILE     results of all traces, JSON, into FILE\n"
	"  -s, --strict        lines marked `old` or `quirk` count too\n"
	"  -v, --verbose       print all comparisons\n"
	"  -i, --ignore KEY,.. words of answers that do not matter\n"
	"  -t, --timeout S     for one line, seconds (60)\n"
	"  -b, --base ADDRESS  of region 0, hexadecimal (100000000000)\n"
	"  -d, --device PREFIX of the paths of devices (/dev/hmm_dmirror)\n"
	"      --help          this text\n\n"
	"Exit status: 0 all answers are the recorded ones; 1 some are not;\n"
	"2 called wrongly, or a trace cannot be played; 3 a line took too\n"
	"long; 4 a trace crashed.\n";

enum { OPT_JSON = 256, OPT_HELP };

static const struct option options[] = {
	{ "check", no_argument, NULL, 'c' },
	{ "record", no_argument, NULL, 'r' },
	{ "output", required_argument, NULL, 'o' },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "strict", no_argument, NULL, 's' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "ignore", required_argument, NULL, 'i' },
	{ "timeout", required_argument, NULL, 't' },
	{ "base", required_argument, NULL, 'b' },
	{ "device", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

static int take_timeout(struct replay_settings *s, const char *word)
{
	char *end;
	unsigned long seconds = strtoul(word, &end, 10);

	if (*end || !seconds || seconds > INT_MAX / 2000) {
		cli_say("--timeout %s: a number of seconds", word);
		return CLI_USAGE;
	}
	s->timeout_s = (unsigned int)seconds;
	return -1;
}

static int take_base(struct replay_settings *s, const char *word)
{
	char *end;

	s->base = strtoull(word, &end, 16);
	if (*end || !s->base || s->base % REPLAY_REGION_BYTES) {
		cli_say("--base %s: hexadecimal, a multiple of %lx", word,
			REPLAY_REGION_BYTES);
		return CLI_USAGE;
	}
	return -1;
}

static int take(struct replay_settings *s, int opt, const char *arg)
{
	switch (opt) {
	case 'c':
	case 'r':
		s->record = opt == 'r';
		return -1;
	case 'o':
		s->output = arg;
		return -1;
	case OPT_JSON:
		s->json = arg;
		return -1;
	case 's':
		s->strict = true;
		return -1;
	case 'v':
		s->verbose = true;
		return -1;
	case 'i':
		s->ignore = arg;
		return -1;
	case 't':
		return take_timeout(s, arg);
	case 'b':
		return take_base(s, arg);
	case 'd':
		s->device = arg;
		return -1;
	case OPT_HELP:
		fputs(cli_replay_help, stdout);
		return CLI_OK;
	default:
		cli_say("`uhmm replay --help` lists the options");
		return CLI_USAGE;
	}
}

int replay_settings_parse(struct replay_settings *s, int argc, char **argv)
{
	static char own_name[] = "uhmm replay";
	int opt, status;

	*s = (struct replay_settings){
		.timeout_s = 60,
		.base = REPLAY_BASE,
		.device = "/dev/hmm_dmirror",
	};
	argv[0] = own_name; /* for what getopt says */
	while ((opt = getopt_long(argc, argv, "cro:svi:t:b:d:", options,
				  NULL)) != -1) {
		status = take(s, opt, optarg);
		if (status >= 0)
			return status;
	}
	if (optind == argc) {
		cli_say("which traces?");
		return CLI_USAGE;
	}
	s->traces = argv + optind;
	return -1;
}
