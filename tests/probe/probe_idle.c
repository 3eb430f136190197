/* SPDX-License-Identifier: MIT */
/* probe_idle.c - a program that never opens the device does not notice
 *
 * No thread, no descriptor, no signal handler, no blocked signal, no memory
 * that is shared with somebody.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

static size_t count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	CHECK(d, "%s: %s", dir, strerror(errno));
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* What we inherited through exec cannot be close-on-exec, what the library
 * would open is.  */
static void look_at_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	CHECK(d, "%s", strerror(errno));
	while ((e = readdir(d))) {
		char target[128] = "";
		int fd = (int)strtol(e->d_name, NULL, 10);

		if (!isdigit((unsigned char)e->d_name[0]) || fd == dirfd(d) ||
		    fd == PROBE_ERR_FD)
			continue;
		if (readlinkat(dirfd(d), e->d_name, target,
			       sizeof(target) - 1) < 0)
			continue;
		CHECK(!(fcntl(fd, F_GETFD) & FD_CLOEXEC),
		      "descriptor %d, %s, is not inherited", fd, target);
		CHECK(!strstr(target, "userfaultfd"), "descriptor %d", fd);
	}
	closedir(d);
}

/* The value of @key, hexadecimal, in /proc/self/status. */
static unsigned long long status_hex(const char *key)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long v = 0;
	char line[256];
	bool found = false;

	CHECK(f, "%s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			found = sscanf(line + strlen(key), ":%llx", &v) == 1;
	fclose(f);
	CHECK(found, "no %s", key);
	return v;
}

static void look_at_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];

	CHECK(f, "%s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		CHECK(!strstr(line, "memfd:") && !strstr(line, "rw-s"), "%s",
		      line);
	fclose(f);
}

static void look(const char *who)
{
	CHECK(count_entries("/proc/self/task") == 1, "%s: threads", who);
	look_at_descriptors();
	look_at_maps();
	CHECK(status_hex("SigBlk") == 0, "%s: %llx", who, status_hex("SigBlk"));
	CHECK(status_hex("SigCgt") == 1ull << 13, "%s: %llx", who,
	      status_hex("SigCgt"));
}

int main(void)
{
	unsigned char *mem;
	int child;

	probe_begin("probe_idle", 50); /* handles SIGALRM, number 14 */
	look("at the start");

	/* What the library watches, on memory the device never saw. */
	mem = probe_map(16, PROT_READ | PROT_WRITE);
	probe_fill(mem, 16, 1);
	CHECK(!mprotect(mem, page_bytes, PROT_READ), "%s", strerror(errno));
	probe_verify(mem, 16, 1, "no device");
	probe_unmap(mem, 16);
	close(open("/dev/null", O_RDWR | O_CLOEXEC));
	CHECK(open("/dev/hmm_dmirror9", O_RDWR | O_CLOEXEC) < 0 &&
		      errno == ENOENT,
	      "a device that is not there");
	child = fork();
	if (child == 0) {
		look("in a child");
		_exit(0);
	}
	probe_wait(child, "child");
	look("after that");
	return 0;
}
