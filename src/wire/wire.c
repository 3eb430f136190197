/* SPDX-License-Identifier: MIT */
/* wire.c - the message table and what a well-formed message is */
#include "wire/wire.h"

#include <errno.h>

#define SIZE(type, n) \
	_Static_assert(sizeof(struct type) == (n), #type " changed size")
#define AT(type, field, n) \
	_Static_assert(offsetof(struct type, field) == (n), \
		       #type "." #field " moved")

SIZE(uhmm_wire_header, 16);
AT(uhmm_wire_header, id, 4);
AT(uhmm_wire_header, flags, 6);
AT(uhmm_wire_header, seq, 8);
AT(uhmm_wire_header, error, 12);
SIZE(uhmm_wire_token, 16);
SIZE(uhmm_msg_empty, 8);
SIZE(uhmm_msg_hello, 64);
AT(uhmm_msg_hello, page_bytes, 4);
AT(uhmm_msg_hello, pid, 8);
AT(uhmm_msg_hello, flags, 12);
AT(uhmm_msg_hello, uffd_features, 16);
AT(uhmm_msg_hello, parent, 24);
AT(uhmm_msg_hello, fork_id, 40);
AT(uhmm_msg_hello, own, 48);
SIZE(uhmm_msg_hello_reply, 24);
AT(uhmm_msg_hello_reply, session, 8);
SIZE(uhmm_msg_join, 24);
AT(uhmm_msg_join, role, 4);
AT(uhmm_msg_join, session, 8);
SIZE(uhmm_msg_open, 8);
AT(uhmm_msg_open, flags, 4);
SIZE(uhmm_msg_token, 16);
SIZE(uhmm_msg_ioctl, 32);
AT(uhmm_msg_ioctl, cmd, 16);
AT(uhmm_msg_ioctl, arg, 24);
SIZE(uhmm_msg_ioctl_reply, 8);
SIZE(uhmm_msg_mmap, 40);
AT(uhmm_msg_mmap, bytes, 16);
AT(uhmm_msg_mmap, offset_bytes, 24);
AT(uhmm_msg_mmap, prot, 32);
AT(uhmm_msg_mmap, flags, 36);
SIZE(uhmm_msg_protect, 24);
AT(uhmm_msg_protect, bytes, 8);
AT(uhmm_msg_protect, prot, 16);
AT(uhmm_msg_protect, phase, 20);
SIZE(uhmm_msg_protect_reply, 16);
SIZE(uhmm_msg_advise, 24);
AT(uhmm_msg_advise, advice, 16);
SIZE(uhmm_msg_mincore, 24);
AT(uhmm_msg_mincore, vec, 16);
SIZE(uhmm_msg_remap, 16);
SIZE(uhmm_msg_remap_reply, 8);
SIZE(uhmm_msg_seek, 32);
AT(uhmm_msg_seek, offset_bytes, 16);
AT(uhmm_msg_seek, whence, 24);
SIZE(uhmm_msg_seek_reply, 8);
SIZE(uhmm_msg_getfl_reply, 8);
SIZE(uhmm_msg_fault, 16);
AT(uhmm_msg_fault, access, 8);
SIZE(uhmm_msg_fault_reply, 8);
SIZE(uhmm_msg_vmcall, 48);
AT(uhmm_msg_vmcall, op, 16);
AT(uhmm_msg_vmcall, phase, 20);
AT(uhmm_msg_vmcall, done, 24);
AT(uhmm_msg_vmcall, to, 32);
AT(uhmm_msg_vmcall, to_bytes, 40);
SIZE(uhmm_msg_fence, 24);
AT(uhmm_msg_fence, prot, 16);
AT(uhmm_msg_fence, phase, 20);
SIZE(uhmm_msg_fence_reply, 16);
SIZE(uhmm_msg_bring, 24);
AT(uhmm_msg_bring, write, 16);
SIZE(uhmm_msg_peek, 24);
AT(uhmm_msg_peek, pid, 16);
AT(uhmm_msg_peek, write, 20);
SIZE(uhmm_msg_fork, 16);
AT(uhmm_msg_fork, fork_id, 8);
SIZE(uhmm_wire_range, 16);
AT(uhmm_wire_range, bytes, 8);
SIZE(uhmm_msg_hands, 8 + 16 * UHMM_WIRE_RANGES_MAX);
AT(uhmm_msg_hands, nranges, 4);
AT(uhmm_msg_hands, range, 8);
SIZE(uhmm_msg_hands_reply, 8);
AT(uhmm_wire_msg, body, 16);

struct kind {
	const char *name;
	uint16_t bytes[2];	/* of the body: [0] request, [1] reply */
	uint8_t nfds[2];
};

static const struct kind kinds[] = {
#define X(id, name, req, reply, nfds, reply_nfds) \
	[id] = { #name, { sizeof(req), sizeof(reply) }, { nfds, reply_nfds } },
#include "wire/wire_msgs.def"
#undef X
};

#define X(id, name, req, reply, nfds, reply_nfds)          \
	_Static_assert((nfds) <= UHMM_WIRE_FDS_MAX &&      \
			       (reply_nfds) <= UHMM_WIRE_FDS_MAX, \
		       #name " carries too many descriptors");
#include "wire/wire_msgs.def"
#undef X

static const struct kind *kind_of(uint16_t id)
{
	if (id >= sizeof(kinds) / sizeof(kinds[0]) || !kinds[id].name)
		return NULL;
	return &kinds[id];
}

const char *uhmm_wire_name(uint16_t id)
{
	const struct kind *kind = kind_of(id);

	return kind ? kind->name : "?";
}

size_t uhmm_wire_bytes(uint16_t id, bool reply)
{
	const struct kind *kind = kind_of(id);

	return kind ? sizeof(struct uhmm_wire_header) + kind->bytes[reply] : 0;
}

unsigned int uhmm_wire_nfds(uint16_t id, bool reply)
{
	const struct kind *kind = kind_of(id);

	return kind ? kind->nfds[reply] : 0;
}

void uhmm_wire_init(struct uhmm_wire_msg *msg, uint16_t id, uint32_t seq,
		    bool reply)
{
	__builtin_memset(msg, 0, uhmm_wire_bytes(id, reply));
	msg->header.magic = UHMM_WIRE_MAGIC;
	msg->header.id = id;
	msg->header.flags = reply ? UHMM_WIRE_REPLY : 0;
	msg->header.seq = seq;
}

void uhmm_wire_init_reply(struct uhmm_wire_msg *reply,
			  const struct uhmm_wire_header *request, int error)
{
	/* @reply may be the message that holds @request */
	uint16_t id = request->id;
	uint32_t seq = request->seq;

	uhmm_wire_init(reply, id, seq, true);
	reply->header.error = error;
}

static bool token_is_zero(const struct uhmm_wire_token *t)
{
	return !t->word[0] && !t->word[1];
}

/* Not empty, and its end is an address too. */
static bool range_ok(uint64_t addr, uint64_t bytes)
{
	return bytes && addr + bytes > addr;
}

static bool hello_ok(const struct uhmm_msg_hello *m)
{
	const uint32_t known =
		UHMM_HELLO_USER_MODE_ONLY | UHMM_HELLO_EVENT_FORK |
		UHMM_HELLO_NO_UFFD | UHMM_HELLO_OWN_UFFD;

	if (m->flags & ~known)
		return false;
	if (m->page_bytes < 4096 || (m->page_bytes & (m->page_bytes - 1)))
		return false;
	if (m->own.bytes && !range_ok(m->own.addr, m->own.bytes))
		return false;
	if ((m->flags & UHMM_HELLO_NO_UFFD) && m->uffd_features)
		return false;
	return !m->fork_id || !token_is_zero(&m->parent);
}

static bool hands_op_ok(uint32_t op)
{
	return (op >= UHMM_HANDS_ZAP && op <= UHMM_HANDS_MOVE) ||
	       (op >= UHMM_HANDS_TELL && op <= UHMM_HANDS_COPY) ||
	       (op >= UHMM_HANDS_PROTECT && op <= UHMM_HANDS_LAST);
}

/* One range, then pairs of one length. */
static bool moves_ok(const struct uhmm_msg_hands *m)
{
	if (m->nranges < 3 || m->nranges % 2 == 0)
		return false;
	for (uint32_t i = 1; i < m->nranges; i += 2) {
		if (m->range[i].bytes != m->range[i + 1].bytes)
			return false;
	}
	return true;
}

static bool hands_ok(const struct uhmm_msg_hands *m)
{
	if (!hands_op_ok(m->op))
		return false;
	if (!m->nranges || m->nranges > UHMM_WIRE_RANGES_MAX)
		return false;
	for (uint32_t i = 0; i < m->nranges; i++) {
		if (!range_ok(m->range[i].addr, m->range[i].bytes))
			return false;
	}
	for (uint32_t i = m->nranges; i < UHMM_WIRE_RANGES_MAX; i++) {
		if (m->range[i].addr || m->range[i].bytes)
			return false;
	}
	switch (m->op) {
	case UHMM_HANDS_MOVE:
		return moves_ok(m);
	case UHMM_HANDS_COPY:
		return m->nranges == 2 && m->range[0].bytes == m->range[1].bytes;
	default:
		return true;
	}
}

static bool phase_ok(uint32_t phase)
{
	return phase == UHMM_PHASE_BEFORE || phase == UHMM_PHASE_AFTER;
}

static bool fault_ok(const struct uhmm_msg_fault *m)
{
	return !m->zero &&
	       !(m->access & ~(uint32_t)(UHMM_FAULT_WRITE | UHMM_FAULT_EXEC));
}

static bool vmcall_ok(const struct uhmm_msg_vmcall *m)
{
	return range_ok(m->addr, m->bytes) && phase_ok(m->phase) &&
	       m->op >= UHMM_VMCALL_UNMAP && m->op <= UHMM_VMCALL_REMAP &&
	       m->done <= 1 && !m->zero &&
	       (!m->to_bytes || range_ok(m->to, m->to_bytes));
}

static bool fence_ok(const struct uhmm_msg_fence *m)
{
	return range_ok(m->addr, m->bytes) && m->prot <= 7 &&
	       m->phase >= UHMM_FENCE_BEFORE && m->phase <= UHMM_FENCE_SET;
}

static bool bring_ok(const struct uhmm_msg_bring *m)
{
	return range_ok(m->addr, m->bytes) && m->write <= 1 && !m->zero;
}

/* A word, and zeros behind it. */
static bool node_ok(const struct uhmm_msg_unplug *m)
{
	bool ended = false;

	for (size_t i = 0; i < sizeof(m->node); i++) {
		if (ended && m->node[i])
			return false;
		ended |= !m->node[i];
	}
	return ended && m->node[0];
}

static bool request_ok(const struct uhmm_wire_msg *msg)
{
	const union uhmm_wire_body *b = &msg->body;

	switch (msg->header.id) {
	case UHMM_WIRE_hello:
		return hello_ok(&b->hello);
	case UHMM_WIRE_join:
		return b->join.role == UHMM_ROLE_CALLER ||
		       b->join.role == UHMM_ROLE_AGENT;
	case UHMM_WIRE_mmap:
		return b->mmap.bytes;
	case UHMM_WIRE_protect:
		return phase_ok(b->protect.phase) &&
		       range_ok(b->protect.addr, b->protect.bytes);
	case UHMM_WIRE_advise:
		return phase_ok(b->advise.phase) &&
		       range_ok(b->advise.addr, b->advise.bytes);
	case UHMM_WIRE_remap:
		return range_ok(b->remap.addr, b->remap.bytes);
	case UHMM_WIRE_mincore:
		return range_ok(b->mincore.addr, b->mincore.bytes);
	case UHMM_WIRE_seek:
		return !b->seek.zero;
	case UHMM_WIRE_fault:
		return fault_ok(&b->fault);
	case UHMM_WIRE_vmcall:
		return vmcall_ok(&b->vmcall);
	case UHMM_WIRE_fence:
		return fence_ok(&b->fence);
	case UHMM_WIRE_bring:
		return bring_ok(&b->bring);
	case UHMM_WIRE_peek:
		return b->peek.write <= 1 &&
		       range_ok(b->peek.addr, b->peek.bytes);
	case UHMM_WIRE_fork:
		return !b->fork.zero && b->fork.fork_id &&
		       (b->fork.phase == UHMM_FORK_PREPARE ||
			b->fork.phase == UHMM_FORK_PARENT);
	case UHMM_WIRE_unplug:
		return node_ok(&b->unplug);
	case UHMM_WIRE_stats:
	case UHMM_WIRE_check:
	case UHMM_WIRE_stop:
		return !b->stats.zero;
	case UHMM_WIRE_hands:
		return hands_ok(&b->hands);
	default:
		return true;	/* any value goes: open, ioctl, closed */
	}
}

static bool reply_ok(const struct uhmm_wire_msg *msg)
{
	const union uhmm_wire_body *b = &msg->body;

	switch (msg->header.id) {
	case UHMM_WIRE_hello:
		return !b->hello_reply.zero;
	case UHMM_WIRE_ioctl:
	case UHMM_WIRE_protect:
	case UHMM_WIRE_remap:
	case UHMM_WIRE_seek:
	case UHMM_WIRE_fence:
		return true;
	case UHMM_WIRE_fault:
		return b->fault_reply.ours <= UHMM_FAULT_NOTHING && !b->fault_reply.zero;
	case UHMM_WIRE_getfl:
		return !b->getfl_reply.zero;
	case UHMM_WIRE_hands:
		return b->hands_reply.done <= UHMM_WIRE_RANGES_MAX;
	default:
		return !b->join_reply.zero;	/* struct uhmm_msg_empty */
	}
}

static bool header_ok(const struct uhmm_wire_header *h)
{
	if (h->magic != UHMM_WIRE_MAGIC || (h->flags & ~UHMM_WIRE_REPLY))
		return false;
	if (h->flags & UHMM_WIRE_REPLY)
		return h->error <= 0 && h->error >= -4095;
	return h->cpu >= 0;
}

int uhmm_wire_check(const struct uhmm_wire_msg *msg, size_t bytes,
		    unsigned int nfds)
{
	const struct uhmm_wire_header *h = &msg->header;
	const struct kind *kind;
	bool reply;

	if (bytes < sizeof(*h) || !header_ok(h))
		return -EPROTO;
	kind = kind_of(h->id);
	reply = h->flags & UHMM_WIRE_REPLY;
	if (!kind || bytes != uhmm_wire_bytes(h->id, reply))
		return -EPROTO;
	if (nfds != (reply && h->error ? 0 : kind->nfds[reply]))
		return -EPROTO;
	return (reply ? reply_ok(msg) : request_ok(msg)) ? 0 : -EPROTO;
}
