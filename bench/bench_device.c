/* SPDX-License-Identifier: MIT */
/* bench_device.c - what the device's commands and CPU faults cost
 *
 * An ordinary program: run it under `uhmm run`, or on a kernel that has the
 * device.
 */
#include "bench_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "area.h"
#include "ask.h"

/* The daemon's CPU time counts; on a kernel with the device there is none. */
static void find_server(void)
{
	const char *path = getenv("UHMM_SOCKET");
	int sock = path ? cli_ask_connect(path) : -1;
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (sock >= 0 && !getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer,
				     &bytes))
		bench_serves(peer.pid);
	if (sock >= 0)
		close(sock);
}

int main(int argc, char **argv)
{
	int fd;

	if (bench_parse(argc, argv) != argc) {
		fprintf(stderr, "bench: %s: no arguments expected\n",
			argv[argc - 1]);
		return 2;
	}
	find_server();
	bench_fresh();
	fd = area_open_device(0);
	bench_migrate(fd);
	bench_commands(fd);
	bench_many(fd);
	close(fd);
	return 0;
}
