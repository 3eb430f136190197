/* SPDX-License-Identifier: MIT */
/* thread_cpu.c - by system calls and /proc/PID/task (thread_cpu.h) */
#include "thread_cpu.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room for a line of numbers. */
#define STAT_BYTES 1024
/* Fields of it, counted from one. */
#define FIELD_STATE 3
#define FIELD_FLAGS 9
#define FIELD_CPU 39
/* Of the flags: the thread ends. Kernel: PF_EXITING */
#define ENDING 0x4

bool thread_set_class(pid_t tid, int class)
{
	static const struct sched_param param;

	return sched_setscheduler(tid, class, &param) == 0;
}

bool thread_bind(pid_t tid, int cpu)
{
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	return sched_setaffinity(tid, sizeof(only), &only) == 0;
}

/* File @name of a thread's, as text. Return: there is one */
static bool read_file(uint32_t pid, uint32_t tid, const char *name, char *text,
		      size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/%s", pid, tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* @text: room for STAT_BYTES. Return: field @number in it, or NULL */
static const char *stat_field(uint32_t pid, uint32_t tid, int number, char *text)
{
	/* the second, a name, ends with the last parenthesis */
	const char *at = read_file(pid, tid, "stat", text, STAT_BYTES) ?
				 strrchr(text, ')') :
				 NULL;

	for (int field = FIELD_STATE - 1; at && field < number; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at;
}

int thread_cpu(uint32_t pid, uint32_t tid)
{
	char text[STAT_BYTES];
	const char *at = stat_field(pid, tid, FIELD_CPU, text);
	long cpu = at ? strtol(at, NULL, 10) : -1;

	return cpu < CPU_SETSIZE ? (int)cpu : -1;
}

bool thread_is_ready(uint32_t pid, uint32_t tid)
{
	char text[STAT_BYTES];
	const char *state = stat_field(pid, tid, FIELD_STATE, text);

	return state && *state == 'R';
}

bool thread_is_ending(uint32_t pid, uint32_t tid)
{
	char text[STAT_BYTES];
	const char *flags = stat_field(pid, tid, FIELD_FLAGS, text);

	return flags && (strtoul(flags, NULL, 10) & ENDING);
}

static bool is_called(uint32_t pid, uint32_t tid, const char *name)
{
	char text[32];

	if (!read_file(pid, tid, "comm", text, sizeof(text)))
		return false;
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, name);
}

pid_t thread_find(uint32_t pid, const char *name)
{
	const struct dirent *entry;
	char path[64];
	pid_t found = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	dir = opendir(path);
	while (dir && found < 0 && (entry = readdir(dir))) {
		uint32_t tid = (uint32_t)strtoul(entry->d_name, NULL, 10);

		if (tid && is_called(pid, tid, name))
			found = (pid_t)tid;
	}
	if (dir)
		closedir(dir);
	return found;
}
