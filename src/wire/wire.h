/* SPDX-License-Identifier: MIT */
/* wire.h - messages between a program and the daemon: layout and validation
 *
 * Theory of operation. One SEQPACKET datagram is one message: struct
 * uhmm_wire_header, then the fixed body of its id, nothing after it.
 * Descriptors travel beside it (fdpass.h); text (statistics) as a memfd. Fixed
 * widths, natural alignment, explicit zero padding, no pointers: addresses of
 * the program are uint64_t and are never dereferenced by the daemon.
 *
 * A program holds one or more channels (connected sockets) of its session. On
 * each there is at most one request under way. While it waits for the reply it
 * may get "hands" messages; it does what they say and answers them. The agent's
 * channel carries only "hands".
 *
 * No I/O here, so that the fuzzer and both sides use the same checks.
 * Errors: 0 or -errno.
 */
#ifndef UHMM_WIRE_WIRE_H
#define UHMM_WIRE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <uhmm/types.h>

#define UHMM_WIRE_MAGIC 0x6d6d6875u	/* "uhmm" */
#define UHMM_WIRE_VERSION 5u
#define UHMM_WIRE_FDS_MAX 8
#define UHMM_WIRE_RANGES_MAX 64

/** What the library calls its thread: who sees it knows, and so does the daemon. */
#define UHMM_AGENT_NAME "uhmm-agent"

/** First member of every message. */
struct uhmm_wire_header {
	uint32_t magic;
	uint16_t id;		/* from wire_msgs.def */
	uint16_t flags;		/* enum uhmm_wire_flags */
	uint32_t seq;		/* reply quotes the request's */
	union {
		int32_t error;	/* reply: 0 or -errno */
		int32_t cpu;	/* request: 1 + the CPU that it was made on, a
				 * hint; 0: not said */
	};
};

enum uhmm_wire_flags {
	UHMM_WIRE_REPLY = 1 << 0,
};

/** Names one open of a device: what the device fd carries. */
struct uhmm_wire_token {
	uint64_t word[2];
};

struct uhmm_wire_range {
	uint64_t addr;
	uint64_t bytes;
};

struct uhmm_msg_empty {
	uint64_t zero;
};

enum uhmm_role {
	UHMM_ROLE_CALLER = 1,	/* a thread's channel: requests */
	UHMM_ROLE_AGENT = 2,	/* the agent's: hands only */
};

/**
 * First message of a session. Descriptors, in this order: userfaultfd,
 * /proc/self/mem, /proc/self/pagemap, /proc/self/maps, pidfd.
 */
struct uhmm_msg_hello {
	uint32_t version;	/* UHMM_WIRE_VERSION */
	uint32_t page_bytes;
	uint32_t pid;		/* as the program sees it; a hint only */
	uint32_t flags;		/* enum uhmm_hello_flags */
	uint64_t uffd_features;	/* granted by UFFDIO_API */
	struct uhmm_wire_token parent;	/* session forked from, or 0 */
	uint64_t fork_id;	/* number of that fork; 0 with a parent: a
				 * fork that passed no hook (raw clone) */
	struct uhmm_wire_range own;	/* the library's data and the agent's
				 * stack: never to be trapped or protected */
};

enum uhmm_hello_flags {
	UHMM_HELLO_USER_MODE_ONLY = 1 << 0,	/* kernel-mode faults fail */
	UHMM_HELLO_EVENT_FORK = 1 << 1,
	UHMM_HELLO_NO_UFFD = 1 << 2,	/* none to be had: any descriptor stands
					 * in its place, here and in the reply */
	UHMM_HELLO_OWN_UFFD = 1 << 3,	/* the program has used one of its own */
};

struct uhmm_msg_hello_reply {
	uint32_t version;
	uint32_t zero;
	struct uhmm_wire_token session;	/* secret; a join quotes it */
};

/** First message of each further channel of a session. */
struct uhmm_msg_join {
	uint32_t version;
	uint32_t role;		/* enum uhmm_role */
	struct uhmm_wire_token session;
};

struct uhmm_msg_open {
	uint32_t minor;		/* N of /dev/hmm_dmirrorN, or what follows */
	uint32_t flags;		/* of open(2) */
};

/** minor of what is no device: /sys/kernel/debug/gup_test. */
#define UHMM_WIRE_MINOR_GUP_TEST 1000u

/** minor of the first device of a driver that was loaded, and how many there
 *  can be. Their names are the daemon's to tell. */
#define UHMM_WIRE_MINOR_LOADED 1100u
#define UHMM_WIRE_MINORS_LOADED 32u

struct uhmm_msg_token {
	struct uhmm_wire_token open;
};

struct uhmm_msg_ioctl {
	struct uhmm_wire_token open;
	uint64_t cmd;
	uint64_t arg;		/* address in the caller */
};

struct uhmm_msg_ioctl_reply {
	int64_t ret;		/* as ioctl(2) returns when error is 0 */
};

/**
 * mmap of a device fd. The reply carries a memory descriptor of at least @bytes
 * bytes; the program maps it from its offset 0 on, whatever @offset_bytes is,
 * and closes it. Not empty: the program refuses that itself.
 */
struct uhmm_msg_mmap {
	struct uhmm_wire_token open;
	uint64_t bytes;
	uint64_t offset_bytes;
	uint32_t prot;
	uint32_t flags;
};

/** Before the program does something to its mappings, and after it did. */
enum uhmm_phase {
	UHMM_PHASE_BEFORE = 1,
	UHMM_PHASE_AFTER = 2,
};

/**
 * mprotect. BEFORE: the reply says which part of the range changes, or nothing;
 * then AFTER comes for that part. Never sent for an empty range.
 */
struct uhmm_msg_protect {
	uint64_t addr;
	uint64_t bytes;
	uint32_t prot;
	uint32_t phase;		/* enum uhmm_phase */
};

struct uhmm_msg_protect_reply {
	struct uhmm_wire_range changes;	/* empty: nothing */
};

/** Beyond all MADV_*: another userfaultfd is to have this range. */
#define UHMM_ADVISE_YIELD 0x10000u
/** And: it is to be plain memory, for who touches it next cannot ask us. */
#define UHMM_ADVISE_PLAIN 0x10001u
/** And: a call has pinned it to read it. */
#define UHMM_ADVISE_PINNED 0x10002u

/** madvise with an advice that the kernel tells of badly or not at all. */
struct uhmm_msg_advise {
	uint64_t addr;
	uint64_t bytes;
	uint32_t advice;	/* MADV_*, UHMM_ADVISE_* */
	uint32_t phase;		/* enum uhmm_phase */
};

/** mincore has answered into @vec: pages on devices are in core, too. */
struct uhmm_msg_mincore {
	uint64_t addr;
	uint64_t bytes;
	uint64_t vec;		/* a byte per page, in the caller */
};

/** mremap of this range comes: it must be one mapping. */
struct uhmm_msg_remap {
	uint64_t addr;
	uint64_t bytes;
};

/** Of such a range, the part at its start that the kernel has as a mapping of its
 *  own and cannot make one with the rest; 0: it can, or the program has several. */
struct uhmm_msg_remap_reply {
	uint64_t part_bytes;
};

/** lseek of a device fd: the position is the open's, whoever holds the fd. */
struct uhmm_msg_seek {
	struct uhmm_wire_token open;
	int64_t offset_bytes;
	uint32_t whence;	/* of lseek(2), any value */
	uint32_t zero;
};

struct uhmm_msg_seek_reply {
	int64_t offset_bytes;	/* the new position */
};

/** What open(2) of a device fd was asked for: a socket's own are others. */
struct uhmm_msg_getfl_reply {
	uint32_t flags;
	uint32_t zero;
};

enum uhmm_fault_access {
	UHMM_FAULT_WRITE = 1 << 0,
	UHMM_FAULT_EXEC = 1 << 1,
};

/** A thread was stopped by the protection of a page (SIGSEGV). */
struct uhmm_msg_fault {
	uint64_t addr;
	uint32_t access;	/* enum uhmm_fault_access; 0: a read */
	uint32_t zero;
};

enum uhmm_fault_verdict {
	UHMM_FAULT_NOT_OURS = 0,
	UHMM_FAULT_SERVED = 1,	/* try again */
	UHMM_FAULT_NOTHING = 2,	/* nothing of ours, and allowed: try again, it
				 * may have been served a moment ago */
};

struct uhmm_msg_fault_reply {
	uint32_t ours;		/* enum uhmm_fault_verdict */
	uint32_t zero;
};

enum uhmm_vmcall_op {
	UHMM_VMCALL_UNMAP = 1,	/* munmap, or mmap in place of what is there */
	UHMM_VMCALL_DROP = 2,	/* MADV_DONTNEED and its like */
	UHMM_VMCALL_REMAP = 3,	/* mremap */
};

/**
 * A change of mappings that no event tells of. From BEFORE to AFTER no request
 * migrates in this address space.
 */
struct uhmm_msg_vmcall {
	uint64_t addr;
	uint64_t bytes;
	uint32_t op;		/* enum uhmm_vmcall_op */
	uint32_t phase;		/* enum uhmm_phase */
	uint32_t done;		/* AFTER: 1 it was done, 0 it failed */
	uint32_t zero;
	uint64_t to;		/* AFTER of a REMAP: where the range is now ... */
	uint64_t to_bytes;	/* ... as far as it has moved */
};

enum uhmm_fence_phase {
	UHMM_FENCE_BEFORE = 1,	/* of the call; as a vmcall's */
	UHMM_FENCE_AFTER = 2,
	UHMM_FENCE_NEXT = 3,	/* where is the next one? */
	UHMM_FENCE_SET = 4,	/* it is to have this protection */
};

/** mprotect of what is guarded by its protection already, part by part. */
struct uhmm_msg_fence {
	uint64_t addr;
	uint64_t bytes;
	uint32_t prot;
	uint32_t phase;		/* enum uhmm_fence_phase */
};

/** BEFORE, NEXT: the first fence of the range. SET: the range, if it was a
 *  fence and is dealt with; empty: the program must do it. */
struct uhmm_msg_fence_reply {
	struct uhmm_wire_range fence;
};

/** A system call is to use this memory, which cannot wait for us. */
struct uhmm_msg_bring {
	uint64_t addr;
	uint64_t bytes;
	uint32_t write;		/* 1: the kernel writes there */
	uint32_t zero;
};

/** A debugger cannot read this of program @pid, or write it, for it is away or
 * write-protected: bring it. */
struct uhmm_msg_peek {
	uint64_t addr;
	uint64_t bytes;
	uint32_t pid;		/* as hello has it */
	uint32_t write;		/* 0, 1 */
};

#define UHMM_WIRE_NODE_BYTES 32

/** Pull a device out. */
struct uhmm_msg_unplug {
	char node[UHMM_WIRE_NODE_BYTES];	/* in /dev; zeros behind it */
};

enum uhmm_fork_phase {
	UHMM_FORK_PREPARE = 1,	/* parent, before */
	UHMM_FORK_PARENT = 2,	/* parent, after */
};

struct uhmm_msg_fork {
	uint32_t phase;		/* enum uhmm_fork_phase */
	uint32_t zero;
	uint64_t fork_id;	/* unique in the session, never 0 */
};

enum uhmm_hands_op {
	UHMM_HANDS_ZAP = 1,		/* MADV_DONTNEED */
	UHMM_HANDS_POPULATE_READ = 2,	/* MADV_POPULATE_READ */
	UHMM_HANDS_POPULATE_WRITE = 3,	/* MADV_POPULATE_WRITE */
	UHMM_HANDS_COLLAPSE = 4,	/* MADV_COLLAPSE */
	UHMM_HANDS_RESERVE = 5,		/* an inaccessible private mapping
					 * exactly there, not inherited */
	UHMM_HANDS_SWEEP = 6,		/* drop what is there, in that */
	UHMM_HANDS_MOVE = 7,		/* UFFDIO_MOVE, from or to that. These
					 * three are for the agent only */
	UHMM_HANDS_TELL = 32,		/* nothing to the ranges: from now on
					 * tell of faults and vmcalls */
	UHMM_HANDS_GUARD = 33,		/* MADV_GUARD_INSTALL */
	UHMM_HANDS_UNGUARD = 34,	/* MADV_GUARD_REMOVE */
	UHMM_HANDS_COLD = 35,		/* MADV_COLD */
	UHMM_HANDS_COPY = 36,		/* the bytes of the first range, in what
					 * was reserved or not, to the second.
					 * Not for the agent: it may stop for a
					 * page that the agent is to bring */
	UHMM_HANDS_PROTECT = 40,	/* + PROT_*: mprotect. Tells, too. */
	UHMM_HANDS_LAST = UHMM_HANDS_PROTECT + 7,
};

/**
 * Do @op on each range, in order, until one fails. No range is empty; those
 * past @nranges are 0.
 * MOVE: the first range is made accessible first, and inaccessible at last;
 * then come pairs, whence and where to, of the same length. What is in the way
 * in what was reserved is dropped.
 * COPY: one pair. It ends without an error where a page cannot be accessed.
 */
struct uhmm_msg_hands {
	uint32_t op;		/* enum uhmm_hands_op */
	uint32_t nranges;
	struct uhmm_wire_range range[UHMM_WIRE_RANGES_MAX];
};

/** header.error is that of range[done], the one that failed. */
struct uhmm_msg_hands_reply {
	uint32_t done;		/* ranges done */
	uint32_t moved;		/* MOVE, COPY: pages, of all pairs */
};

/** Any message, with room for the largest. */
struct uhmm_wire_msg {
	struct uhmm_wire_header header;
	union uhmm_wire_body {
#define X(id, name, req, reply, nfds, reply_nfds) \
		req name; \
		reply name##_reply;
#include "wire/wire_msgs.def"
#undef X
		unsigned char bytes[1];
	} body;
};

enum uhmm_wire_id {
#define X(id, name, req, reply, nfds, reply_nfds) UHMM_WIRE_##name = id,
#include "wire/wire_msgs.def"
#undef X
};

/** uhmm_wire_name() - "ioctl" of UHMM_WIRE_ioctl; "?" of an unknown id */
const char *uhmm_wire_name(uint16_t id);

/**
 * uhmm_wire_bytes() - size of message @id on the wire, header included
 * Return: bytes; 0 unknown id
 */
size_t uhmm_wire_bytes(uint16_t id, bool reply);

/** uhmm_wire_nfds() - descriptors that go with message @id without an error */
unsigned int uhmm_wire_nfds(uint16_t id, bool reply);

/**
 * uhmm_wire_init() - zero @msg, as far as message @id goes, and fill its header
 */
void uhmm_wire_init(struct uhmm_wire_msg *msg, uint16_t id, uint32_t seq,
		    bool reply);

/**
 * uhmm_wire_init_reply() - the same for the reply to @request
 * @request: may be the header of @reply itself
 * @error:   0 or -errno
 */
void uhmm_wire_init_reply(struct uhmm_wire_msg *reply,
			  const struct uhmm_wire_header *request, int error);

/**
 * uhmm_wire_check() - is what was received a well-formed message?
 * @msg:   as received  @bytes: how much was received
 * @nfds:  descriptors that came with it
 * Checks magic, id, length, flags, padding that must be 0, counts and ranges
 * of fields that have a fixed set of values, and the number of descriptors
 * (a reply with an error carries none). Not the version: who gets another one
 * than its own answers with an error that says so (-EPROTONOSUPPORT).
 * Return: 0; -EPROTO
 */
UHMM_CHECKED int uhmm_wire_check(const struct uhmm_wire_msg *msg, size_t bytes,
				 unsigned int nfds);

#endif
