/* SPDX-License-Identifier: MIT */
/* fuzz_wire.c - bytes from a stranger through the checks of both sides
 *
 * With libFuzzer (preset fuzz) the bytes are its own. Otherwise a main() of its
 * own makes them from a fixed seed, mostly messages that are nearly right.
 *
 * Input: [0] number of descriptors, [1 ..] the datagram.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../wire/sample.h"
#include "wire/fdpass.h"

#define MUST(cond)                                                   \
	do {                                                         \
		if (!(cond)) {                                       \
			fprintf(stderr, "not so: %s\n", #cond);      \
			abort();                                     \
		}                                                    \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a message that passed promises its handler. */
static void check_promises(const struct uhmm_wire_msg *msg, size_t bytes)
{
	const struct uhmm_wire_header *h = &msg->header;
	bool reply = h->flags & UHMM_WIRE_REPLY;

	MUST(h->magic == UHMM_WIRE_MAGIC);
	MUST(bytes == uhmm_wire_bytes(h->id, reply));
	MUST(strcmp(uhmm_wire_name(h->id), "?") != 0);
	MUST(reply ? h->error <= 0 : h->cpu >= 0);
	if (h->id != UHMM_WIRE_hands || reply)
		return;
	MUST(msg->body.hands.nranges <= UHMM_WIRE_RANGES_MAX);
	for (uint32_t i = 0; i < msg->body.hands.nranges; i++) {
		const struct uhmm_wire_range *r = &msg->body.hands.range[i];

		MUST(r->bytes && r->addr + r->bytes > r->addr);
	}
}

/* A name that is taken for ours is the one we would give. */
static void check_name(const char *name, unsigned int bytes)
{
	char again[UHMM_DEVFD_NAME_BYTES];
	struct uhmm_wire_token token, token2;
	uint32_t minor, minor2;
	unsigned int n;

	if (!uhmm_devfd_parse(name, bytes, &minor, &token))
		return;
	n = uhmm_devfd_name(again, minor, token);
	MUST(n && n <= bytes);	/* leading zeros of the number are shorter */
	MUST(uhmm_devfd_parse(again, n, &minor2, &token2));
	MUST(minor == minor2 && memcmp(&token, &token2, sizeof(token)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* exactly as long as it is, so that a sanitizer sees a byte too far */
	struct uhmm_wire_msg *msg;
	size_t bytes;
	int err;

	if (size < 1)
		return 0;
	bytes = size - 1;
	msg = malloc(bytes ? bytes : 1);
	MUST(msg);
	memcpy(msg, data + 1, bytes);
	err = uhmm_wire_check(msg, bytes, data[0]);
	MUST(err == 0 || err == -EPROTO);
	MUST(err || bytes >= sizeof(msg->header));
	if (err == 0 && bytes >= sizeof(msg->header))
		check_promises(msg, bytes);
	check_name((const char *)msg, (unsigned int)bytes);
	free(msg);
	return 0;
}

#ifndef UHMM_LIBFUZZER

#define ROUNDS 400000
#define SEED 20240607u

static uint64_t state = SEED;

static uint32_t random_below(uint32_t n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state >> 33) % n;
}

/* A good message, its length and a few of its bytes spoilt. */
static size_t make_nearly_right(uint8_t *data)
{
	struct sample_kind k = sample_kinds[random_below(SAMPLE_KINDS)];
	struct uhmm_wire_msg msg = { .header = { 0 } };
	size_t bytes = sample_make(&msg, k.id, k.reply);

	data[0] = (uint8_t)uhmm_wire_nfds(k.id, k.reply);
	if (random_below(8) == 0)
		data[0] = (uint8_t)random_below(10);
	memcpy(data + 1, &msg, bytes);
	for (uint32_t n = random_below(4); n; n--)
		data[1 + random_below((uint32_t)bytes)] =
			(uint8_t)random_below(256);
	if (random_below(8) == 0)
		bytes = random_below((uint32_t)bytes + 1);
	return 1 + bytes;
}

static size_t make_name(uint8_t *data)
{
	struct uhmm_wire_token t = { { random_below(~0u), random_below(~0u) } };
	unsigned int n = uhmm_devfd_name((char *)data + 1, random_below(12000),
					 t);

	if (n)
		data[1 + random_below(n)] = (uint8_t)random_below(128);
	return 1 + n;
}

static size_t make_noise(uint8_t *data)
{
	size_t n = random_below(128);

	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)random_below(256);
	return n;
}

int main(void)
{
	static uint8_t data[1 + sizeof(struct uhmm_wire_msg)];

	for (int i = 0; i < ROUNDS; i++) {
		size_t n;

		if (i % 8 == 0)
			n = make_noise(data);
		else if (i % 8 == 1)
			n = make_name(data);
		else
			n = make_nearly_right(data);
		(void)LLVMFuzzerTestOneInput(data, n);
	}
	return 0;
}

#endif
