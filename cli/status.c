/* SPDX-License-Identifier: MIT */
/* status.c - uhmm status: what a running daemon has done so far */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "cli.h"
#include "report.h"
#include "rundir.h"

const char cli_status_help[] =
	"usage: uhmm status [--json] [--socket PATH]\n"
	"What a running daemon has done so far.\n\n"
	"  --socket PATH  where it listens; else $UHMM_SOCKET, else the default\n"
	"  --json         all statistics, as uhmm run --stats-json has them\n";

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "socket", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int show(const char *socket, bool json)
{
	char *text = NULL;
	int sock, ret;

	ret = sock = cli_ask_connect(socket);
	if (sock >= 0) {
		ret = cli_ask_stats(sock, &text);
		close(sock);
	}
	if (ret < 0) {
		cli_say("no answer from a daemon at %s: %s", socket,
			strerror(-ret));
		return CLI_FAILED;
	}
	if (json)
		fputs(text, stdout);
	else
		cli_report_table(stdout, text);
	free(text);
	return CLI_OK;
}

int cli_status(int argc, char **argv)
{
	static char own_name[] = "uhmm status";
	char fallback[CLI_SOCKET_BYTES];
	const char *socket = NULL;
	bool json = false;
	int opt;

	argv[0] = own_name;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(cli_status_help, stdout);
			return CLI_OK;
		}
		if (opt == '?')
			return CLI_USAGE;
		json |= opt == 'j';
		if (opt == 's')
			socket = optarg;
	}
	if (optind < argc) {
		cli_say("what is '%s'?", argv[optind]);
		return CLI_USAGE;
	}
	return show(cli_which_socket(socket, fallback), json);
}
