/* SPDX-License-Identifier: MIT */
/* run.c - uhmm run: a program, a private daemon, and nothing left behind
 *
 * In order: look at PROG, make a private directory, start the daemon and wait
 * until it listens, start PROG under the preload library, wait until PROG and
 * all its descendants are gone, ask the daemon what it did and whether its
 * state is sound, stop it, remove the directory.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ask.h"
#include "cli.h"
#include "daemon.h"
#include "facts.h"
#include "json.h"
#include "locate.h"
#include "program.h"
#include "report.h"
#include "run_opts.h"
#include "rundir.h"
#include "supervise.h"
#include "sys/uapi.h"
#include "wire/wire.h"

/* Room for the names of devices that drivers brought. */
#define NODES_BYTES 1024

struct run {
	struct cli_run_opts opts;
	struct cli_rundir rd;
	struct cli_daemon daemon;
	char daemon_path[PATH_MAX];
	char preload[PATH_MAX];
	const char *socket;
	char nodes[NODES_BYTES];
	FILE *stats_json;
	sigset_t old_mask;
	int signal_fd;
};

/* Why no policy may be used here, NULL: it may. */
static const char *policy_obstacle(void)
{
	struct cli_facts f;

	cli_facts_gather(&f);
	if (f.uffd != CLI_UFFD_FULL)
		return "needs a userfaultfd that serves system calls, too: "
		       "root, vm.unprivileged_userfaultfd=1, or access to "
		       "/dev/userfaultfd";
	if (!f.pagemap_scan || !(f.uffd_features & UHMM_UFFD_FEATURE_MOVE))
		return "needs engine move, that is Linux 6.8; with the others a "
		       "program that does not know of it could lose memory";
	return NULL;
}

/* What can go wrong before anything runs. Return: -1 go on; else exit status */
static int prepare(struct run *r)
{
	int ret;

	const char *why = r->opts.taking ? policy_obstacle() : NULL;

	if (why) {
		cli_say("--policy %s: %s", r->opts.taking, why);
		return CLI_FAILED;
	}
	ret = cli_program_check(r->opts.program[0]);
	if (ret >= 0)
		return ret;
	if (cli_locate_preload(r->preload) < 0)
		return CLI_FAILED;
	if (r->opts.stats_json) {
		r->stats_json = fopen(r->opts.stats_json, "we");
		if (!r->stats_json) {
			cli_say("%s: %s", r->opts.stats_json, strerror(errno));
			return CLI_FAILED;
		}
	}
	r->signal_fd = cli_supervise_signals(&r->old_mask);
	if (r->signal_fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		cli_say("cannot supervise: %s", strerror(errno));
		return CLI_FAILED;
	}
	return -1;
}

/* Return: -1 go on; else the exit status */
static int join_daemon(struct run *r)
{
	static char path[PATH_MAX];
	int sock = cli_ask_connect(r->opts.socket);

	if (sock < 0) {
		cli_say("no daemon at %s: %s", r->opts.socket, strerror(-sock));
		return CLI_FAILED;
	}
	close(sock);
	/* PROG may change its directory before it opens a device. */
	r->socket = realpath(r->opts.socket, path) ? path : r->opts.socket;
	return -1;
}

static int own_daemon(struct run *r)
{
	struct cli_daemon_conf conf = {
		.path = r->daemon_path,
		.opts = &r->opts,
		.rd = &r->rd,
		.sigmask = &r->old_mask,
		.signal_fd = r->signal_fd,
	};
	int ret;

	if (cli_locate_daemon(r->daemon_path) < 0 ||
	    cli_rundir_init(&r->rd) < 0)
		return CLI_FAILED;
	r->socket = r->rd.socket;
	ret = cli_daemon_start(&r->daemon, &conf);
	if (ret >= 0)
		cli_rundir_fini(&r->rd);
	return ret;
}

/* Device @i of the statistics @json, when a driver brought it, to @nodes. */
static bool add_node(char nodes[NODES_BYTES], const char *json, unsigned int i)
{
	char path[40], name[32];
	size_t at = strlen(nodes);
	double minor = 0;

	snprintf(path, sizeof(path), "devices.%u.name", i);
	if (!cli_json_string(json, path, name, sizeof(name)))
		return false;
	snprintf(path, sizeof(path), "devices.%u.minor", i);
	if (cli_json_number(json, path, &minor) &&
	    minor >= UHMM_WIRE_MINOR_LOADED)
		snprintf(nodes + at, NODES_BYTES - at, "%s%s=%.0f",
			 at ? "," : "", name, minor);
	return true;
}

/* What devices there are beside those that the library knows by itself. */
static void ask_nodes(struct run *r)
{
	int sock = cli_ask_connect(r->socket);
	char *text = NULL;

	if (sock < 0)
		return;		/* who runs without a daemon will see it */
	if (cli_ask_stats(sock, &text) == 0)
		for (unsigned int i = 0; add_node(r->nodes, text, i); i++)
			;
	free(text);
	close(sock);
}

static int run_program(struct run *r)
{
	struct cli_program_env env = {
		.preload = r->preload,
		.socket = r->socket,
		.attach = r->opts.taking != NULL,
		.nodes = r->nodes,
		.sigmask = &r->old_mask,
	};
	pid_t pid = cli_program_start(r->opts.program, &env);

	if (pid < 0) {
		cli_say("cannot start %s: %s", r->opts.program[0],
			strerror(-pid));
		return CLI_FAILED;
	}
	return cli_supervise(pid, r->signal_fd, &r->daemon, &r->rd);
}

static void show_stats(struct run *r, int sock)
{
	char *text = NULL;
	int ret;

	if (!r->opts.stats && !r->stats_json)
		return;
	ret = cli_ask_stats(sock, &text);
	if (ret < 0) {
		cli_say("no statistics: %s", strerror(-ret));
		return;
	}
	if (r->opts.stats)
		cli_report_table(stderr, text);
	if (r->stats_json)
		fputs(text, r->stats_json);
	free(text);
}

/* Return: 0 the daemon's state is sound; else CLI_FAILED */
static int check(int sock)
{
	char *text = NULL;
	int ret = cli_ask_check(sock, &text);

	if (cli_ask_is_gone(ret))
		return 0; /* who stops it will see why */
	if (ret < 0)
		cli_say("the daemon could not check itself: %s",
			strerror(-ret));
	else if (text[0])
		cli_say("a defect of uhmm, please report it: %s", text);
	ret = ret < 0 || text[0] ? CLI_FAILED : 0;
	free(text);
	return ret;
}

/* The last words of the daemon. Return: 0; CLI_FAILED it found a defect */
static int ask_around(struct run *r)
{
	int sock, defect = 0;

	if (!r->opts.socket && !r->daemon.pid)
		return 0; /* lost; said already */
	sock = cli_ask_connect(r->socket);
	if (sock < 0) {
		if (r->opts.stats || r->stats_json)
			cli_say("no statistics: %s", strerror(-sock));
		return 0; /* who stops it will see why */
	}
	show_stats(r, sock);
	if (!r->opts.socket)
		defect = check(sock);
	close(sock);
	return defect;
}

static int run(struct run *r)
{
	int status = prepare(r);
	int defect;

	if (status < 0)
		status = r->opts.socket ? join_daemon(r) : own_daemon(r);
	if (status < 0) {
		ask_nodes(r);
		status = run_program(r);
		defect = ask_around(r);
		defect |= cli_daemon_stop(&r->daemon, &r->rd);
		status = status ? status : defect;
		cli_rundir_fini(&r->rd);
	}
	if (r->stats_json && fclose(r->stats_json) != 0)
		cli_say("%s: %s", r->opts.stats_json, strerror(errno));
	return status;
}

int cli_run(int argc, char **argv)
{
	struct run r = { .daemon.pidfd = -1, .rd.log_fd = -1, .signal_fd = -1 };
	int status = cli_run_opts_parse(&r.opts, argc, argv);

	return status >= 0 ? status : run(&r);
}
