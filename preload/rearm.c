/* SPDX-License-Identifier: MIT */
/* rearm.c - ask other threads to unblock SIGSEGV (rearm.h) */
#include "rearm.h"

#include <dirent.h>
#include <ucontext.h>

#include "agent.h"
#include "errand.h"
#include "ksig.h"
#include "sigmask.h"

/* SIGSETXID of glibc and musl's SIGCANCEL: neither lets a program block it. */
#define MESSENGER 33

/* How often all threads are looked at, and how long apart. */
#define ROUNDS_MAX 200
#define ROUND_NS 1000000
/* Rounds for threads that cannot get a signal now: they have all blocked, for a
 * moment, and will look by themselves, or never. */
#define ROUNDS_DEAF 10

#define NAME_BYTES 32

static struct uhmm_ksig libcs;

/* So that it is known for ours: a value no other sender has. */
static const char message;

static bool is_message(const siginfo_t *info)
{
	return info->si_code == SI_QUEUE && info->si_ptr == &message;
}

static void on_message(int sig, siginfo_t *info, void *context)
{
	sigset_t *set = &((ucontext_t *)context)->uc_sigmask;

	if (is_message(info))
		uhmm_sigset_put(set, uhmm_sigmask_guard(uhmm_sigset_get(set)));
	else if (uhmm_ksig_is_function(&libcs))
		uhmm_ksig_call(&libcs, sig, info, context);
}

/* ---- what a thread has blocked ---- */

/* Append @text to @path at @at. */
static size_t put(char *path, size_t at, const char *text)
{
	while (*text && at < NAME_BYTES * 2 - 1)
		path[at++] = *text++;
	path[at] = '\0';
	return at;
}

static uint64_t hex_after(const char *text, const char *key)
{
	uint64_t value = 0;
	size_t i;

	for (; *text; text++) {
		for (i = 0; key[i] && text[i] == key[i]; i++)
			;
		if (!key[i])
			break;
	}
	if (!*text)
		return 0;
	for (text += i; *text && *text != '\n'; text++) {
		if (*text >= '0' && *text <= '9')
			value = value << 4 | (uint64_t)(*text - '0');
		else if (*text >= 'a' && *text <= 'f')
			value = value << 4 | (uint64_t)(*text - 'a' + 10);
	}
	return value;
}

/* Signals of one thread; nothing when it is not there any more. */
struct signals {
	uint64_t blocked;
	uint64_t pending;	/* sent to it alone */
};

static struct signals signals_of(const char *name)
{
	struct signals none = { 0, 0 };
	char path[NAME_BYTES * 2], text[2048];
	long fd, n;

	(void)put(path, put(path, put(path, 0, "/proc/self/task/"), name),
		  "/status");
	fd = uhmm_sys4(SYS_openat, AT_FDCWD, uhmm_ptr(path),
		       O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return none;
	n = uhmm_sys3(SYS_read, fd, uhmm_ptr(text), sizeof(text) - 1);
	(void)uhmm_sys1(SYS_close, fd);
	text[n > 0 ? n : 0] = '\0';
	return (struct signals){ hex_after(text, "SigBlk:\t"),
				 hex_after(text, "SigPnd:\t") };
}

/* ---- all of them ---- */

struct round {
	unsigned int asked;	/* threads that can hear us and have not yet */
	unsigned int deaf;
};

static void look_at(const char *name, struct round *round)
{
	siginfo_t info = { .si_signo = MESSENGER };
	struct signals of;
	long tid = 0;

	for (const char *p = name; *p; p++) {
		if (*p < '0' || *p > '9')
			return;
		tid = tid * 10 + (*p - '0');
	}
	if (tid == uhmm_sys0(SYS_gettid) || uhmm_agent_is(tid) ||
	    uhmm_errand_is(tid))
		return;
	of = signals_of(name);
	if (!(of.blocked & UHMM_SIGBIT(SIGSEGV)))
		return;
	if (of.blocked & UHMM_SIGBIT(MESSENGER)) {
		round->deaf++;
		return;
	}
	round->asked++;
	if (of.pending & UHMM_SIGBIT(MESSENGER))
		return;
	info.si_code = SI_QUEUE;
	info.si_ptr = (void *)(uintptr_t)&message;
	(void)uhmm_sys4(SYS_rt_tgsigqueueinfo, uhmm_sys0(SYS_getpid), tid,
			MESSENGER, uhmm_ptr(&info));
}

struct entry {		/* struct linux_dirent64 */
	uint64_t ino;
	int64_t offset;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

static struct round look_at_all(void)
{
	static const char path[] = "/proc/self/task";
	_Alignas(struct entry) char buf[1024] = { 0 };
	struct round round = { 0, 0 };
	long fd = uhmm_sys4(SYS_openat, AT_FDCWD, uhmm_ptr(path),
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	long n;

	if (fd < 0)
		return round;
	while ((n = uhmm_sys3(SYS_getdents64, fd, uhmm_ptr(buf),
			      sizeof(buf))) > 0) {
		for (long at = 0; at < n;) {
			const struct entry *e = (struct entry *)(buf + at);

			look_at(e->name, &round);
			at += e->bytes;
		}
	}
	(void)uhmm_sys1(SYS_close, fd);
	return round;
}

void uhmm_rearm_threads(void)
{
	const struct timespec nap = { 0, ROUND_NS };
	struct round round;

	if (uhmm_ksig_install(MESSENGER, on_message, SA_ONSTACK | SA_RESTART,
			      &libcs) < 0)
		return;
	round = look_at_all();
	for (int i = 0; i < ROUNDS_MAX && (round.asked || round.deaf); i++) {
		if (i > ROUNDS_DEAF && !round.asked)
			break;
		(void)uhmm_sys2(SYS_nanosleep, uhmm_ptr(&nap), 0);
		round = look_at_all();
	}
	/* who has not heard yet must not meet another handler */
	if (!round.asked)
		(void)uhmm_ksig_set(MESSENGER, &libcs);
}
