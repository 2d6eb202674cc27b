/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Byte streams over sockets, behind on_data: what speaks HTTP is passed on as plaintext; of what speaks TLS the heads of its records
 * are, which tell how much was said without saying what.
 */
#if DETAIL && HAVE_SOCKETS
#include "task.h"
#include "messages.h"
#include "watch.h"
#include "plain.h"

#define LOOKS 8                    /* calls after which a stream is given up that is neither HTTP nor TLS */
#define STEPS 8                    /* pieces of a call in one run of a program, which then goes on to itself, some 25 times */
#if MAY_GOTO
#define HEAD_STEPS 24              /* the same for records of TLS, a head and a body each: a call may read hundreds that are short */
#else
#define HEAD_STEPS 8
#endif
#define RECORD_MOST 18432          /* RFC 8446, 5.2, and RFC 5246, 6.2.3: 2^14 bytes and what encryption may add */
#define TLS_HEAD 5
#define HAD_NONE_KNOWN 0xff        /* flow.had: where a record begins is not known */

/* What the beginning of a call's bytes looks like. */
INLINE int begins_record(u64 first, u64 known)
{
	u32 type = first & 0xff, major = first >> 8 & 0xff, minor = first >> 16 & 0xff, length = __builtin_bswap16(first >> 24);

	if (known < 3 || type < 20 || type > 23 || major != 3 || minor > 4)
		return 0;
	return known < TLS_HEAD || (length && length <= RECORD_MOST);
}

INLINE int begins_hello(u64 first, u64 known)
{
	return known > TLS_HEAD && begins_record(first, known) && (first & 0xff) == 22 && (first >> 40 & 0xff) == 1;
}

INLINE int begins_http(u32 word)
{
	switch (word) {
	case 0x20544547:           /* GET  */
	case 0x54534f50:           /* POST */
	case 0x20545550:           /* PUT  */
	case 0x44414548:           /* HEAD */
	case 0x454c4544:           /* DELETE */
	case 0x43544150:           /* PATCH */
	case 0x4954504f:           /* OPTIONS */
	case 0x4e4e4f43:           /* CONNECT */
	case 0x43415254:           /* TRACE */
	case 0x504f5250:           /* PROPFIND */
	case 0x20495250:           /* PRI: HTTP/2 */
	case 0x50545448:           /* HTTP */
		return 1;
	}
	return 0;
}

INLINE u64 first_base(struct message *m)
{
	struct user_vector vector = {};

	if (!m->count)
		return m->base;
	read_user(&vector, sizeof(vector), (void *)m->base);
	return vector.base;
}

/* Decides what the socket carries, if that is not known, and sees when TLS begins on one that was something else. */
INLINE void look(struct watched *w, struct flow *flow, u64 first, u64 known)
{
	if (w->kind == WATCH_TLS) {
		if (flow->had == HAD_NONE_KNOWN && begins_record(first, known))
			flow->had = flow->left = 0;
		return;
	}
	if (w->kind == WATCH_NEW ? begins_record(first, known) : begins_hello(first, known)) {
		w->kind = WATCH_TLS;
		w->stream.flows[0].had = w->stream.flows[1].had = HAD_NONE_KNOWN;
		flow->had = flow->left = 0;
	} else if (w->kind == WATCH_NEW && known >= 4 && begins_http(first)) {
		w->kind = WATCH_PLAIN;
	} else if (w->kind == WATCH_NEW) {
		w->looks += 1;
		if (w->looks > LOOKS)
			w->kind = WATCH_OTHER;
	}
}

/*
 * What is left to do of a call. It lies in map memory, of which the verifier knows nothing: so it walks the loops below once,
 * not once for each combination of values.
 */
struct work {
	struct message message;
	u64 at, room;              /* in the current piece of the program's memory */
	u64 left;                  /* of all that the call moved */
	u32 index;                 /* of the next vector */
	u32 count;                 /* of heads */
	u32 rounds;
	struct rec_plain head;
	u32 heads[HEADS];
};

/* Makes sure that there is a piece; 0 if there is no more, or none that can be read. */
INLINE int more(struct work *w)
{
	struct user_vector vector = {};

	if (!w->left)
		return 0;
	if (w->room)
		return 1;
	if (w->index >= w->message.count || read_user(&vector, sizeof(vector), (void *)w->message.base + w->index * sizeof(vector)))
		return 0;
	w->index += 1;
	w->at = vector.base;
	w->room = vector.length > w->left ? w->left : vector.length;
	return 1;
}

INLINE void past(struct work *w, u64 n)
{
	w->at += n;
	w->room -= n;
	w->left -= n;
}

PROBE(on_plain)(u64 *ctx)
{
	struct work *w = workbench();

	if (!w)
		return 0;
#pragma clang loop unroll(disable)
	ROUNDS(i, STEPS, w->rounds) {
		u64 n;

		if (!more(w))
			break;
		n = w->room > PLAIN_CHUNK ? PLAIN_CHUNK : w->room;
		w->head.length = n;
		if (n)
			plain_put(ctx, apart_at(0), &w->head, w->at, n);
		w->head.position += n;
		past(w, n);
	}
	if (more(w))
		tail_call(ctx, MAP(MAP_TAILS), TAIL_PLAIN);
	if (w->left) {
		w->head.length = w->left;
		plain_put(ctx, apart_at(0), &w->head, 0, 0);
	}
	return 0;
}

/* Takes in what is there of the head of a record; 1 if it is whole. */
INLINE int head_read(struct work *w, struct flow *flow)
{
	u64 n = TLS_HEAD - flow->had > w->room ? w->room : TLS_HEAD - flow->had, part = 0;

	n = AT_MOST(n, TLS_HEAD);
	if (read_user(&part, n, (void *)w->at)) {
		flow->had = HAD_NONE_KNOWN;
		return 0;
	}
	flow->head |= part << ((flow->had & 7) * 8);
	flow->had += n;
	past(w, n);
	return flow->had >= TLS_HEAD;
}

/* What has been put down; of several records for one call the last one has its length. */
INLINE void send_heads(void *ctx, struct work *w, u32 length)
{
	w->head.kind = PLAIN_WIRE;
	w->head.length = length;
	w->head.kept = AT_MOST(w->count, HEADS) * sizeof(u32);
	ledger_add(LANE_PLAINTEXT, COUNTED);
	lane_send(ctx, MAP_PLAINTEXT, LANE_PLAINTEXT, &w->head, sizeof(w->head) + AT_MOST(w->head.kept, sizeof(w->heads)), RB_NO_WAKEUP);
	w->count = 0;
}

PROBE(on_wire)(u64 *ctx)
{
	struct work *w = workbench();
	struct watched *watched = w ? map_lookup(MAP(MAP_WATCHED), &w->message.file) : 0;
	struct flow *flow;

	if (!w || !watched)
		return 0;
	flow = flow_of(&watched->stream, w->message.sends);
#pragma clang loop unroll(disable)
	ROUNDS(i, HEAD_STEPS, w->rounds) {
		u64 n, place;

		if (flow->had >= TLS_HEAD || !more(w))
			break;
		if (flow->left) {
			n = flow->left > w->room ? w->room : flow->left;
			flow->left -= n;
			past(w, n);
			continue;
		}
		if (!head_read(w, flow))
			continue;
		if (!begins_record(flow->head, TLS_HEAD)) {
			flow->had = HAD_NONE_KNOWN;
			break;
		}
		flow->left = __builtin_bswap16(flow->head >> 24);
		place = AT_MOST(w->count, HEADS - 1);
		w->heads[place] = (flow->head & 0xff) << 16 | flow->left;
		w->count += 1;
		flow->head = flow->had = 0;
	}
	if (flow->had < TLS_HEAD && more(w)) {
		if (w->count > HEADS - HEAD_STEPS)
			send_heads(ctx, w, 0);
		tail_call(ctx, MAP(MAP_TAILS), TAIL_WIRE);
	}
	if (w->left)
		flow->had = HAD_NONE_KNOWN;
	if (flow->had == HAD_NONE_KNOWN)
		w->head.flags |= PLAIN_ASTRAY;
	/* Most libraries read a head and a body by calls of their own: of the body there is nothing to tell. */
	flow->quiet += w->message.length;
	if (w->count || w->head.flags & PLAIN_ASTRAY) {
		send_heads(ctx, w, flow->quiet);
		flow->quiet = 0;
	}
	return 0;
}

/* The first bytes of a TLS connection, as far as they lie in one piece. */
INLINE void send_hello(void *ctx, struct work *w)
{
	u64 at = w->at, room = w->room, left = w->left, n;
	u32 index = w->index;

	if (!more(w))
		return;
	n = w->room > HELLO_BYTES ? HELLO_BYTES : w->room;
	w->head.kind = PLAIN_HELLO;
	w->head.length = n;
	plain_put(ctx, apart_at(0), &w->head, w->at, n);
	w->at = at;
	w->room = room;
	w->left = left;
	w->index = index;
}

PROBE(on_stream)(u64 *ctx)
{
	struct task_state *s = current_state();
	struct work *w = workbench();
	struct watched *watched;
	u64 first = 0, known, start, from;
	struct flow *flow;
	u32 sent;

	if (!s || !w)
		return 0;
	watched = watched_stream(w->message.file, w->message.sock);
	if (!watched)
		return 0;
	sent = w->message.sends;
	flow = flow_of(&watched->stream, sent);
	start = flow->position;
	/* The rest of a TLS record, or a part of it: of that there is nothing to tell. One branch, for the verifier's sake. */
	known = w->message.length;
	if (!((watched->kind ^ WATCH_TLS) | flow->had | ((flow->left - known) | (start - HELLO_BYTES) | (known - 1)) >> 63)) {
		flow->left -= w->message.length;
		flow->quiet += w->message.length;
		flow->position = start + w->message.length;
		return 0;
	}
	from = first_base(&w->message);
	known = AT_MOST(w->message.length, sizeof(first));
	if (known) {
		read_user(&first, known, (void *)from);
		look(watched, flow, first, known);
	}
	BARRIER;
	flow->position = start + w->message.length;
	if (watched->kind != WATCH_PLAIN && watched->kind != WATCH_TLS)
		return 0;
	__builtin_memset(&w->head, 0, sizeof(w->head));
	w->head.at_ns = clock_ns();
	w->head.start_ns = s->enter_ns;
	w->head.connection = w->head.sock = w->message.sock;
	w->head.position = start;
	w->head.proc = s->proc;
	w->head.tid = s->tid;
	w->head.fd = w->message.fd;
	w->head.flags = sent | (watched->stream.flags & STREAM_MIDWAY ? PLAIN_MIDWAY : 0);
	w->at = from;
	w->left = w->message.length;
	w->room = w->message.count ? 0 : w->message.length;
	w->index = w->count = 0;
	if (!w->message.length) {          /* the other side has ended */
		w->head.kind = PLAIN_SOCKET;
		if (watched->kind == WATCH_PLAIN)
			plain_put(ctx, apart_at(0), &w->head, 0, 0);
		return 0;
	}
	if (watched->kind == WATCH_TLS) {
		if (start < HELLO_BYTES)
			send_hello(ctx, w);
		w->head.position = start - flow->quiet;
		tail_call(ctx, MAP(MAP_TAILS), TAIL_WIRE);
		return 0;
	}
	w->head.kind = PLAIN_SOCKET;
	if (!plain_kept(&watched->stream, flow, start, sent, from, w->message.length))
		w->room = w->message.count = 0;
	tail_call(ctx, MAP(MAP_TAILS), TAIL_PLAIN);
	return 0;
}
#endif
