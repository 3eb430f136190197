/* SPDX-License-Identifier: MIT */
/* lockup.c - what a filter permits, and what follows (lockup.h) */
#include "lockup.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include "agent.h"
#include "errand.h"
#include "request.h"
#include "session.h"
#include "vmcalls.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "lockup.c: which AUDIT_ARCH is this?"
#endif

__thread bool uhmm_thread_is_locked_up;
atomic_bool uhmm_all_are_locked_up;

/* ---- the filter's answer ---- */

struct machine {
	uint32_t a, x;
	uint32_t mem[BPF_MEMWORDS];
	const struct seccomp_data *data;
};

/* The word at @at of what the filter looks at. */
static uint32_t load(const struct seccomp_data *data, uint32_t at)
{
	uint32_t word = 0;
	const char *from = (const char *)data;

	if (at <= sizeof(*data) - sizeof(word))
		__builtin_memcpy(&word, from + at, sizeof(word));
	return word;
}

static uint32_t operate(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return b < 32 ? a << b : 0;
	case BPF_RSH:
		return b < 32 ? a >> b : 0;
	default: /* BPF_NEG */
		return -a;
	}
}

/* How many instructions are skipped. */
static uint32_t jump(const struct sock_filter *in, uint32_t a, uint32_t b)
{
	bool yes;

	switch (BPF_OP(in->code)) {
	case BPF_JA:
		return in->k;
	case BPF_JEQ:
		yes = a == b;
		break;
	case BPF_JGT:
		yes = a > b;
		break;
	case BPF_JGE:
		yes = a >= b;
		break;
	default: /* BPF_JSET */
		yes = a & b;
		break;
	}
	return yes ? in->jt : in->jf;
}

/* What BPF_LD and BPF_LDX load. */
static uint32_t value(const struct machine *m, const struct sock_filter *in)
{
	switch (BPF_MODE(in->code)) {
	case BPF_ABS:
		return load(m->data, in->k);
	case BPF_LEN:
		return sizeof(*m->data);
	case BPF_MEM:
		return m->mem[in->k % BPF_MEMWORDS];
	default: /* BPF_IMM */
		return in->k;
	}
}

/* One instruction that does not end it. Return: how many are skipped */
static uint32_t step(struct machine *m, const struct sock_filter *in)
{
	uint32_t b = BPF_SRC(in->code) == BPF_X ? m->x : in->k;

	switch (BPF_CLASS(in->code)) {
	case BPF_LD:
		m->a = value(m, in);
		break;
	case BPF_LDX:
		m->x = value(m, in);
		break;
	case BPF_ST:
		m->mem[in->k % BPF_MEMWORDS] = m->a;
		break;
	case BPF_STX:
		m->mem[in->k % BPF_MEMWORDS] = m->x;
		break;
	case BPF_ALU:
		m->a = operate(BPF_OP(in->code), m->a, b);
		break;
	case BPF_JMP:
		return jump(in, m->a, b);
	default: /* BPF_MISC */
		if (BPF_MISCOP(in->code) == BPF_TAX)
			m->x = m->a;
		else
			m->a = m->x;
		break;
	}
	return 0;
}

/* It goes forward only, so it ends. */
static uint32_t answer(const struct sock_fprog *filter,
		       const struct seccomp_data *data)
{
	struct machine m = { .data = data };
	uint64_t at;

	for (at = 0; at < filter->len; at++) {
		const struct sock_filter *in = &filter->filter[at];

		if (BPF_CLASS(in->code) == BPF_RET)
			return BPF_RVAL(in->code) == BPF_A ? m.a : in->k;
		at += step(&m, in);
	}
	return SECCOMP_RET_ALLOW;
}

static uint32_t says(const struct sock_fprog *filter, int nr)
{
	const struct seccomp_data data = { .nr = nr, .arch = ARCH };

	return answer(filter, &data) & SECCOMP_RET_ACTION_FULL;
}

static bool permits(const struct sock_fprog *filter, int nr)
{
	uint32_t action = says(filter, nr);

	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

/* May the call be made, though it may fail? */
static bool bears(const struct sock_fprog *filter, int nr)
{
	return permits(filter, nr) || says(filter, nr) == SECCOMP_RET_ERRNO;
}

bool uhmm_lockup_permits(const struct sock_fprog *filter)
{
	/* of a request, its channel, and hands */
	static const int ours[] = {
		SYS_sendmsg, SYS_recvmsg, SYS_socket, SYS_connect,
		SYS_getsockopt, SYS_getpeername, SYS_fcntl, SYS_close,
		SYS_getcpu, SYS_rt_sigprocmask, SYS_futex, SYS_ioctl,
		SYS_madvise, SYS_mprotect, SYS_mmap, SYS_sched_yield,
	};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!permits(filter, ours[i]))
			return false;
	/* without these it is done in another way */
	return bears(filter, SYS_process_vm_readv) &&
	       bears(filter, SYS_getpid);
}

/* ---- what follows ---- */

/* Is there anything mapped? */
static bool is_there(unsigned long addr, size_t bytes)
{
	const uintptr_t page = getauxval(AT_PAGESZ);
	uintptr_t first = addr & ~(page - 1);
	unsigned char vec[BPF_MAXINSNS * sizeof(struct sock_filter) / 4096 + 2];

	return uhmm_sys3(SYS_mincore, (long)first, (long)(addr + bytes - first),
			 uhmm_ptr(vec)) == 0;
}

/* The filter at @addr; NULL: there is none. Who only wants to know whether there
 * are filters gives no address. */
static const struct sock_fprog *filter_at(unsigned long addr)
{
	const struct sock_fprog *filter = (const struct sock_fprog *)addr;

	if (!is_there(addr, sizeof(*filter)) || !filter->len ||
	    filter->len > BPF_MAXINSNS ||
	    !is_there((uintptr_t)filter->filter,
		      filter->len * sizeof(filter->filter[0])))
		return NULL;
	return filter;
}

/* But for threads of ours. The kernel counts threads in the links of their folder. */
static bool is_alone(void)
{
	struct stat st = { .st_nlink = 0 };

	return uhmm_sys4(SYS_newfstatat, AT_FDCWD, uhmm_ptr("/proc/self/task"),
			 uhmm_ptr(&st), 0) == 0 &&
	       st.st_nlink <= 3u + uhmm_session_exists() + uhmm_errand_runs();
}

static bool forbids(unsigned long mode, unsigned long addr)
{
	const struct sock_fprog *filter;

	if (mode != SECCOMP_MODE_FILTER)
		return mode == SECCOMP_MODE_STRICT;
	filter = filter_at(addr);
	return filter && !uhmm_lockup_permits(filter);
}

enum uhmm_lockup uhmm_lockup_begin(unsigned long mode, unsigned long filter,
				   bool all)
{
	enum uhmm_lockup what = UHMM_LOCKUP_NOTHING;

	uhmm_errand_keep_out();
	if (forbids(mode, filter))
		what = all || is_alone() ? UHMM_LOCKUP_ALL : UHMM_LOCKUP_THREAD;
	if (what == UHMM_LOCKUP_ALL)
		uhmm_session_leave();
	else if (what == UHMM_LOCKUP_THREAD)
		uhmm_vm_locked();
	if (what == UHMM_LOCKUP_ALL)
		atomic_store(&uhmm_all_are_locked_up, true);
	uhmm_thread_is_locked_up = what != UHMM_LOCKUP_NOTHING;
	return what;
}

enum uhmm_lockup uhmm_lockup_begin_call(const long arg[3])
{
	switch (arg[0]) {
	case SECCOMP_SET_MODE_STRICT:
		return uhmm_lockup_begin(SECCOMP_MODE_STRICT, 0, false);
	case SECCOMP_SET_MODE_FILTER:
		return uhmm_lockup_begin(SECCOMP_MODE_FILTER,
					 (unsigned long)arg[2],
					 arg[1] & SECCOMP_FILTER_FLAG_TSYNC);
	default:
		return UHMM_LOCKUP_NOTHING;
	}
}

void uhmm_lockup_end(enum uhmm_lockup what, bool set)
{
	if (set || what == UHMM_LOCKUP_NOTHING)
		return;
	atomic_store(&uhmm_all_are_locked_up, false);
	uhmm_thread_is_locked_up = false;
}
