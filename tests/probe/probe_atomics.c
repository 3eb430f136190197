/* SPDX-License-Identifier: MIT */
/* probe_atomics.c - two devices and two CPUs add to one word (S2.10)
 *
 *   probe_atomics [ROUNDS]
 *
 * Each device adds 1, ROUNDS times, after it has made the page its own, which
 * takes it from the other device and from the CPUs. Two threads add 1 by atomic
 * instructions all the while, which takes it from the devices. No addition is
 * lost, and what each of them saw before never went back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "null_gpu.h"
#include "probe.h"

static unsigned long rounds = 500;
static _Atomic uint64_t *word;
static _Atomic uint64_t by_cpus, devices_done;

static void *run_cpu(void *arg)
{
	uint64_t last = 0, n;

	(void)arg;
	for (n = 0; atomic_load(&devices_done) < 2; n++) {
		uint64_t old = atomic_fetch_add(word, 1);

		CHECK(n == 0 || old > last, "%lu after %lu", old, last);
		last = old;
	}
	atomic_fetch_add(&by_cpus, n);
	return NULL;
}

static void *run_device(void *arg)
{
	struct null_gpu_cmd add = { .addr = (uintptr_t)word, .n = 1,
				    .value = 1 };
	const char *path = arg;
	uint64_t last = 0;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0, "%s: %s", path, strerror(errno));
	for (unsigned long i = 0; i < rounds;) {
		if (ioctl(fd, NULL_GPU_ATOMIC_ADD, &add)) {
			/* the others are faster */
			CHECK(errno == EBUSY, "%s", strerror(errno));
			continue;
		}
		CHECK(i == 0 || add.result > last, "%lu after %lu", add.result,
		      last);
		last = add.result;
		i++;
	}
	atomic_fetch_add(&devices_done, 1);
	CHECK(!close(fd), "");
	return NULL;
}

int main(int argc, char **argv)
{
	static char gpu0[] = "/dev/null_gpu0", gpu1[] = "/dev/null_gpu1";
	pthread_t thread[4];

	rounds = probe_argument(argc, argv, 1, rounds);
	probe_begin("atomics", rounds > 10000 ? 3600 : 50);
	word = probe_map(1, PROT_READ | PROT_WRITE);
	CHECK(!pthread_create(&thread[0], NULL, run_device, gpu0), "");
	CHECK(!pthread_create(&thread[1], NULL, run_device, gpu1), "");
	CHECK(!pthread_create(&thread[2], NULL, run_cpu, NULL), "");
	CHECK(!pthread_create(&thread[3], NULL, run_cpu, NULL), "");
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], NULL), "");
	CHECK(atomic_load(word) == 2 * rounds + by_cpus,
	      "%lu of %lu by devices and %lu by CPUs", atomic_load(word),
	      2 * rounds, by_cpus);
	return 0;
}
