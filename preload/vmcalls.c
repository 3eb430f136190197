/* SPDX-License-Identifier: MIT */
/* vmcalls.c - what the program does to mappings (vmcalls.h) */
#include "vmcalls.h"

#include "buffer.h"
#include "device.h"
#include "devmap.h"
#include "env.h"
#include "libc.h"
#include "remap.h"
#include "request.h"
#include "session.h"
#include "trap.h"
#include "uffd_abi.h"

/* @addr and @bytes as whole pages; empty when no call can be right. */
static struct uhmm_wire_range pages_of(void *addr, size_t bytes)
{
	uintptr_t page = getauxval(AT_PAGESZ), at = (uintptr_t)addr;
	uint64_t all = (bytes + page - 1) & ~(page - 1);

	if (!bytes || all < bytes || at & (page - 1) || at + all <= at)
		return (struct uhmm_wire_range){ 0, 0 };
	return (struct uhmm_wire_range){ at, all };
}

/* ---- calls that are told of as they are ---- */

static int tell(const struct uhmm_vm_call *call, enum uhmm_phase phase,
		bool done)
{
	struct uhmm_wire_msg msg;

	uhmm_wire_init(&msg, UHMM_WIRE_vmcall, 0, false);
	msg.body.vmcall.addr = call->range.addr;
	msg.body.vmcall.bytes = call->range.bytes;
	msg.body.vmcall.op = call->op;
	msg.body.vmcall.phase = phase;
	msg.body.vmcall.done = done;
	msg.body.vmcall.to = call->to.addr;
	msg.body.vmcall.to_bytes = call->to.bytes;
	return uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED);
}

/* With no fences there is nothing to be told of, but that a policy may be at
 * work while pages are to be moved that must be one mapping. */
static bool is_untold(const struct uhmm_vm_call *call, enum uhmm_vmcall_op op)
{
	return call->plain && !(op == UHMM_VMCALL_REMAP && uhmm_env_attach());
}

/* A handler of the program's that ran in between could ask for what the daemon
 * holds back until we are done. */
void uhmm_vm_begin(struct uhmm_vm_call *call, void *addr, size_t bytes,
		   enum uhmm_vmcall_op op)
{
	call->op = 0;
	call->to = (struct uhmm_wire_range){ 0, 0 };
	call->plain = uhmm_trap_plain();
	call->range = pages_of(addr, bytes);
	if (is_untold(call, op) || !call->range.bytes)
		return;
	call->old = uhmm_signals_block();
	call->op = op;
	if (tell(call, UHMM_PHASE_BEFORE, false)) {
		call->op = 0;
		uhmm_signals_restore(call->old);
	}
}

void uhmm_vm_end(struct uhmm_vm_call *call, bool done)
{
	if (call->plain)
		uhmm_trap_plain_end();
	if (!call->op)
		return;
	(void)!tell(call, UHMM_PHASE_AFTER, done);
	uhmm_signals_restore(call->old);
}

int uhmm_vm_unmap(void *addr, size_t bytes)
{
	struct uhmm_vm_call call;
	int ret;

	uhmm_vm_begin(&call, addr, bytes, UHMM_VMCALL_UNMAP);
	ret = libc_munmap(addr, bytes);
	uhmm_vm_end(&call, ret == 0);
	return ret;
}

/* What follows the pages is mapped where the kernel puts it, or in the place of
 * something else. */
void *uhmm_vm_remap(void *old, size_t old_bytes, size_t new_bytes, int flags,
		    void *to)
{
	struct uhmm_vm_call from, over = { .op = 0 };
	struct uhmm_sigmask mask;
	size_t part;
	void *ret;

	uhmm_vm_begin(&from, old, old_bytes, UHMM_VMCALL_REMAP);
	if (!from.plain && (flags & MREMAP_FIXED))
		uhmm_vm_begin(&over, to, new_bytes, UHMM_VMCALL_UNMAP);
	part = uhmm_device_before_remap(old, old_bytes);
	if (part) {
		mask = uhmm_signals_block();
		ret = uhmm_remap(old, old_bytes, new_bytes, flags, to, part);
		uhmm_signals_restore(mask);
	} else {
		ret = libc_mremap(old, old_bytes, new_bytes, flags, to);
	}
	uhmm_vm_end(&over, ret != MAP_FAILED);
	if (ret != MAP_FAILED && ret != old)
		from.to = pages_of(ret, old_bytes < new_bytes ? old_bytes :
								new_bytes);
	uhmm_vm_end(&from, ret != MAP_FAILED);
	return ret;
}

/* ---- brk ---- */

/* The end of the heap: what the kernel has, whatever libc remembers. */
static uintptr_t heap_end(void)
{
	return (uintptr_t)uhmm_sys1(SYS_brk, 0);
}

static uintptr_t up_to_page(uintptr_t addr)
{
	uintptr_t page = getauxval(AT_PAGESZ);

	return (addr + page - 1) & ~(page - 1);
}

/* The heap is to end at @end: if that is below its end, pages go. */
static void begin_brk(struct uhmm_vm_call *call, uintptr_t end)
{
	uintptr_t now = up_to_page(heap_end());

	end = up_to_page(end);
	uhmm_vm_begin(call, (void *)end, end < now ? now - end : 0,
		      UHMM_VMCALL_UNMAP);
}

int uhmm_vm_brk(void *end)
{
	struct uhmm_vm_call call;
	int ret;

	begin_brk(&call, (uintptr_t)end);
	ret = libc_brk(end);
	uhmm_vm_end(&call, ret == 0);
	return ret;
}

void *uhmm_vm_sbrk(intptr_t by)
{
	struct uhmm_vm_call call;
	void *ret;

	begin_brk(&call, heap_end() + (uintptr_t)by);
	ret = libc_sbrk(by);
	uhmm_vm_end(&call, ret != (void *)-1);
	return ret;
}

/* ---- madvise ---- */

static int drop(void *addr, size_t bytes, int advice)
{
	struct uhmm_vm_call call;
	bool done;
	int ret;

	uhmm_vm_begin(&call, addr, bytes, UHMM_VMCALL_DROP);
	ret = libc_madvise(addr, bytes, advice);
	/* holes are complained of, and what is around them dropped */
	done = ret == 0 || errno == ENOMEM;
	uhmm_vm_end(&call, done);
	if (done && advice != MADV_REMOVE)
		uhmm_devmap_dropped(addr, bytes);
	return ret;
}

int uhmm_vm_advise(void *addr, size_t bytes, int advice)
{
	int real = advice, ret;
	bool told;

	if (advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED ||
	    advice == MADV_REMOVE)
		return drop(addr, bytes, advice);
	if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
		uhmm_buffer_bring(addr, bytes, advice == MADV_POPULATE_WRITE);
	told = uhmm_device_before_advise(addr, bytes, &real);
	ret = libc_madvise(addr, bytes, real);
	if (told)
		uhmm_device_after_advise(addr, bytes, advice);
	return ret;
}

/* ---- mprotect ---- */

static int plain_protect(void *addr, size_t bytes, int prot)
{
	struct uhmm_wire_range changes =
		uhmm_device_before_protect(addr, bytes, prot);
	int ret = libc_mprotect(addr, bytes, prot);

	uhmm_device_after_protect(changes, prot);
	return ret;
}

/* Ask about @r. Return: 0 with *@fence; -errno */
static int ask(struct uhmm_wire_range r, int prot, enum uhmm_fence_phase phase,
	       struct uhmm_wire_range *fence)
{
	struct uhmm_wire_msg msg;
	int err;

	uhmm_wire_init(&msg, UHMM_WIRE_fence, 0, false);
	msg.body.fence.addr = r.addr;
	msg.body.fence.bytes = r.bytes;
	msg.body.fence.prot = (uint32_t)prot;
	msg.body.fence.phase = phase;
	err = uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED);
	*fence = msg.body.fence_reply.fence;
	return err;
}

static int change(uint64_t from, uint64_t to, int prot)
{
	return from < to ? libc_mprotect((void *)from, to - from, prot) : 0;
}

/* Part by part in their order, as the kernel does it: what is guarded already
 * the daemon remembers, the rest is changed. @fence: the first that is. */
static int protect_parts(struct uhmm_wire_range r, int prot,
			 struct uhmm_wire_range fence)
{
	uint64_t end = r.addr + r.bytes;
	int err = 0;

	while (!err && fence.bytes) {
		struct uhmm_wire_range rest = { fence.addr, end - fence.addr };
		struct uhmm_wire_range done;

		if (change(r.addr, fence.addr, prot) < 0)
			return -1;
		err = ask(rest, prot, UHMM_FENCE_SET, &done);
		if (!err && !done.bytes) {
			done = fence;
			if (change(done.addr, done.addr + done.bytes, prot) < 0)
				return -1;
		}
		if (err)
			break;
		r.addr = done.addr + done.bytes;
		r.bytes = end - r.addr;
		if (!r.bytes)
			return 0;
		err = ask(r, prot, UHMM_FENCE_NEXT, &fence);
	}
	if (!err)
		return change(r.addr, end, prot);
	errno = -err;
	return -1;
}

static int guarded_protect(void *addr, size_t bytes, int prot,
			   struct uhmm_wire_range r)
{
	struct uhmm_wire_range fence, changes;
	int ret;

	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC)) {
		uhmm_buffer_bring((void *)r.addr, r.bytes, true);
		return plain_protect(addr, bytes, prot);
	}
	if (ask(r, prot, UHMM_FENCE_BEFORE, &fence))
		return plain_protect(addr, bytes, prot);
	changes = uhmm_device_before_protect(addr, bytes, prot);
	ret = protect_parts(r, prot, fence);
	uhmm_device_after_protect(changes, prot);
	(void)!ask(r, prot, UHMM_FENCE_AFTER, &fence);
	return ret;
}

int uhmm_vm_protect(void *addr, size_t bytes, int prot)
{
	struct uhmm_wire_range r = pages_of(addr, bytes);
	struct uhmm_sigmask old;
	int ret;

	if (uhmm_trap_plain()) {
		ret = plain_protect(addr, bytes, prot);
		uhmm_trap_plain_end();
		return ret;
	}
	if (!r.bytes)
		return libc_mprotect(addr, bytes, prot);
	old = uhmm_signals_block();
	ret = guarded_protect(addr, bytes, prot, r);
	uhmm_signals_restore(old);
	return ret;
}

/* ---- seccomp ---- */

/* As far as any program's memory goes. */
#define ADDRESS_BITS 47

void uhmm_vm_locked(void)
{
	const uint64_t page = getauxval(AT_PAGESZ);
	struct uhmm_wire_msg msg;

	if (!uhmm_trap_is_set())
		return;
	uhmm_wire_init(&msg, UHMM_WIRE_advise, 0, false);
	msg.body.advise.addr = page;
	msg.body.advise.bytes = (UINT64_C(1) << ADDRESS_BITS) - 2 * page;
	msg.body.advise.advice = UHMM_ADVISE_PLAIN;
	msg.body.advise.phase = UHMM_PHASE_BEFORE;
	(void)!uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED);
}
