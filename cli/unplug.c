/* SPDX-License-Identifier: MIT */
/* unplug.c - uhmm unplug: a device goes while programs use it */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "cli.h"
#include "rundir.h"

const char cli_unplug_help[] =
	"usage: uhmm unplug [--socket PATH] DEVICE\n"
	"Pull DEVICE (hmm_dmirror0) out of a running daemon: pages on it go back to\n"
	"their programs, whose requests fail with ENODEV from then on.\n\n"
	"  --socket PATH  where it listens; else $UHMM_SOCKET, else the default\n";

static const struct option options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int unplug(const char *socket, const char *node)
{
	int sock = cli_ask_connect(socket);
	int ret = sock;

	if (sock >= 0) {
		ret = cli_ask_unplug(sock, node);
		close(sock);
	}
	if (ret == -ENODEV || ret == -EINVAL)
		cli_say("the daemon at %s has no device %s", socket, node);
	else if (ret < 0)
		cli_say("no answer from a daemon at %s: %s", socket,
			strerror(-ret));
	return ret < 0 ? CLI_FAILED : CLI_OK;
}

int cli_unplug(int argc, char **argv)
{
	static char own_name[] = "uhmm unplug";
	char fallback[CLI_SOCKET_BYTES];
	const char *socket = NULL;
	const char *node;
	int opt;

	argv[0] = own_name;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(cli_unplug_help, stdout);
			return CLI_OK;
		}
		if (opt == '?')
			return CLI_USAGE;
		socket = optarg;
	}
	if (optind + 1 != argc) {
		cli_say("which device? `uhmm unplug --help`");
		return CLI_USAGE;
	}
	node = argv[optind];
	if (!strncmp(node, "/dev/", strlen("/dev/")))
		node += strlen("/dev/");
	return unplug(cli_which_socket(socket, fallback), node);
}
