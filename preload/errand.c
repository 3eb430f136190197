/* SPDX-License-Identifier: MIT */
/* errand.c - the thread with an empty table, and who sends it (errand.h) */
#include "errand.h"

#include "converse.h"
#include "thread.h"

#define STACK_BYTES 32768

/* What it is to do. */
enum errand {
	NOTHING = 0,
	ASK,
	END,
};

static _Alignas(16) char stack[STACK_BYTES];

static struct {
	_Atomic uint32_t lock;		/* 1: somebody's errand is under way */
	_Atomic uint32_t tid;		/* 0: nobody is on the stack */
	_Atomic uint32_t what;		/* enum errand */
	const struct uhmm_session_ref *ref;
	struct uhmm_wire_msg *msg;
	int err;
	struct uhmm_channel ch;		/* in the thread's own table */
} errand = { .ch.own = UHMM_OWNFD_NONE };

static atomic_bool kept_out;

static void lock(void)
{
	uint32_t free = 0;

	while (!atomic_compare_exchange_strong(&errand.lock, &free, 1)) {
		uhmm_futex_wait(&errand.lock, 1);
		free = 0;
	}
}

static void unlock(void)
{
	atomic_store(&errand.lock, 0);
	uhmm_futex_wake(&errand.lock, 1);
}

/* ---- the thread; no TLS (rule 10) ---- */

static int ask(const struct uhmm_session_ref *ref, struct uhmm_wire_msg *msg)
{
	struct uhmm_channel *ch = &errand.ch;
	struct uhmm_fds got;
	int err;

	if (ch->own.fd < 0 || ch->generation != ref->generation) {
		uhmm_ownfd_close(&ch->own);
		err = uhmm_channel_join(&ch->own, ref->token, UHMM_ROLE_CALLER);
		if (err)
			return err;
		ch->generation = ref->generation;
	}
	msg->header.seq = ++ch->seq;
	err = uhmm_converse(ch->own.fd, msg, NULL, &got);
	if (err) {
		uhmm_ownfd_close(&ch->own);
		return -EIO;
	}
	uhmm_wire_close_fds(got.fd, &got.n);
	return msg->header.error;
}

static void run(void *unused)
{
	static const char name[] = "uhmm-errand";
	uint32_t what;

	(void)unused;
	(void)uhmm_sys2(SYS_prctl, PR_SET_NAME, uhmm_ptr(name));
	uhmm_thread_keep_only(-1, -1);
	for (;;) {
		while ((what = atomic_load(&errand.what)) == NOTHING)
			uhmm_futex_wait(&errand.what, NOTHING);
		if (what == END)
			return;
		errand.err = ask(errand.ref, errand.msg);
		atomic_store(&errand.what, NOTHING);
		uhmm_futex_wake(&errand.what, INT_MAX);
	}
}

/* ---- who sends it ---- */

/* The kernel's wake at thread exit is not a private one. */
static void await_end(void)
{
	uint32_t tid;

	while ((tid = atomic_load(&errand.tid)) != 0)
		(void)uhmm_sys4(SYS_futex, uhmm_ptr(&errand.tid), FUTEX_WAIT,
				tid, 0);
}

static bool have_thread(void)
{
	if (atomic_load(&errand.tid))
		return true;
	if (atomic_load(&kept_out))
		return false;
	errand.ch.own = (struct uhmm_ownfd)UHMM_OWNFD_NONE;
	return uhmm_thread_start(stack + STACK_BYTES, &errand.tid, run,
				 NULL) > 0;
}

static void give(enum errand what)
{
	atomic_store(&errand.what, what);
	uhmm_futex_wake(&errand.what, INT_MAX);
}

int uhmm_errand_run(const struct uhmm_session_ref *ref,
		    struct uhmm_wire_msg *msg)
{
	int err = -EMFILE;

	lock();
	if (have_thread()) {
		errand.ref = ref;
		errand.msg = msg;
		give(ASK);
		while (atomic_load(&errand.what) == ASK)
			uhmm_futex_wait(&errand.what, ASK);
		err = errand.err;
	}
	unlock();
	return err;
}

void uhmm_errand_keep_out(void)
{
	atomic_store(&kept_out, true);
}

void uhmm_errand_end(void)
{
	lock();
	if (atomic_load(&errand.tid)) {
		give(END);
		await_end();
		atomic_store(&errand.what, NOTHING);
	}
	unlock();
}

bool uhmm_errand_runs(void)
{
	return atomic_load(&errand.tid) != 0;
}

bool uhmm_errand_is(long tid)
{
	return atomic_load(&errand.tid) == (uint32_t)tid;
}

void uhmm_errand_forget(void)
{
	atomic_store(&errand.lock, 0);
	atomic_store(&errand.tid, 0);
	atomic_store(&errand.what, NOTHING);
}
