/* SPDX-License-Identifier: MIT */
/* trap.c - the handler in front of the program's (trap.h)
 *
 * No TLS but for one counter; no libc at all.
 */
#include "trap.h"

#include <ucontext.h>

#include "rearm.h"
#include "request.h"
#include "sigmask.h"

enum state {
	OFF = 0,
	SETTING,
	ON,
};

/* Of the program's action for SIGSEGV: one writer, readers look twice. */
struct seen {
	_Atomic uint32_t writing;	/* a lock; signals are blocked */
	_Atomic uint32_t version;	/* odd: being written */
	struct uhmm_ksig act;
};

static struct {
	_Atomic uint32_t state;		/* enum state */
	_Atomic uint32_t plain;		/* calls under way that know no trap */
	_Atomic uint32_t pid;
	_Atomic uint32_t pending;	/* 1: a SIGSEGV that was sent */
	siginfo_t pending_info;
	struct seen seen;
} trap;

/* ---- what the program has set ---- */

static void lock_seen(void)
{
	uint32_t free = 0;

	while (!atomic_compare_exchange_strong(&trap.seen.writing, &free, 1)) {
		uhmm_futex_wait(&trap.seen.writing, 1);
		free = 0;
	}
}

static void unlock_seen(void)
{
	atomic_store(&trap.seen.writing, 0);
	uhmm_futex_wake(&trap.seen.writing, 1);
}

static void write_seen(const struct uhmm_ksig *act)
{
	atomic_fetch_add(&trap.seen.version, 1);
	trap.seen.act = *act;
	atomic_fetch_add(&trap.seen.version, 1);
}

static struct uhmm_ksig read_seen(void)
{
	struct uhmm_ksig act;
	uint32_t version;

	do {
		version = atomic_load(&trap.seen.version);
		act = trap.seen.act;
		/* adds nothing, but what was read before stays before it */
	} while (version & 1 ||
		 version != atomic_fetch_add(&trap.seen.version, 0));
	return act;
}

/* ---- the program's own faults ---- */

static uint64_t *mask_of(void *context)
{
	return (uint64_t *)&((ucontext_t *)context)->uc_sigmask;
}

static void set_mask(uint64_t mask)
{
	(void)uhmm_sys4(SYS_rt_sigprocmask, SIG_SETMASK, uhmm_ptr(&mask), 0,
			sizeof(mask));
}

static void send_again(siginfo_t *info)
{
	(void)uhmm_sys4(SYS_rt_tgsigqueueinfo, uhmm_sys0(SYS_getpid),
			uhmm_sys0(SYS_gettid), SIGSEGV, uhmm_ptr(info));
}

/* As the kernel would: a fault comes again at once, and is the last. */
static void die(siginfo_t *info, bool fault)
{
	const struct uhmm_ksig act = { .handler = (uintptr_t)SIG_DFL };

	(void)uhmm_ksig_set(SIGSEGV, &act);
	if (!fault)
		send_again(info);
}

/* The first of several that were sent is kept, as of any such signal. */
static void keep_pending(const siginfo_t *info)
{
	uint32_t none = 0;

	if (!atomic_compare_exchange_strong(&trap.pending, &none, 2))
		return;
	trap.pending_info = *info;
	atomic_store(&trap.pending, 1);
}

/* Call it with the mask it would have, but for SIGSEGV, which a page of ours
 * may raise in it. */
static void call(const struct uhmm_ksig *act, int sig, siginfo_t *info,
		 void *context)
{
	uint64_t *mask = mask_of(context);
	uint64_t during = *mask | act->mask;

	if (!(act->flags & SA_NODEFER))
		during |= UHMM_SIGBIT(SIGSTKFLT);
	if (act->flags & SA_RESETHAND)
		uhmm_trap_action(&(struct uhmm_ksig){
					 .handler = (uintptr_t)SIG_DFL }, NULL);
	*mask = uhmm_sigmask_to_program(*mask);
	set_mask(during);
	uhmm_ksig_call(act, sig, info, context);
	*mask = uhmm_sigmask_guard(*mask);
}

static void pass(int sig, siginfo_t *info, void *context)
{
	struct uhmm_ksig act = read_seen();
	bool blocked = *mask_of(context) & UHMM_SIGBIT(SIGSTKFLT);
	bool fault = info->si_code > 0;
	bool ignored = act.handler == (uintptr_t)SIG_IGN;

	if (!fault && blocked)
		keep_pending(info);
	else if (act.handler == (uintptr_t)SIG_DFL ||
		 (fault && (blocked || ignored)))
		die(info, fault);
	else if (!ignored)
		call(&act, sig, info, context);
}

/* ---- ours ---- */

/* What the CPU wanted to do. */
static uint32_t access_of(void *context)
{
#if defined(__x86_64__)
	/* of the page fault's error code */
	const greg_t error =
		((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR];

	return (error & 2 ? UHMM_FAULT_WRITE : 0) |
	       (error & 16 ? UHMM_FAULT_EXEC : 0);
#elif defined(__aarch64__)
	const uint32_t magic = 0x45535201;	/* of the syndrome's record */
	const char *at = (char *)((ucontext_t *)context)->uc_mcontext.__reserved;
	uint32_t record[2];
	uint64_t esr;

	for (;; at += record[1]) {
		__builtin_memcpy(record, at, sizeof(record));
		if (record[0] == magic)
			break;
		if (!record[0] || !record[1])
			return 0;
	}
	__builtin_memcpy(&esr, at + sizeof(record), sizeof(esr));
	if (esr >> 26 == 0x20 || esr >> 26 == 0x21)
		return UHMM_FAULT_EXEC;
	return esr & 1 << 6 ? UHMM_FAULT_WRITE : 0;
#else
#error "trap.c: write access_of() for this architecture"
#endif
}

/* An access that the mapping allows, where nothing is of ours, is tried again,
 * for a page may have come back; but not for ever. */
#define TRIES 256

static bool try_again(uintptr_t addr)
{
	static __thread uintptr_t last;
	static __thread unsigned int times;

	times = addr == last ? times + 1 : 1;
	last = addr;
	return times < TRIES;
}

static bool is_ours(const siginfo_t *info, void *context)
{
	struct uhmm_wire_msg msg;

	if (info->si_code != SEGV_ACCERR)
		return false;
	uhmm_wire_init(&msg, UHMM_WIRE_fault, 0, false);
	msg.body.fault.addr = (uintptr_t)info->si_addr;
	msg.body.fault.access = access_of(context);
	if (uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED))
		return false;
	if (msg.body.fault_reply.ours == UHMM_FAULT_NOTHING)
		return try_again((uintptr_t)info->si_addr);
	return msg.body.fault_reply.ours;
}

static void on_segv(int sig, siginfo_t *info, void *context)
{
	if (!is_ours(info, context))
		pass(sig, info, context);
}

/* Where the program has a handler ours runs on the stack, and restarts system
 * calls, as that would. */
static long install(const struct uhmm_ksig *act, struct uhmm_ksig *old)
{
	const unsigned long kept = SA_ONSTACK | SA_RESTART;
	unsigned long flags = act && uhmm_ksig_is_function(act) ?
				      act->flags & kept :
				      kept;

	return uhmm_ksig_install(SIGSEGV, on_segv, flags | SA_NODEFER, old);
}

void uhmm_trap_action(const struct uhmm_ksig *act, struct uhmm_ksig *old)
{
	struct uhmm_sigmask saved = uhmm_signals_block();

	lock_seen();
	if (old)
		*old = trap.seen.act;
	if (act) {
		write_seen(act);
		(void)install(act, NULL);
	}
	unlock_seen();
	uhmm_signals_restore(saved);
}

void uhmm_trap_unblocked(void)
{
	uint32_t one = 1;
	siginfo_t info = trap.pending_info;

	if (atomic_compare_exchange_strong(&trap.pending, &one, 0))
		send_again(&info);
}

bool uhmm_trap_pending(void)
{
	return atomic_load(&trap.pending) == 1;
}

/* ---- setting it ---- */

bool uhmm_trap_is_set(void)
{
	return atomic_load_explicit(&trap.state, memory_order_relaxed) != OFF;
}

bool uhmm_trap_plain(void)
{
	atomic_fetch_add(&trap.plain, 1);
	if (atomic_load(&trap.state) == OFF)
		return true;
	uhmm_trap_plain_end();
	while (atomic_load(&trap.state) == SETTING)
		uhmm_futex_wait(&trap.state, SETTING);
	return false;
}

void uhmm_trap_plain_end(void)
{
	if (atomic_fetch_sub(&trap.plain, 1) == 1 &&
	    atomic_load(&trap.state) == SETTING)
		uhmm_futex_wake(&trap.plain, INT_MAX);
}

/* A signal handler may have interrupted such a call and be what asks now: so
 * patience ends. */
static void wait_for_plain(void)
{
	const struct timespec ms = { 0, 1000000 };
	uint32_t seen;

	for (int i = 0; i < 200 && (seen = atomic_load(&trap.plain)); i++)
		(void)uhmm_sys4(SYS_futex, uhmm_ptr(&trap.plain),
				FUTEX_WAIT_PRIVATE, seen, uhmm_ptr(&ms));
}

/* The handlers of other signals must not block SIGSEGV either. */
static void guard_handlers(void)
{
	struct uhmm_ksig act;

	for (int sig = 1; sig <= 64; sig++) {
		if (sig == SIGSEGV || uhmm_ksig_get(sig, &act) < 0 ||
		    !(act.mask & UHMM_SIGBIT(SIGSEGV)))
			continue;
		act.mask = uhmm_sigmask_guard(act.mask);
		(void)uhmm_ksig_set(sig, &act);
	}
}

void uhmm_trap_set(void)
{
	uint32_t off = OFF;
	struct uhmm_ksig old;

	if (!atomic_compare_exchange_strong(&trap.state, &off, SETTING))
		return;
	atomic_store(&trap.pid, (uint32_t)uhmm_sys0(SYS_getpid));
	wait_for_plain();
	(void)uhmm_ksig_get(SIGSEGV, &old);
	old.mask = uhmm_sigmask_guard(old.mask);
	write_seen(&old);
	(void)install(&old, NULL);
	guard_handlers();
	uhmm_rearm_threads();
	atomic_store(&trap.state, ON);
	uhmm_futex_wake(&trap.state, INT_MAX);
}

void uhmm_trap_forked(void)
{
	atomic_store(&trap.plain, 0);
	atomic_store(&trap.seen.writing, 0);
	if (atomic_load(&trap.seen.version) & 1)
		atomic_fetch_add(&trap.seen.version, 1);
	atomic_store(&trap.pending, 0);
	atomic_store(&trap.pid, (uint32_t)uhmm_sys0(SYS_getpid));
	if (atomic_load(&trap.state) == SETTING)
		atomic_store(&trap.state, OFF);
}

bool uhmm_trap_is_owner(void)
{
	return atomic_load(&trap.pid) == (uint32_t)uhmm_sys0(SYS_getpid);
}
