/* SPDX-License-Identifier: MIT */
/* probe_near.c - a daemon that serves us on our CPU (daemon/near.h) takes
 * nothing from us, gives way, and rests when we do
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe.h"

#define NPAGES 512
#define BUSY_NPAGES 64
#define TRIES 40

static atomic_bool go_on = true;

/* Who serves us. */
static int daemon_pid(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = getenv("UHMM_SOCKET");
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	CHECK(path && sock >= 0, "no daemon");
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	CHECK(connect(sock, (struct sockaddr *)&sun, sizeof(sun)) == 0, "%s",
	      strerror(errno));
	CHECK(getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0,
	      "%s", strerror(errno));
	close(sock);
	return cred.pid;
}

/* @npages pages to the device and, one CPU fault each, back. */
static void fault_back(int fd, size_t npages)
{
	void *p = probe_map(npages, PROT_READ | PROT_WRITE);

	probe_fill(p, npages, 7);
	probe_to_dev(fd, p, npages);
	probe_verify(p, npages, 7, "faulted back");
	probe_unmap(p, npages);
}

/* Our CPUs, class and threads are what they were. */
static void look_at_ourselves(const cpu_set_t *before)
{
	cpu_set_t now;

	CHECK(sched_getaffinity(0, sizeof(now), &now) == 0, "%s",
	      strerror(errno));
	CHECK(CPU_EQUAL(before, &now), "our CPUs were changed");
	CHECK(sched_getscheduler(0) == SCHED_OTHER, "our class was changed");
}

static void *be_busy(void *unused)
{
	(void)unused;
	while (atomic_load(&go_on))
		;
	return NULL;
}

/* Whoever waits for a CPU that others have gets its faults answered. */
static void fault_beside_busy(int fd)
{
	long ncpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t *thread = calloc((size_t)ncpus, sizeof(*thread));

	CHECK(thread, "no memory");
	for (long i = 0; i < ncpus; i++)
		CHECK(!pthread_create(&thread[i], NULL, be_busy, NULL),
		      "no thread");
	for (int i = 0; i < 4; i++)
		fault_back(fd, BUSY_NPAGES);
	atomic_store(&go_on, false);
	for (long i = 0; i < ncpus; i++)
		pthread_join(thread[i], NULL);
	free(thread);
}

/* Does thread @tid have the ordinary class, and all CPUs that we have, or the one
 * of them where it was asked last? */
static bool is_ordinary(int tid, const cpu_set_t *all)
{
	cpu_set_t cpus, both;

	if (sched_getscheduler(tid) != SCHED_OTHER ||
	    sched_getaffinity(tid, sizeof(cpus), &cpus))
		return false;
	CPU_AND(&both, &cpus, all);
	return CPU_EQUAL(&cpus, &both) &&
	       (CPU_EQUAL(&cpus, all) || CPU_COUNT(&cpus) == 1);
}

/* How often the threads of @pid went to sleep so far; and is its first one an
 * ordinary thread? */
static unsigned long sleeps_of(int pid, const cpu_set_t *all, bool *ordinary)
{
	char path[64], line[256];
	unsigned long sum = 0, n;
	struct dirent *e;
	DIR *d;

	*ordinary = is_ordinary(pid, all);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	CHECK(d, "%s: %s", path, strerror(errno));
	while ((e = readdir(d))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status", pid,
			 e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) ==
				    1 ||
			    sscanf(line, "nonvoluntary_ctxt_switches: %lu",
				   &n) == 1)
				sum += n;
		if (f)
			fclose(f);
	}
	closedir(d);
	return sum;
}

/* Soon nobody of it runs any more: in a tenth of a second not once. */
static void look_at_rest(const cpu_set_t *all)
{
	int pid = daemon_pid();
	bool ordinary, still;

	for (int i = 0; i < TRIES; i++) {
		unsigned long before = sleeps_of(pid, all, &still);

		probe_pause_ms(100);
		if (sleeps_of(pid, all, &ordinary) == before && still &&
		    ordinary)
			return;
	}
	CHECK(0, "the daemon does not come to rest (%s)",
	      ordinary ? "it runs" : "class or CPUs are changed");
}

int main(void)
{
	cpu_set_t before;
	int fd;

	probe_begin("probe_near", 40);
	CHECK(sched_getaffinity(0, sizeof(before), &before) == 0, "%s",
	      strerror(errno));
	fd = probe_open(0);
	for (int i = 0; i < 3; i++) {
		fault_back(fd, NPAGES);
		look_at_ourselves(&before);
		look_at_rest(&before);
	}
	fault_beside_busy(fd);
	look_at_ourselves(&before);
	look_at_rest(&before);
	return 0;
}
