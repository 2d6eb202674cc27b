/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets: which one a descriptor stands for, with both addresses as the kernel has them, and what becomes of TCP
 * connections. The tracepoints of TCP run wherever a packet arrives, for any process: what counts there is whether a traced
 * process has had the socket (MAP_SOCKS), never who happens to run.
 */
#if DETAIL && HAVE_SOCKETS
#include "task.h"
#include "watch.h"

/* After calls that make a socket, give it an address, or bring a descriptor in from elsewhere. */
PROBE(on_socket)(u64 *ctx)
{
	struct task_state *s = current_state();
	struct plan *plan = s ? plan_of(s->sysno) : 0;
	struct rec_socket r = {};
	struct file *file;
	struct sock *sk;
	u64 result = ctx[1];

	asm volatile("" : "+r"(result));   /* else the compiler picks between addresses in ctx */
	if (!plan)
		return 0;
	r.result = result;
	r.fd = plan->tail == TAIL_SOCKET ? (s32)ARGUMENT_0((struct pt_regs *)ctx[0]) : r.result;
	file = file_of(r.fd);
	if (!file)
		return 0;
	sk = file_fill(&r, file);
	if (!sk && plan->tail != TAIL_PASSED)
		return 0;
	r.at_ns = clock_ns();
	r.kind = plan->tail == TAIL_PASSED ? SOCK_PASSED : SOCK_BOUND;
	r.proc = s->proc;
	r.tid = s->tid;
	r.call = s->sysno;
	if (sk)
		describe(ctx, &r, file, sk);
	socket_send(ctx, &r);
	return 0;
}

/* Something happened to a TCP socket: told if it is a traced process's. */
INLINE int tcp_event(struct rec_socket *r, struct sock *sk, u32 kind)
{
	struct sock_state *state;

	if (!sk)                   /* a reset may answer a packet that was for no socket */
		return 0;
	state = map_lookup(MAP(MAP_SOCKS), &sk);
	if (!state)
		return 0;
	r->at_ns = clock_ns();
	r->kind = kind;
	r->sock = state->sock;
	r->proc = state->proc;
	r->fd = -1;
	sock_fill(r, sk);
	return 1;
}

INLINE int tcp_tell(u64 *ctx, u32 kind)
{
	struct rec_socket r = {};

	if (tcp_event(&r, (void *)ctx[0], kind))
		socket_send(ctx, &r);
	return 0;
}

PROBE(on_tcp_state)(u64 *ctx)
{
	struct rec_socket r = {};

	if (!tcp_event(&r, (void *)ctx[0], SOCK_STATE))
		return 0;
	r.old_state = ctx[1];
	r.new_state = ctx[2];
	socket_send(ctx, &r);
	return 0;
}

PROBE(on_tcp_retransmit)(u64 *ctx)
{
	return tcp_tell(ctx, SOCK_RETRANSMIT);
}

PROBE(on_tcp_reset_sent)(u64 *ctx)
{
	return tcp_tell(ctx, SOCK_RESET_SENT);
}

PROBE(on_tcp_reset_received)(u64 *ctx)
{
	return tcp_tell(ctx, SOCK_RESET_RECEIVED);
}

PROBE(on_tcp_destroy)(u64 *ctx)
{
	void *sk = (void *)ctx[0];
	struct rec_socket r = {};

	if (!tcp_event(&r, sk, SOCK_ENDED))
		return 0;
	map_delete(MAP(MAP_SOCKS), &sk);
	socket_send(ctx, &r);
	return 0;
}

struct socket_census_context {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

/* An iterator over all open files: the sockets that traced processes have. As with on_census, state changes after the write. */
PROBE(on_socket_census)(struct socket_census_context *ctx)
{
	u32 zero = 0;
	struct control *control = map_lookup(MAP(MAP_CONTROL), &zero);
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct rec_socket r = {};
	struct task_state *s;
	struct sock *sk;

	if (!task || !file || !control)
		return 0;
	s = state_at(READ(task, pid));
	if (!s || s->flags & STATE_ASLEEP)
		return 0;
	sk = file_fill(&r, file);
	if (!sk)
		return 0;
	sock_fill(&r, sk);
	if (control->census & CENSUS_ALIVE && !is_tcp(&r))
		return 0;
	r.at_ns = clock_ns();
	r.kind = control->census & CENSUS_ALIVE ? SOCK_ALIVE : SOCK_BOUND;
	r.proc = s->proc;
	r.tid = s->tid;
	r.fd = ctx->fd;
	r.call = SYSNO_LIMIT;
	if (seq_write(ctx->meta->seq, &r, sizeof(r)))
		return 0;
	ledger_add(LANE_SOCKETS, COUNTED);
	follow(&r, sk);
	listen_in(&r, file, sk);
	return 0;
}
#endif
