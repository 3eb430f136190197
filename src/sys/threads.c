/* SPDX-License-Identifier: MIT */
/* threads.c - threads of a program (threads.h) */
#include "sys/threads.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOM_FIRST 16

int uhmm_threads_pid(int pidfd)
{
	int saved = errno, pid = -1;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "Pid:", 4))
			pid = (int)strtol(line + 4, NULL, 10);
	if (f)
		fclose(f);
	errno = saved;
	return pid > 0 ? pid : -ESRCH;
}

static int add(struct uhmm_threads *t, struct uhmm_thread thread)
{
	if (t->n == t->room) {
		unsigned int room = t->room ? 2 * t->room : ROOM_FIRST;
		struct uhmm_thread *more =
			realloc(t->thread, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->thread = more;
		t->room = room;
	}
	t->thread[t->n++] = thread;
	return 0;
}

/* One more thread; one that is gone by now is none. */
static int look_at(struct uhmm_threads *t, uint32_t tid)
{
	struct uhmm_thread thread = { .tid = tid };
	void *head = NULL;
	size_t bytes;

	if (syscall(SYS_get_robust_list, tid, &head, &bytes) < 0)
		return errno == ESRCH ? 0 : -errno;
	thread.block = (uintptr_t)head;
	return add(t, thread);
}

static int list_dir(struct uhmm_threads *t, DIR *dir)
{
	struct dirent *entry;
	int err = 0;

	while (!err && (entry = readdir(dir))) {
		unsigned long tid = strtoul(entry->d_name, NULL, 10);

		if (tid)
			err = look_at(t, (uint32_t)tid);
	}
	return err;
}

int uhmm_threads_list(struct uhmm_threads *t, int pid)
{
	int saved = errno, err;
	char path[64];
	DIR *dir;

	t->n = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	err = dir ? list_dir(t, dir) : -errno;
	if (dir)
		closedir(dir);
	if (!err && !t->n)
		err = -ESRCH;
	errno = saved;
	return err == -ENOENT ? -ESRCH : err;
}

void uhmm_threads_fini(struct uhmm_threads *t)
{
	free(t->thread);
	*t = (struct uhmm_threads){ .thread = NULL };
}
