/* SPDX-License-Identifier: MIT */
/* main.c - uhmmd, from top to bottom
 *
 *   program ──connects──► listener ──► channel ──► request ──► driver
 *           ──ioctl────────────────────────┘          │ (a job: co.h)
 *           ──touches a page──► kernel ──► fault ──► src/mm ──► engine
 *           ◄──hands: drop, populate────────────────────────────┘
 *
 * Everything that waits does so in a worker's loop (worker.c), whose one
 * switch says which file handles which descriptor. A program is a session
 * (session.h); its end by whatever way frees all it had.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon.h"

/* Each program takes six descriptors: have as many as we may. */
static void raise_limits(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
}

/* End with who started us. If it is gone already, its signal never comes. */
static bool follow_parent(const struct conf *c)
{
	if (!c->parent_death)
		return true;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	return getppid() != 1;
}

static int say_ready(const struct conf *c)
{
	int err = 0;

	if (c->ready_fd < 0)
		return 0;
	if (write(c->ready_fd, "", 1) != 1) {
		err = -errno;
		uhmm_err_errno(err, "--ready-fd %d", c->ready_fd);
	}
	close(c->ready_fd);
	return err;
}

int main(int argc, char **argv)
{
	static struct daemon d;
	struct conf conf;
	int status;

	uhmm_log_init("uhmmd");
	status = conf_parse(&conf, argc, argv);
	if (status >= 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	raise_limits();
	if (!follow_parent(&conf))
		return CONF_EXIT_OK;

	if (daemon_init(&d, &conf, &uhmm_dmirror_ops))
		return CONF_EXIT_FAILED;
	status = CONF_EXIT_FAILED;
	if (!daemon_listen(&d) && !say_ready(&conf)) {
		daemon_run(&d);
		status = CONF_EXIT_OK;
	}
	daemon_fini(&d);
	conf_fini(&conf);
	return status;
}
