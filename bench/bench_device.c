/* SPDX-License-Identifier: MIT */
/* bench_device.c - what the device's commands and CPU faults cost
 *
 * An ordinary program: run it under `uhmm run`, or on a kernel that has the
 * device.
 */
#include "bench_device.h"

#include <stdio.h>
#include <unistd.h>

#include "area.h"

int main(int argc, char **argv)
{
	int fd;

	if (bench_parse(argc, argv) != argc) {
		fprintf(stderr, "bench: %s: no arguments expected\n",
			argv[argc - 1]);
		return 2;
	}
	bench_fresh();
	fd = area_open_device(0);
	bench_migrate(fd);
	bench_commands(fd);
	bench_many(fd);
	close(fd);
	return 0;
}
