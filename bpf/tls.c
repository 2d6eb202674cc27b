/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plaintext of TLS, at the functions that libraries read and write it with. The probes are uprobes, attached by the loader where
 * tracer/tls/ has found such a function, and are told what kind of function it is.
 *
 * Unlike tracepoints, an uprobe may be put aside for another one on its CPU (since Linux 6.0): per-CPU memory has to be taken (plain.h).
 */
#if DETAIL
#include "task.h"
#include "files.h"
#include "watch.h"
#include "images.h"
#include "plain.h"
#include "frames.h"

#define CHUNKS 2                   /* of one call in one run of on_tls_more, which then goes on to itself, up to 33 times */

/*
 * What the probe was attached with (enum given). Or else, where a link has no such cookie, the loader puts it in the place of a number,
 * and loads a program for each role and library.
 */
INLINE u64 given(void *ctx)
{
#if UPROBE_COOKIE
	return attach_cookie(ctx);
#else
	u64 value;

	asm volatile("%0 = 0x65627472616365ab ll" : "=r"(value));
	return value;
#endif
}

/* Numbers, not branches: the verifier would walk what follows for each. */
#define SENDS(what) (OPAQUE(what) / GIVEN_SENDS & 1)
#define IN_GO(what) (OPAQUE(what) / GIVEN_GO & 1)

/*
 * Go passes arguments in registers of its own (its internal ABI, since Go 1.17), and keeps the goroutine in one. Both kinds are
 * loaded: the verifier does not let the place in the context be chosen.
 */
#if defined(ARCH_X86_64)
#define PARAMETER(regs, go, in_c, in_go) ({ \
	u64 c_ = (regs)->in_c, go_ = (regs)->in_go; \
	asm volatile("" : "+r"(c_), "+r"(go_)); \
	(go_ & -(go)) | (c_ & ((go) - 1)); })
#define PARAMETER_0(regs, go) PARAMETER(regs, go, di, ax)
#define PARAMETER_1(regs, go) PARAMETER(regs, go, si, bx)
#define PARAMETER_3(regs) ((regs)->cx)
#define PARAMETER_4(regs) ((regs)->r8)
#define RETURNED(regs) ((regs)->ax)
#define GOROUTINE(regs) ((regs)->r14)
#else
#define PARAMETER_0(regs, go) ((regs)->regs[0])
#define PARAMETER_1(regs, go) ((regs)->regs[1])
#define PARAMETER_3(regs) ((regs)->regs[3])
#define PARAMETER_4(regs) ((regs)->regs[4])
#define RETURNED(regs) ((regs)->regs[0])
#define GOROUTINE(regs) ((regs)->regs[28])
#endif

/* A call is a thread's or, in Go, a goroutine's, which may be on another thread when it returns. */
INLINE u64 call_key(struct pt_regs *regs, u64 what)
{
	u64 id = current_pid_tgid(), go = IN_GO(what), whose = (u32)id & (go - 1);

	whose |= (GOROUTINE(regs) * SCATTER ^ id >> 32) & -go;
	return whose << 1 | SENDS(what);
}

INLINE struct task_state *awake(void)
{
	struct control *control = map_lookup(MAP(MAP_CONTROL), KEY(0));
	struct task_state *s = current_state();

	return s && control && !control->over && !(s->flags & (STATE_ASLEEP | STATE_HELD)) ? s : 0;
}

/* Where a function puts how many bytes it moved; 0: it returns that. */
INLINE u64 moved_at(struct pt_regs *regs, u32 role)
{
	u64 fourth = PARAMETER_3(regs), fifth = PARAMETER_4(regs);

	asm volatile("" : "+r"(fourth), "+r"(fifth));     /* else the compiler picks between addresses in the context */
	if (role == ROLE_WRITE_INNER)
		return fifth;
	return role == ROLE_READ_EX || role == ROLE_WRITE_EX || role == ROLE_READ_INNER ? fourth : 0;
}

PROBE(on_tls_enter)(struct pt_regs *regs)
{
	u64 what = given(regs), key;
	struct tls_call fresh = {}, *call;

	if (!awake())
		return 0;
	key = call_key(regs, what);
	call = map_lookup(MAP(MAP_TLS_CALLS), &key);
	if (!call) {
		map_update(MAP(MAP_TLS_CALLS), &key, &fresh, 0);
		call = map_lookup(MAP(MAP_TLS_CALLS), &key);
		if (!call)
			return 0;
	}
	call->object = PARAMETER_0(regs, IN_GO(what));
	call->buffer = PARAMETER_1(regs, IN_GO(what));
	call->moved = moved_at(regs, what & GIVEN_ROLE);
	call->start_ns = clock_ns();
	STAY_ON_STACK(regs, MAP_TLS_TAILS);
	return 0;
}

/* How many bytes a call moved. */
INLINE u64 moved_by(struct tls_call *call, u64 returned)
{
	s32 result = returned;
	u64 moved = 0;

	if (result <= 0)
		return 0;
	if (call->moved)
		read_user(&moved, sizeof(moved), (void *)call->moved);
	else
		moved = result;
	return moved;
}

INLINE struct stream *stream_of(struct tls_key *key)
{
	struct stream fresh = {}, *st = map_lookup(MAP(MAP_TLS_ENDS), key);

	if (st)
		return st;
	map_update(MAP(MAP_TLS_ENDS), key, &fresh, 0);
	return map_lookup(MAP(MAP_TLS_ENDS), key);
}

#if HAVE_SOCKETS
/*
 * The socket of a Go connection. A goroutine may change threads between its send and its return, so the calls around it tell
 * nothing for sure; but the object leads there: tls.Conn begins with a net.Conn, whose second word is the *net.TCPConn; that
 * is a *netFD; and that begins with a poll.FD: 16 bytes of a mutex, then the descriptor. 0: it is another kind of net.Conn.
 */
INLINE u64 go_sock(u64 object)
{
	u64 at = 0, descriptor = 0, number;
	struct watched *w;
	struct inode *inode;
	struct file *file;
	struct sock *sk;

	if (read_user(&at, sizeof(at), (void *)object + 8) || read_user(&at, sizeof(at), (void *)at)
	    || read_user(&descriptor, sizeof(descriptor), (void *)at + 16) || descriptor >> 31)
		return 0;
	file = file_of(descriptor);
	sk = file ? sock_of(file) : 0;
	w = sk ? map_lookup(MAP(MAP_WATCHED), &file) : 0;
	if (!w)
		return 0;
	inode = READ(file, f_inode);
	number = alias((u64)sk, READ(inode, i_ino));
	return w->sock == number ? number : 0;
}
#else
#define go_sock(object) 0
#endif

INLINE void tls_head(struct rec_plain *head, struct task_state *s, struct tls_key *key, u64 what)
{
	head->at_ns = clock_ns();
	head->connection = alias(key->object, key->proc);
	head->proc = s->proc;
	head->tid = s->tid;
	head->fd = -1;
	head->library = what / GIVEN_LIBRARY;
}

/* Like plain_put, with memory that no other probe here is using. */
INLINE void plain_put_apart(struct pt_regs *regs, struct rec_plain *head, u64 from, u64 size)
{
	struct apart *a = apart_take();

	plain_put(regs, a, head, from, size);
	if (a)
		__sync_fetch_and_add(&a->taken, -1);
}

/* Sends the next piece of a call. */
INLINE void tls_piece(struct pt_regs *regs, struct tls_call *call)
{
	u64 n = call->kept > PLAIN_CHUNK ? PLAIN_CHUNK : call->kept, length = call->kept > PLAIN_CHUNK ? PLAIN_CHUNK : call->span;

	n = UNKNOWN(call->head.kept, n);
	length = UNKNOWN(call->head.length, length);
	call->left -= length;
	call->head.flags = call->left ? call->head.flags | PLAIN_MORE : call->head.flags & ~PLAIN_MORE;
	plain_put_apart(regs, &call->head, call->buffer, n);
	call->head.position += length;
	call->buffer += length;
	call->kept -= n;
	call->span -= length;
}

/* All that is left is told of by one more record, without the bytes. */
INLINE void tls_rest(struct pt_regs *regs, struct tls_call *call)
{
	call->kept = 0;
	call->span = call->left;
	tls_piece(regs, call);
}

INLINE int tls_return(struct pt_regs *regs, int go)
{
	struct task_state *s = awake();
	u64 what = given(regs), sent = SENDS(what);
	u32 role = what & GIVEN_ROLE;
	struct tls_key key = {};
	struct tls_call *call;
	struct stream *st;
	struct flow *flow;
	u64 of;

	if (!s)
		return 0;
	of = call_key(regs, what);
	call = map_lookup(MAP(MAP_TLS_CALLS), &of);
	if (!call || !call->object)
		return 0;
	key.object = call->object;
	key.proc = s->proc;
	call->key = key;
	call->object = 0;
	call->left = moved_by(call, RETURNED(regs));
	if (!call->left && ((role != ROLE_READ && role != ROLE_READ_INNER) || (s32)RETURNED(regs)))
		return 0;                  /* a read of nothing is the other side's end */
	st = stream_of(&key);
	if (!st)
		return 0;
	flow = flow_of(st, sent);
	__builtin_memset(&call->head, 0, sizeof(call->head));
	tls_head(&call->head, s, &key, what);
	call->head.start_ns = call->start_ns;
	call->head.kind = PLAIN_TLS;
	_Static_assert(PLAIN_SENT == 1, "what is told is a number");
	call->head.flags = sent;
	if (go)
		call->head.sock = go_sock(key.object);
	call->head.position = flow->position;
	flow->position += call->left;
	call->kept = plain_kept(st, flow, call->head.position, sent, call->buffer, call->left);
	call->span = call->left;
	call->runs = 0;
	BARRIER;
	if (flow->frames && call->left) {
		call->kept = call->span = 0;
	} else {
		tls_piece(regs, call);
		if (!call->left)
			return 0;
	}
	tail_call(regs, MAP(MAP_TLS_TAILS), role);
	tls_rest(regs, call);
	return 0;
}

PROBE(on_tls_return)(struct pt_regs *regs)
{
	return tls_return(regs, 0);
}

/* Apart, since what leads to a socket there is long for the verifier, and needed by few. */
PROBE(on_go_return)(struct pt_regs *regs)
{
	return tls_return(regs, 1);
}

/* The rest of a call that moved much at once, or frames of HTTP/2. */
PROBE(on_tls_more)(struct pt_regs *regs)
{
	u64 what = given(regs), of = call_key(regs, what);
	struct tls_call *call = map_lookup(MAP(MAP_TLS_CALLS), &of);
	struct stream *st = call ? map_lookup(MAP(MAP_TLS_ENDS), &call->key) : 0;
	struct flow *flow;

	if (!st)
		return 0;
	flow = flow_of(st, SENDS(what));
	if (flow->frames == FRAMES_ASTRAY && !call->runs)
		frames_found(call, flow);
	call->runs += 1;
	if (flow->frames && call->runs > FRAME_RUNS)
		flow->frames = FRAMES_ASTRAY;
#pragma clang loop unroll(disable)
	ROUNDS(i, FRAME_STEPS, call->head.kept)
		if (call->left && !call->span)
			frame_step(call, flow);
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < CHUNKS; i++)
		if (call->span)
			tls_piece(regs, call);
	if (!call->left)
		return 0;
	tail_call(regs, MAP(MAP_TLS_TAILS), what & GIVEN_ROLE);
	tls_rest(regs, call);
	return 0;
}

PROBE(on_tls_free)(struct pt_regs *regs)
{
	struct task_state *s = awake();
	struct rec_plain head = {};
	struct tls_key key = {};

	if (!s)
		return 0;
	key.object = PARAMETER_0(regs, 0);
	key.proc = s->proc;
	if (!map_lookup(MAP(MAP_TLS_ENDS), &key))
		return 0;
	map_delete(MAP(MAP_TLS_ENDS), &key);
	tls_head(&head, s, &key, given(regs));
	head.kind = PLAIN_FREED;
	plain_put_apart(regs, &head, 0, 0);
	STAY_ON_STACK(regs, MAP_TLS_TAILS);
	return 0;
}

/* A file was mapped so that its code may run. */
PROBE(on_mapped)(u64 *ctx)
{
	REGISTERS(regs, ctx);
	struct task_state *s = current_state();
	u64 arguments[6];
	struct file *file;

	if (!s)
		return 0;
	load_arguments(regs, 0, arguments);
	file = (s32)arguments[4] >= 0 ? file_of(arguments[4]) : 0;
	if (file)
		image_tell(ctx, s, current_pid_tgid() >> 32, file);
	return 0;
}
#endif
