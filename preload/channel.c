/* SPDX-License-Identifier: MIT */
/* channel.c - a fixed pool of sockets of the session */
#include "channel.h"

#include "converse.h"

#define CHANNELS 64

enum state {
	EMPTY = 0,	/* no socket */
	IDLE,
	BUSY,		/* of one thread */
};

static struct uhmm_channel channels[CHANNELS];

/* Counts releases; who finds no channel sleeps on it. */
static _Atomic uint32_t releases;
static _Atomic uint32_t sleepers;

/* One of @from becomes BUSY, ours. NULL none. */
static struct uhmm_channel *claim(enum state from)
{
	for (int i = 0; i < CHANNELS; i++) {
		uint32_t seen = from;

		if (atomic_compare_exchange_strong(&channels[i].state, &seen,
						   BUSY))
			return &channels[i];
	}
	return NULL;
}

static void release(struct uhmm_channel *ch, enum state to)
{
	atomic_store(&ch->state, to);
	atomic_fetch_add(&releases, 1);
	if (atomic_load(&sleepers))
		uhmm_futex_wake(&releases, 1);
}

static void sleep_for_release(uint32_t seen)
{
	atomic_fetch_add(&sleepers, 1);
	uhmm_futex_wait(&releases, seen);
	atomic_fetch_sub(&sleepers, 1);
}

int uhmm_channel_join(struct uhmm_ownfd *own, struct uhmm_wire_token token,
		      enum uhmm_role role)
{
	struct uhmm_wire_msg msg;
	struct uhmm_fds got;
	int err = uhmm_ownfd_connect(own);

	if (err)
		return err;
	uhmm_wire_init(&msg, UHMM_WIRE_join, 0, false);
	msg.body.join.version = UHMM_WIRE_VERSION;
	msg.body.join.role = role;
	msg.body.join.session = token;
	if (uhmm_converse(own->fd, &msg, NULL, &got) == 0 && !msg.header.error)
		return 0;
	uhmm_ownfd_close(own);
	return -EIO;
}

/* Make @ch, BUSY, usable for @ref. */
static int refresh(struct uhmm_channel *ch, const struct uhmm_session_ref *ref)
{
	if (ch->generation == ref->generation && uhmm_ownfd_is_ours(&ch->own))
		return 0;
	uhmm_ownfd_close(&ch->own);
	ch->generation = ref->generation;
	return uhmm_channel_join(&ch->own, ref->token, UHMM_ROLE_CALLER);
}

static bool any_in_use(void)
{
	for (int i = 0; i < CHANNELS; i++) {
		if (atomic_load(&channels[i].state) != EMPTY)
			return true;
	}
	return false;
}

int uhmm_channel_get(const struct uhmm_session_ref *ref,
		     struct uhmm_channel **ch)
{
	for (;;) {
		uint32_t seen = atomic_load(&releases);
		int err = -EMFILE;

		*ch = claim(IDLE);
		if (!*ch)
			*ch = claim(EMPTY);
		if (*ch) {
			err = refresh(*ch, ref);
			if (!err)
				return 0;
			release(*ch, EMPTY);
		}
		/* No descriptor to be had: then share those there are. */
		if (err != -EMFILE && err != -ENFILE)
			return err;
		if (*ch && !any_in_use())
			return err;
		sleep_for_release(seen);
	}
}

void uhmm_channel_put(struct uhmm_channel *ch, bool broken)
{
	if (broken)
		uhmm_ownfd_close(&ch->own);
	release(ch, broken ? EMPTY : IDLE);
}

void uhmm_channel_adopt(struct uhmm_ownfd *own, uint32_t generation)
{
	struct uhmm_channel *ch = claim(EMPTY);

	if (!ch) {
		uhmm_ownfd_close(own);
		return;
	}
	ch->own = *own;
	*own = (struct uhmm_ownfd)UHMM_OWNFD_NONE;
	ch->generation = generation;
	release(ch, IDLE);
}

bool uhmm_channel_owns(int fd)
{
	for (int i = 0; i < CHANNELS; i++) {
		if (atomic_load(&channels[i].state) != EMPTY &&
		    uhmm_ownfd_has(&channels[i].own, fd))
			return true;
	}
	return false;
}

void uhmm_channel_close_idle(void)
{
	struct uhmm_channel *ch;

	while ((ch = claim(IDLE)))
		uhmm_channel_put(ch, true);
}

void uhmm_channel_forget(void)
{
	for (int i = 0; i < CHANNELS; i++) {
		if (atomic_load(&channels[i].state) != EMPTY)
			uhmm_ownfd_close(&channels[i].own);
		atomic_store(&channels[i].state, EMPTY);
	}
	atomic_store(&sleepers, 0);
}
