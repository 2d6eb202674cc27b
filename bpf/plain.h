/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plaintext on its way out. Records are of four sizes, so that short pieces leave little air in the ring; the bytes go from the
 * program's memory straight into it. Where there is no BPF ring buffer they take a detour over memory of our own.
 */
#pragma once
#include "lanes.h"

#define SENT_LATELY(position, length) (((position) ^ ((position) + (length))) >> 20 ? RB_FORCE_WAKEUP : RB_NO_WAKEUP)

#if TRANSPORT_PERF
#define CHUNK PLAIN_APART
#define PIECE(room) ((room) > CHUNK ? CHUNK : (room))
#define plain_put_with(reader, ctx, top, from, size) ({ \
	u32 zero_ = 0; \
	struct apart *a_ = map_lookup(MAP(MAP_APART), &zero_); \
	u64 kept_ = AT_MOST(size, PLAIN_APART); \
	ledger_add(LANE_PLAINTEXT, COUNTED); \
	/* An uprobe can be interrupted by another one on its CPU: the second one has to do without. */ \
	if (!a_ || a_->taken) { \
		ledger_add(LANE_PLAINTEXT, LOST); \
	} else { \
		a_->taken = 1; \
		asm volatile("" ::: "memory"); \
		a_->head = *(top); \
		if (kept_ && reader(a_->bytes, kept_, (void *)(from))) { \
			a_->head.flags |= PLAIN_UNREADABLE; \
			kept_ = 0; \
		} \
		a_->head.kept = kept_; \
		kept_ = AT_MOST(kept_, PLAIN_APART); \
		lane_send(ctx, MAP_PLAINTEXT, LANE_PLAINTEXT, &a_->head, sizeof(a_->head) + kept_, 0); \
		asm volatile("" ::: "memory"); \
		a_->taken = 0; \
	} })
#else
#define CHUNK PLAIN_CHUNK
#define PIECE(room) ((room) > CHUNK ? CHUNK : (room) > 4096 && (room) <= 3 * 4096 ? 4096 : (room))     /* with little air behind it */

#define PLAIN_TIER(reader, room, top, from, size) ({ \
	struct rec_plain *r_ = ring_reserve(MAP(MAP_PLAINTEXT), sizeof(struct rec_plain) + (room), 0); \
	u64 kept_ = AT_MOST(size, room); \
	if (!r_) { \
		ledger_add(LANE_PLAINTEXT, LOST); \
	} else { \
		*r_ = *(top); \
		r_->kept = kept_; \
		if (kept_ && reader(r_ + 1, kept_, (void *)(from))) { \
			r_->kept = 0; \
			r_->flags |= PLAIN_UNREADABLE; \
		} \
		ring_submit(r_, SENT_LATELY((top)->position, (top)->length)); \
	} })

#define plain_put_with(reader, ctx, top, from, size) ({ \
	ledger_add(LANE_PLAINTEXT, COUNTED); \
	if ((size) > 4096) \
		PLAIN_TIER(reader, PLAIN_CHUNK, top, from, size); \
	else if ((size) > 1024) \
		PLAIN_TIER(reader, 4096, top, from, size); \
	else if ((size) > 256) \
		PLAIN_TIER(reader, 1024, top, from, size); \
	else if (size) \
		PLAIN_TIER(reader, 256, top, from, size); \
	else \
		PLAIN_TIER(reader, 8, top, from, size); \
	})
#endif

/* One record with up to CHUNK bytes of the program's memory. */
INLINE void plain_put(void *ctx, struct rec_plain *head, u64 from, u64 size)
{
	plain_put_with(read_user, ctx, head, from, size);
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
	u32 zero = 0;
	struct control *control = map_lookup(MAP(MAP_CONTROL), &zero);
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
