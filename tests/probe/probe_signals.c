/* SPDX-License-Identifier: MIT */
/* probe_signals.c - requests and faults of a program that signals interrupt
 *
 * A timer fires every 200 us into a handler that touches memory on the device
 * itself and does not restart system calls. A request may give EINTR; none may
 * be done by half.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES 64
#define SECONDS 2

static unsigned char *touched; /* by the handler: NPAGES, all 0x42 */
static volatile sig_atomic_t nsignals, nwrong;

static void handler(int sig)
{
	size_t page = (size_t)nsignals % NPAGES;

	(void)sig;
	nwrong += *(volatile unsigned char *)(touched + page * page_bytes) !=
		  0x42;
	nsignals++;
}

static void start_timer(void)
{
	struct sigaction sa = { .sa_handler = handler };
	struct itimerval every = { .it_interval = { .tv_usec = 200 },
				   .it_value = { .tv_usec = 200 } };

	CHECK(!sigaction(SIGVTALRM, &sa, NULL), "%s", strerror(errno));
	CHECK(!sigaction(SIGPROF, &sa, NULL), "%s", strerror(errno));
	CHECK(!setitimer(ITIMER_PROF, &every, NULL), "%s", strerror(errno));
}

static void stop_timer(void)
{
	struct itimerval never = { 0 };

	CHECK(!setitimer(ITIMER_PROF, &never, NULL), "%s", strerror(errno));
}

int main(void)
{
	uint64_t until;
	unsigned char *mem;
	uint32_t seed = 1;
	void *buf;
	int fd;

	probe_begin("probe_signals", 50);
	fd = probe_open(0);
	mem = probe_map(NPAGES, RW);
	buf = probe_map(NPAGES, RW);
	touched = probe_map(NPAGES, RW);
	memset(touched, 0x42, NPAGES * page_bytes);
	start_timer();
	until = probe_now_ns() + SECONDS * 1000000000ull;
	while (probe_now_ns() < until) {
		int ret = probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, touched,
				    NPAGES, buf, NULL);

		CHECK(ret == 0 || ret == -ENOENT, "%s", strerror(-ret));
		probe_fill(mem, NPAGES, ++seed);
		probe_do(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, mem, NPAGES, buf);
		probe_verify(buf, NPAGES, seed, "handed back");
		probe_verify(mem, NPAGES, seed, "touched");
	}
	stop_timer();
	CHECK(nsignals > 0, "no signal came");
	CHECK(nwrong == 0, "the handler saw other data %d times", (int)nwrong);
	return 0;
}
