/* SPDX-License-Identifier: MIT */
/* probe_replace.c - memory that is unmapped and mapped anew while it migrates
 *
 * Usage: probe_replace [MIGRATIONS], or until one succeeds. One thread maps
 * memory at the same place again and again, fills it, looks whether all is
 * still there, and unmaps it; another migrates that place to the device as fast
 * as it goes. What is mapped may go to the device and come back; it may not
 * lose a byte, and not show what was there before.
 * For engine move: engine copy drops what it has copied, whatever is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"
#include "sys/uapi.h"

#define NPAGES 16
#define LOOKS 3

/* Where nobody else looks for room. */
static void *const place = (void *)0x123400000000;
static atomic_bool stop;

static void skip_without_move(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd,
			      O_CLOEXEC | UHMM_UFFD_USER_MODE_ONLY);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 ||
	    !(api.features & UHMM_UFFD_FEATURE_MOVE))
		probe_skip("no UFFDIO_MOVE: Linux 6.8");
	close(fd);
}

static void *replace(void *arg)
{
	unsigned long rounds = 0;

	(void)arg;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint32_t seed = (uint32_t)++rounds;
		void *p = mmap(place, NPAGES * page_bytes,
			       PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS |
				       MAP_FIXED_NOREPLACE,
			       -1, 0);

		CHECK(p == place, "%s", strerror(errno));
		probe_verify_zero(p, NPAGES, "mapped anew");
		probe_fill(p, NPAGES, seed);
		for (int i = 0; i < LOOKS; i++)
			probe_verify(p, NPAGES, seed, "while it migrates");
		probe_unmap(p, NPAGES);
	}
	return (void *)rounds;
}

int main(int argc, char **argv)
{
	unsigned long times, moved = 0;
	pthread_t thread;
	void *rounds;
	void *buf;
	int fd;

	skip_without_move();
	probe_begin("probe_replace", 100);
	times = probe_argument(argc, argv, 1, 3000);
	fd = probe_open(0);
	buf = probe_map(NPAGES, PROT_READ | PROT_WRITE);
	CHECK(!pthread_create(&thread, NULL, replace, NULL), "no thread");
	for (unsigned long i = 0; i < times || !moved; i++) {
		int ret = probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, place,
				    NPAGES, buf, NULL);

		CHECK(ret == 0 || ret == -ENOENT || ret == -EINVAL ||
			      ret == -EFAULT,
		      "try %lu: %s", i, strerror(-ret));
		moved += ret == 0;
	}
	atomic_store(&stop, true);
	pthread_join(thread, &rounds);
	CHECK((unsigned long)rounds > 1, "it was mapped once only");
	return 0;
}
