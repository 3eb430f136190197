/* SPDX-License-Identifier: MIT */
/*
 * watchdog.c - run a command, let nothing of it outlive the time it has
 *
 * Usage: watchdog SECONDS COMMAND ARG...
 *
 * Theory of operation
 *
 * A test of a pager can hang in every way there is: a thread that waits for
 * a fault nobody serves, a daemon that lost its program, a process in a group
 * or session of its own. So the watchdog becomes the subreaper: whatever its
 * command starts is its descendant for ever, and the set of descendants, found
 * by the parent links in /proc, is exactly what it may kill, by pid.
 *
 * When time is up it first says where every thread stands (state, wait
 * channel), which is what one wants to know of a hang, then kills. When the
 * command ends in time but leaves processes behind, they get GRACE_MS to go;
 * what stays is killed and reported as a failure of its own.
 *
 * Exit status: the command's (128+signal); 124 time is up; 123 processes were
 * left behind by a command that succeeded; 126, 127 as a shell.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROCS 4096
#define GRACE_MS 2000	/* for what outlives the command */
#define KILL_MS 5000	/* for SIGKILL to take effect */
#define STEP_MS 20

enum { EXIT_TIMEOUT = 124, EXIT_LEFT = 123, EXIT_NOEXEC = 126, EXIT_NOENT = 127 };

struct proc {
	pid_t pid;
	pid_t ppid;
	char state;
	bool dead;	/* a zombie; not one whose other threads live on */
	char comm[64];
	bool ours;
};

struct procs {
	struct proc p[MAX_PROCS];
	size_t n;
};

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The first line of a file of /proc, without its newline; "" if unreadable. */
static void read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");

	buf[0] = '\0';
	if (!f)
		return;
	if (!fgets(buf, (int)size, f))
		buf[0] = '\0';
	fclose(f);
	buf[strcspn(buf, "\n")] = '\0';
}

static bool read_proc(const char *pid, struct proc *out)
{
	char path[300], line[512];
	char *open_paren, *close_paren;
	int ppid, nthreads;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	read_line(path, line, sizeof(line));
	open_paren = strchr(line, '(');
	close_paren = strrchr(line, ')');
	if (!open_paren || !close_paren)
		return false;
	*close_paren = '\0';
	if (sscanf(close_paren + 1,
		   " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u"
		   " %*d %*d %*d %*d %d",
		   &out->state, &ppid, &nthreads) != 3)
		return false;
	out->dead = out->state == 'Z' && nthreads <= 1;
	out->pid = atoi(pid);
	out->ppid = ppid;
	out->ours = false;
	snprintf(out->comm, sizeof(out->comm), "%s", open_paren + 1);
	return true;
}

static void read_procs(struct procs *all)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	all->n = 0;
	if (!d)
		return;
	while ((e = readdir(d)) && all->n < MAX_PROCS)
		if (isdigit((unsigned char)e->d_name[0]) &&
		    read_proc(e->d_name, &all->p[all->n]))
			all->n++;
	closedir(d);
}

static bool is_ours(const struct procs *all, pid_t pid)
{
	if (pid == getpid())
		return true;
	for (size_t i = 0; i < all->n; i++)
		if (all->p[i].pid == pid)
			return all->p[i].ours;
	return false;
}

/* Mark our descendants, zombies excepted. Return: how many. */
static size_t find_ours(struct procs *all)
{
	size_t alive = 0;
	bool again = true;

	read_procs(all);
	while (again) {
		again = false;
		for (size_t i = 0; i < all->n; i++) {
			struct proc *p = &all->p[i];

			if (p->ours || !is_ours(all, p->ppid))
				continue;
			p->ours = again = true;
		}
	}
	for (size_t i = 0; i < all->n; i++) {
		if (all->p[i].dead)
			all->p[i].ours = false;
		alive += all->p[i].ours;
	}
	return alive;
}

static void report_thread(pid_t pid, const char *tid)
{
	char path[300], wchan[128], syscall_line[256];
	char full[64];
	struct proc t;

	snprintf(full, sizeof(full), "%d/task/%.16s", pid, tid);
	if (!read_proc(full, &t))
		return;
	snprintf(path, sizeof(path), "/proc/%s/wchan", full);
	read_line(path, wchan, sizeof(wchan));
	snprintf(path, sizeof(path), "/proc/%s/syscall", full);
	read_line(path, syscall_line, sizeof(syscall_line));
	fprintf(stderr, "watchdog:   thread %s (%s) state %c in %s, syscall %s\n",
		tid, t.comm, t.state, wchan[0] ? wchan : "?",
		syscall_line[0] ? syscall_line : "?");
}

static void report(const struct procs *all)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct proc *p = &all->p[i];
		char path[64];
		struct dirent *e;
		DIR *d;

		if (!p->ours)
			continue;
		fprintf(stderr, "watchdog: pid %d (%s), parent %d\n", p->pid,
			p->comm, p->ppid);
		snprintf(path, sizeof(path), "/proc/%d/task", p->pid);
		d = opendir(path);
		while (d && (e = readdir(d)))
			if (isdigit((unsigned char)e->d_name[0]))
				report_thread(p->pid, e->d_name);
		if (d)
			closedir(d);
	}
}

static void nap(void)
{
	struct timespec ts = { .tv_nsec = STEP_MS * 1000000L };

	nanosleep(&ts, NULL);
}

/* Reap what is there; remember how @child ended. */
static void reap(pid_t child, int *status, bool *ended)
{
	int st;
	pid_t pid;

	while ((pid = waitpid(-1, &st, WNOHANG)) > 0) {
		if (pid != child)
			continue;
		*status = st;
		*ended = true;
	}
}

/* Kill our descendants until none is left. Return: how many resist. */
static size_t kill_ours(struct procs *all, pid_t child, int *status, bool *ended)
{
	long until = now_ms() + KILL_MS;
	size_t left;

	while ((left = find_ours(all)) > 0 && now_ms() < until) {
		for (size_t i = 0; i < all->n; i++)
			if (all->p[i].ours)
				kill(all->p[i].pid, SIGKILL);
		nap();
		reap(child, status, ended);
	}
	if (left) {
		fprintf(stderr, "watchdog: these do not die of SIGKILL:\n");
		report(all);
	}
	return left;
}

/* Return: true if descendants were left behind, which are now dead. */
static bool end_leftovers(struct procs *all, pid_t child)
{
	long until = now_ms() + GRACE_MS;
	bool ended;
	int status;

	while (find_ours(all) > 0 && now_ms() < until) {
		nap();
		reap(child, &status, &ended);
	}
	if (!find_ours(all))
		return false;
	fprintf(stderr, "watchdog: the command ended and left behind:\n");
	report(all);
	kill_ours(all, child, &status, &ended);
	return true;
}

static pid_t start(char **argv, const sigset_t *old_mask)
{
	pid_t child = fork();

	if (child)
		return child;
	sigprocmask(SIG_SETMASK, old_mask, NULL);
	execvp(argv[0], argv);
	fprintf(stderr, "watchdog: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? EXIT_NOENT : EXIT_NOEXEC);
}

/* Wait for @child. Return: 0; a signal that tells us to stop; -1 time is up */
static int await(int sfd, pid_t child, long until, int *status)
{
	struct pollfd pfd = { .fd = sfd, .events = POLLIN };
	struct signalfd_siginfo si;
	bool ended = false;

	for (;;) {
		long left = until - now_ms();

		reap(child, status, &ended);
		if (ended)
			return 0;
		if (left <= 0)
			return -1;
		if (poll(&pfd, 1, (int)left) <= 0)
			continue;
		if (read(sfd, &si, sizeof(si)) == sizeof(si) &&
		    si.ssi_signo != SIGCHLD)
			return (int)si.ssi_signo;
	}
}

static int open_signals(sigset_t *old_mask)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, old_mask);
	return signalfd(-1, &mask, SFD_CLOEXEC);
}

/* An emulated machine takes so many times as long. */
static long patience(void)
{
	const char *times = getenv("UHMM_TEST_PATIENCE");
	long n = times ? strtol(times, NULL, 10) : 1;

	return n < 1 || n > 100 ? 1 : n;
}

int main(int argc, char **argv)
{
	static struct procs all;
	sigset_t old_mask;
	bool ended = false;
	int sfd, why, status = 0;
	long seconds;
	pid_t child;

	seconds = argc >= 3 ? strtol(argv[1], NULL, 10) * patience() : 0;
	if (seconds <= 0 || seconds > 86400) {
		fprintf(stderr, "usage: watchdog SECONDS COMMAND ARG...\n");
		return EXIT_NOEXEC;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sfd = open_signals(&old_mask);
	child = start(argv + 2, &old_mask);
	if (sfd < 0 || child < 0) {
		fprintf(stderr, "watchdog: %s\n", strerror(errno));
		return EXIT_NOEXEC;
	}

	why = await(sfd, child, now_ms() + seconds * 1000, &status);
	if (why) {
		if (why < 0)
			fprintf(stderr, "watchdog: %ld s are up, still there:\n",
				seconds);
		find_ours(&all);
		if (why < 0)
			report(&all);
		kill_ours(&all, child, &status, &ended);
		return why < 0 ? EXIT_TIMEOUT : 128 + why;
	}
	if (end_leftovers(&all, child) && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0)
		return EXIT_LEFT;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}
