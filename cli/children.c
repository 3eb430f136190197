/* SPDX-License-Identifier: MIT */
#include "children.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct visit {
	void (*fn)(pid_t pid, int arg);
	int arg;
	pid_t except;
	size_t n;
};

static void visit(struct visit *v, pid_t pid)
{
	if (pid == v->except)
		return;
	v->n++;
	if (v->fn)
		v->fn(pid, v->arg);
}

static pid_t parent_of(const char *pid)
{
	char path[300], line[512];
	const char *after_name;
	FILE *f;
	int ppid = 0;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fgets(line, sizeof(line), f)) {
		after_name = strrchr(line, ')');
		if (!after_name ||
		    sscanf(after_name + 1, " %*c %d", &ppid) != 1)
			ppid = 0;
	}
	fclose(f);
	return ppid;
}

/* A kernel without CONFIG_PROC_CHILDREN: look at everybody. */
static void scan_proc(struct visit *v)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]) &&
		    parent_of(e->d_name) == getpid())
			visit(v, (pid_t)strtol(e->d_name, NULL, 10));
	if (d)
		closedir(d);
}

size_t cli_children_each(pid_t except, void (*fn)(pid_t pid, int arg), int arg)
{
	struct visit v = { .fn = fn, .arg = arg, .except = except };
	char path[64];
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	if (!f) {
		scan_proc(&v);
		return v.n;
	}
	while (fscanf(f, "%d", &pid) == 1)
		visit(&v, pid);
	fclose(f);
	return v.n;
}
