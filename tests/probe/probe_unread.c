/* SPDX-License-Identifier: MIT */
/* probe_unread.c - memory mapped where pages of the device were a moment ago
 *
 * One thread moves memory whose pages are on the device to another place;
 * before its mremap() has returned another maps memory of its own in the old
 * place, which is free, and has the device read it. What it reads is that, not
 * what was there.
 * The first thread stands in mremap() as long as nobody reads the event that it
 * raised, and nobody does while the library's agent is asked to move pages. So
 * the agent is stopped by a debugger, a child, and the device asked to take a
 * third piece of memory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "wire/wire.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES 8
/* What waits for the agent has had the time to do so. */
#define SETTLE_MS 200

static unsigned char *from, *to, *other;

/* ---- the debugger ---- */

struct debugger {
	pid_t pid;
	int ask[2], answer[2];
};

/* Stops the thread it is told, until it is told anything else. */
_Noreturn static void debug(const struct debugger *d)
{
	pid_t tid;
	char ok;

	close(d->ask[1]);
	if (read(d->ask[0], &tid, sizeof(tid)) != sizeof(tid))
		_exit(0);
	ok = ptrace(PTRACE_SEIZE, tid, NULL, NULL) == 0 &&
	     ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0 &&
	     waitpid(tid, NULL, __WALL) == tid;
	(void)!write(d->answer[1], &ok, 1);
	(void)!read(d->ask[0], &ok, 1);
	_exit(0);	/* which lets go of it */
}

static void make_debugger(struct debugger *d)
{
	CHECK(!pipe2(d->ask, O_CLOEXEC) && !pipe2(d->answer, O_CLOEXEC),
	      "pipe");
	d->pid = fork();
	CHECK(d->pid >= 0, "fork");
	if (d->pid == 0)
		debug(d);
	(void)prctl(PR_SET_PTRACER, d->pid, 0, 0, 0);
}

/* The library's agent; 0: it has none. */
static pid_t find_agent(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t found = 0;

	CHECK(dir, "/proc/self/task");
	while (!found && (entry = readdir(dir))) {
		char path[300], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 entry->d_name);
		file = fopen(path, "re");
		if (file && fgets(name, sizeof(name), file) &&
		    !strcmp(name, UHMM_AGENT_NAME "\n"))
			found = (pid_t)atoi(entry->d_name);
		if (file)
			fclose(file);
	}
	closedir(dir);
	return found;
}

static void stop_agent(const struct debugger *d)
{
	pid_t tid = find_agent();
	char ok = 0;

	if (!tid)
		probe_skip("this engine has not asked for an agent");
	CHECK(write(d->ask[1], &tid, sizeof(tid)) == sizeof(tid), "write");
	CHECK(read(d->answer[0], &ok, 1) == 1, "read");
	if (!ok)
		probe_skip("a debugger is not allowed here");
}

static void let_agent_go(const struct debugger *d)
{
	close(d->ask[1]);
	probe_wait(d->pid, "debugger");
}

/* ---- the threads ---- */

static void *take_other(void *arg)
{
	probe_to_dev(*(int *)arg, other, NPAGES);
	return NULL;
}

static void *move_away(void *unused)
{
	void *p = mremap(from, NPAGES * page_bytes, NPAGES * page_bytes,
			 MREMAP_MAYMOVE | MREMAP_FIXED, to);

	(void)unused;
	CHECK(p == to, "mremap: %s", strerror(errno));
	return NULL;
}

/* Memory of our own, where the first thread's was. */
static void map_there(void)
{
	unsigned char *p;

	do {
		p = mmap(from, NPAGES * page_bytes, RW,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			 0);
		CHECK(p == from || errno == EEXIST, "mmap: %s",
		      strerror(errno));
	} while (p != from);
	probe_fill(from, NPAGES, 3);
}

static void *read_it(void *arg)
{
	unsigned char *buf = probe_map(NPAGES, RW);

	probe_do(*(int *)arg, UHMM_DMIRROR_READ, from, NPAGES, buf);
	probe_verify(buf, NPAGES, 3, "what the device reads");
	probe_unmap(buf, NPAGES);
	return NULL;
}

static pthread_t start(void *(*run)(void *arg), void *arg)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, run, arg), "no thread");
	return thread;
}

int main(void)
{
	struct debugger debugger;
	pthread_t thread[3];
	int fd[3];

	probe_begin("probe_unread", 50);
	make_debugger(&debugger);
	for (int i = 0; i < 3; i++)
		fd[i] = probe_open(0);
	from = probe_map(NPAGES, RW);
	to = probe_map(NPAGES, RW);
	other = probe_map(NPAGES, RW);
	probe_fill(from, NPAGES, 1);
	probe_fill(other, NPAGES, 2);
	probe_to_dev(fd[0], from, NPAGES);

	stop_agent(&debugger);
	thread[0] = start(take_other, &fd[1]);
	probe_pause_ms(SETTLE_MS);
	thread[1] = start(move_away, NULL);
	map_there();
	thread[2] = start(read_it, &fd[2]);
	probe_pause_ms(SETTLE_MS);
	let_agent_go(&debugger);
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(thread[i], NULL), "join");

	probe_verify(from, NPAGES, 3, "mapped anew");
	probe_verify(to, NPAGES, 1, "moved");
	probe_verify(other, NPAGES, 2, "taken by the device");
	return 0;
}
