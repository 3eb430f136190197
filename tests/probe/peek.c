/* SPDX-License-Identifier: MIT */
#include "peek.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../cli/ask.h"
#include "../../cli/json.h"
#include "probe.h"

#define AWAIT_MS 5000
#define STEP_MS 5

static const char *socket_path(void)
{
	return getenv("UHMM_SOCKET");
}

bool peek_has_daemon(void)
{
	return socket_path() != NULL;
}

static int connect_daemon(void)
{
	int sock;

	CHECK(peek_has_daemon(), "UHMM_SOCKET is not set");
	sock = cli_ask_connect(socket_path());
	CHECK(sock >= 0, "%s: %s", socket_path(), strerror(-sock));
	return sock;
}

pid_t peek_daemon_pid(void)
{
	int sock = connect_daemon();
	struct ucred cred;
	socklen_t bytes = sizeof(cred);

	CHECK(getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &bytes) == 0,
	      "no credentials");
	CHECK(cred.pid > 0, "pid %d", cred.pid);
	close(sock);
	return cred.pid;
}

double peek_number(const char *path)
{
	int sock = connect_daemon();
	char *text = NULL;
	double d = 0;
	int ret;

	ret = cli_ask_stats(sock, &text);
	CHECK(ret == 0, "%s", strerror(-ret));
	CHECK(cli_json_number(text, path, &d), "no %s in %.300s", path, text);
	free(text);
	close(sock);
	return d;
}

void peek_await(const char *path, double want, const char *when)
{
	double now = 0;

	if (!peek_has_daemon())
		return;
	for (int ms = 0; ms < AWAIT_MS; ms += STEP_MS) {
		now = peek_number(path);
		if (now == want)
			return;
		probe_pause_ms(STEP_MS);
	}
	probe_fail("%s: %s is %.0f, not %.0f", when, path, now, want);
}

void peek_await_pages(unsigned long npages, const char *when)
{
	peek_await("total.device_pages_now", (double)npages, when);
}
