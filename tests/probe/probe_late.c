/* SPDX-License-Identifier: MIT */
/* probe_late.c - a program that loads the library when it runs already, where
 * its functions stand in front of nobody's: nothing happens, also where programs
 * are attached when they start
 *
 * probe_late LIBRARY
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe.h"

int main(int argc, char **argv)
{
	size_t threads, fds;
	int fd;

	probe_begin("probe_late", 20);
	threads = probe_count_entries("/proc/self/task");
	fds = probe_count_entries("/proc/self/fd");
	CHECK(argc == 2 && getenv("UHMM_SOCKET") && getenv("UHMM_ATTACH") &&
		      !getenv("LD_PRELOAD"),
	      "started wrongly");
	CHECK(dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL), "%s", dlerror());
	CHECK(probe_count_entries("/proc/self/task") == threads, "a thread more");
	CHECK(probe_count_entries("/proc/self/fd") == fds, "a descriptor more");
	fd = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);
	CHECK(fd < 0 || !access("/dev/hmm_dmirror0", F_OK), "it has a device");
	CHECK(!munmap(probe_map(4, PROT_READ), 4 * page_bytes), "munmap");
	return 0;
}
