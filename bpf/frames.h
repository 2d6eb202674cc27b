/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames of HTTP/2 in what a TLS library reads and writes: of each direction of a stream as much is kept as of a message of HTTP/1, and heads
 * always, whatever pieces they come in.
 */
#pragma once
#include "plain.h"

#define FRAME_RUNS 20              /* of on_tls_more that look at frames; those that are left keep what there is */
#define FRAME_STEPS 8              /* in one run: a frame takes two, its head and the rest of it */
#define FRAME_HEAD 9               /* RFC 9113, 4.1 */
#define FRAME_SMALL 1024           /* frames of data up to this size are always kept: what streams in small pieces is text */
#define FRAME_DATA 0
#define FRAME_LAST 9               /* CONTINUATION */

/* From the first bytes of its head. */
INLINE u32 frame_length(u64 head)
{
	return (head & 0xff) << 16 | (head & 0xff00) | (head >> 16 & 0xff);
}

/* Whether the payload of a frame is kept: of each direction of a stream as much as of a message of HTTP/1. */
INLINE int frame_kept(struct tls_call *call, struct flow *flow, u64 stream)
{
	struct control *control = map_lookup(MAP(MAP_CONTROL), KEY(0));
	u64 key = (call->head.connection ^ (u64)flow->salt << 32 ^ stream) * SCATTER;
	u32 place = key >> 52 & (BULK_SLOTS - 1);
	struct bulk *bulk = map_lookup(MAP(MAP_BULK), KEY(place));

	if ((flow->head >> 24 & 0xff) != FRAME_DATA || flow->left <= FRAME_SMALL || !control || !bulk)
		return 1;
	if (bulk->key != key) {
		bulk->key = key;
		bulk->bytes = 0;
	}
	if (bulk->bytes >= control->bulk)
		return 0;
	bulk->bytes += flow->left;
	return 1;
}

/* Takes in what is there of the head of a frame, which is kept. */
INLINE void frame_head(struct tls_call *call, struct flow *flow, u64 rest)
{
	u64 n = FRAME_HEAD - flow->had > rest ? rest : FRAME_HEAD - flow->had, part[2] = {}, last;

	n = AT_MOST(n, FRAME_HEAD);
	if (read_user(part, n, (void *)call->buffer + call->kept)) {
		flow->frames = FRAMES_ASTRAY;
		return;
	}
	last = flow->had ? part[0] >> ((n - 1 & 7) * 8) & 0xff : part[1];
	flow->head |= part[0] << ((flow->had & 7) * 8) & ((u64)(flow->had >> 3) - 1);     /* not the ninth; without a branch, for the verifier */
	flow->had += n;
	call->kept += n;
	if (flow->had < FRAME_HEAD)
		return;
	flow->left = frame_length(flow->head);
	flow->frames = frame_kept(call, flow, (flow->head >> 40) << 8 | last) ? FRAMES_KEPT : FRAMES_CUT;
	flow->head = flow->had = 0;
}

/* Libraries hand over whole frames, mostly: a call that begins with what can be a head puts it right again. */
INLINE void frames_found(struct tls_call *call, struct flow *flow)
{
	u64 first = 0;

	if (call->left < FRAME_HEAD || read_user(&first, sizeof(first), (void *)call->buffer))
		return;
	if (frame_length(first) > PLAIN_CHUNK || (first >> 24 & 0xff) > FRAME_LAST || first >> 40 & 0xff)
		return;
	flow->frames = FRAMES_KEPT;
	flow->head = flow->had = flow->left = 0;
}

/* Goes on through the frames of a call, up to the end of one, or of the call. */
INLINE void frame_step(struct tls_call *call, struct flow *flow)
{
	u64 rest = call->left - call->kept, n;

	if (flow->frames == FRAMES_ASTRAY) {
		call->kept = call->left;
	} else if (!flow->left) {
		frame_head(call, flow, rest);
	} else {
		n = flow->left > rest ? rest : flow->left;
		flow->left -= n;
		if (flow->frames == FRAMES_CUT)
			call->span = call->kept + n;
		else
			call->kept += n;
	}
	if (call->kept == call->left)
		call->span = call->left;
}
