/* SPDX-License-Identifier: MIT */
/* probe_many_opens.c - ten thousand opens; then as many at once as may be */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "probe.h"

#define IN_A_ROW 10000
#define AT_ONCE_MAX 4096
#define OWN_MAX 64 /* descriptors that are open for other reasons */

static int fds[AT_ONCE_MAX];

static size_t limit(void)
{
	struct rlimit r;

	CHECK(!getrlimit(RLIMIT_NOFILE, &r), "%s", strerror(errno));
	if (r.rlim_cur > AT_ONCE_MAX) {
		r.rlim_cur = AT_ONCE_MAX;
		CHECK(!setrlimit(RLIMIT_NOFILE, &r), "%s", strerror(errno));
	}
	return r.rlim_cur;
}

static void works(int fd, const char *when)
{
	unsigned char *mem = probe_map(4, PROT_READ | PROT_WRITE);

	probe_fill(mem, 4, 1);
	probe_to_dev(fd, mem, 4);
	probe_verify(mem, 4, 1, when);
	probe_unmap(mem, 4);
}

static size_t open_all(size_t max)
{
	size_t n = 0;

	while (n < max) {
		fds[n] = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);
		if (fds[n] < 0)
			break;
		n++;
	}
	CHECK(n < max && errno == EMFILE, "open number %zu: %s", n,
	      strerror(errno));
	return n;
}

int main(void)
{
	size_t max, n;
	int fd;

	probe_begin("probe_many_opens", 50);
	max = limit();
	for (int i = 0; i < IN_A_ROW; i++)
		CHECK(close(probe_open((unsigned int)i % 2)) == 0, "%s",
		      strerror(errno));

	n = open_all(max);
	CHECK(n + OWN_MAX > max, "only %zu opens of %zu descriptors", n, max);
	works(fds[0], "all descriptors are in use, the first");
	works(fds[n - 1], "all descriptors are in use, the last");
	for (size_t i = 0; i < n; i++)
		CHECK(close(fds[i]) == 0, "%s", strerror(errno));

	CHECK(open_all(max) == n, "descriptors were lost");
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	fd = probe_open(0);
	works(fd, "after all that");
	close(fd);
	return 0;
}
