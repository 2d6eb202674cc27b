/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plaintext on its way out: the program's bytes are put behind a head in memory of our own, and go from there, as many as there are.
 * To reserve room for them in the ring would save that copy; but there a size has to be known beforehand, so air would fill the ring.
 */
#pragma once
#include "lanes.h"

#define SENT_LATELY(position, length) (((position) ^ ((position) + (length))) >> 20 ? RB_FORCE_WAKEUP : RB_NO_WAKEUP)

/* Memory of the tracepoints' own: nothing puts them aside. */
INLINE struct apart *apart_at(u32 index)
{
	return map_lookup(MAP(MAP_APART), KEY(index));
}

/*
 * Memory that nobody on this CPU is using, or 0. An uprobe may be put aside for another task's, which finds the next one.
 * Adding and looking, and not one exchange, since before Linux 5.12 there is none: whoever adds meanwhile makes both go on to the next.
 */
INLINE struct apart *apart_take(void)
{
#pragma clang loop unroll(disable)
	for (u32 i = 1; i < APARTS; i++) {
		struct apart *a = apart_at(i);

		if (!a)
			break;
		__sync_fetch_and_add(&a->taken, 1);
		if (*(volatile u64 *)&a->taken == 1)
			return a;
		__sync_fetch_and_add(&a->taken, -1);
	}
	return 0;
}

/* One record with up to PLAIN_CHUNK bytes of the program's memory. */
INLINE void plain_put(void *ctx, struct apart *a, struct rec_plain *head, u64 from, u64 size)
{
	u64 kept = AT_MOST(size, PLAIN_CHUNK);

	ledger_add(LANE_PLAINTEXT, COUNTED);
	if (!a) {
		ledger_add(LANE_PLAINTEXT, LOST);
		return;
	}
	a->head = *head;
	if (kept && read_user(a->bytes, kept, (void *)from)) {
		a->head.flags |= PLAIN_UNREADABLE;
		kept = 0;
	}
	kept = AT_MOST(UNKNOWN(a->head.kept, kept), PLAIN_CHUNK);
	lane_send(ctx, MAP_PLAINTEXT, LANE_PLAINTEXT, &a->head, sizeof(a->head) + kept, SENT_LATELY(head->position, head->length));
}

/* Calculated, not chosen: the verifier would walk what follows for each of the two. */
INLINE struct flow *flow_of(struct stream *st, u64 sent)
{
	return (void *)st->flows + (sent & 1) * sizeof(struct flow);
}

#define HTTP2_CLIENT 0x5448202a20495250ULL     /* "PRI * HT", the first of 24 bytes: RFC 9113, 3.4 */
#define HTTP2_PREFACE 24
#define HTTP2_SERVER 0x4000000ULL              /* SETTINGS: three bytes of length, a type, flags, and the first three bytes of stream 0 */
#define HTTP2_SERVER_MASK 0xffffffffff00ffffULL

/* The first bytes of a direction tell whether it is HTTP/2. */
INLINE void http2_begins(struct stream *st, struct flow *flow, u64 first)
{
	if (first != HTTP2_CLIENT && (first & HTTP2_SERVER_MASK) != HTTP2_SERVER)
		return;
	st->flags |= STREAM_WHOLE;
	flow->frames = FRAMES_KEPT;
	flow->salt = random_u32();
	flow->left = first == HTTP2_CLIENT ? HTTP2_PREFACE : 0;
}

/* How many of these bytes are kept, of which the first is at `position` of its direction. */
INLINE u64 plain_kept(struct stream *st, struct flow *flow, u64 position, u32 sent, u64 from, u64 size)
{
	struct control *control = map_lookup(MAP(MAP_CONTROL), KEY(0));
	u64 first = 0;

	if (st->turn != sent) {
		st->turn = sent;
		flow->bulk = 0;
	}
	if (!position && size >= sizeof(first) && !read_user(&first, sizeof(first), (void *)from))
		http2_begins(st, flow, first);
	if (st->flags & STREAM_WHOLE || size <= PLAIN_SMALL)
		return size;
	if (!control || flow->bulk >= control->bulk)
		return 0;
	flow->bulk += size;
	return size;
}
