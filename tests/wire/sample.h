/* SPDX-License-Identifier: MIT */
/* sample.h - a well-formed message of every kind, for tests to spoil */
#ifndef UHMM_TESTS_WIRE_SAMPLE_H
#define UHMM_TESTS_WIRE_SAMPLE_H

#include "wire/wire.h"

/** Every message, in both directions. */
struct sample_kind {
	uint16_t id;
	bool reply;
};

static const struct sample_kind sample_kinds[] = {
#define X(id, name, req, reply, nfds, reply_nfds) { id, false }, { id, true },
#include "wire/wire_msgs.def"
#undef X
};

/** No message: in the gap before those of the daemon. */
#define SAMPLE_NO_ID 31

#define SAMPLE_KINDS (sizeof(sample_kinds) / sizeof(sample_kinds[0]))

static inline void sample_fill(struct uhmm_wire_msg *msg)
{
	switch (msg->header.id) {
	case UHMM_WIRE_hello:
		msg->body.hello.version = UHMM_WIRE_VERSION;
		msg->body.hello.page_bytes = 4096;
		break;
	case UHMM_WIRE_join:
		msg->body.join.role = UHMM_ROLE_CALLER;
		break;
	case UHMM_WIRE_mmap:
		msg->body.mmap.bytes = 4096;
		break;
	case UHMM_WIRE_protect:
		msg->body.protect.bytes = 4096;
		msg->body.protect.phase = UHMM_PHASE_BEFORE;
		break;
	case UHMM_WIRE_advise:
		msg->body.advise.bytes = 4096;
		msg->body.advise.phase = UHMM_PHASE_BEFORE;
		break;
	case UHMM_WIRE_mincore:
		msg->body.mincore.bytes = 4096;
		break;
	case UHMM_WIRE_remap:
		msg->body.remap.bytes = 4096;
		break;
	case UHMM_WIRE_vmcall:
		msg->body.vmcall.bytes = 4096;
		msg->body.vmcall.to = 4096;
		msg->body.vmcall.op = UHMM_VMCALL_UNMAP;
		msg->body.vmcall.phase = UHMM_PHASE_BEFORE;
		break;
	case UHMM_WIRE_fence:
		msg->body.fence.bytes = 4096;
		msg->body.fence.phase = UHMM_FENCE_BEFORE;
		break;
	case UHMM_WIRE_peek:
		msg->body.peek.bytes = 4096;
		break;
	case UHMM_WIRE_bring:
		msg->body.bring.bytes = 4096;
		break;
	case UHMM_WIRE_fork:
		msg->body.fork.phase = UHMM_FORK_PREPARE;
		msg->body.fork.fork_id = 1;
		break;
	case UHMM_WIRE_unplug:
		msg->body.unplug.node[0] = 'n';
		break;
	case UHMM_WIRE_hands:
		msg->body.hands.op = UHMM_HANDS_ZAP;
		msg->body.hands.nranges = 1;
		msg->body.hands.range[0].bytes = 4096;
		break;
	default:
		break;
	}
}

/** sample_make() - fill @msg. Return: its bytes */
static inline size_t sample_make(struct uhmm_wire_msg *msg, uint16_t id,
				 bool reply)
{
	uhmm_wire_init(msg, id, 1, reply);
	if (!reply)
		sample_fill(msg);
	return uhmm_wire_bytes(id, reply);
}

#endif
