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
	struct rec_socket *r = workbench();
	struct file *file;
	struct sock *sk;
	u64 result = ctx[1];

	asm volatile("" : "+r"(result));   /* else the compiler picks between addresses in ctx */
	if (!plan || !r)
		return 0;
	__builtin_memset(r, 0, sizeof(*r));
	r->result = result;
	r->fd = plan->tail == TAIL_SOCKET ? (s32)ARGUMENT_0((struct pt_regs *)ctx[0]) : r->result;
	file = file_of(r->fd);
	if (!file)
		return 0;
	sk = file_fill(r, file);
	if (!sk && plan->tail != TAIL_PASSED)
		return 0;
	r->at_ns = clock_ns();
	r->kind = plan->tail == TAIL_PASSED ? SOCK_PASSED : SOCK_BOUND;
	r->proc = s->proc;
	r->tid = s->tid;
	r->call = s->sysno;
	if (sk)
		describe(ctx, r, file, sk);
	socket_send(ctx, r);
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

INLINE void tcp_state(u64 *ctx)
{
	struct rec_socket r = {};

	if (!tcp_event(&r, (void *)ctx[0], SOCK_STATE))
		return;
	r.old_state = ctx[1];
	r.new_state = ctx[2];
	socket_send(ctx, &r);
}

INLINE void tcp_tell(u64 *ctx, u32 kind)
{
	struct rec_socket r = {};

	if (tcp_event(&r, (void *)ctx[0], kind))
		socket_send(ctx, &r);
}

INLINE void tcp_destroy(u64 *ctx)
{
	void *sk = (void *)ctx[0];
	struct rec_socket r = {};

	if (!tcp_event(&r, sk, SOCK_ENDED))
		return;
	map_delete(MAP(MAP_SOCKS), &sk);
	socket_send(ctx, &r);
}

/*
 * Events of TCP happen in calls and in interrupts. An interrupt may come while a program tells of one, and the kernel does not enter
 * a program that is already running on its CPU. So there are two of each: the second one does the work if the first is in the middle of it.
 */
#define TCP_PROBES(name, kind, work) \
PROBE(name)(u64 *ctx) \
{ \
	struct scratch *s_ = scratch(); \
	if (!s_) \
		return 0; \
	s_->tcp[kind] = 1; \
	BARRIER; \
	work; \
	BARRIER; \
	s_->tcp[kind] = 0; \
	return 0; \
} \
PROBE(name##_within)(u64 *ctx) \
{ \
	struct scratch *s_ = scratch(); \
	if (s_ && s_->tcp[kind]) \
		work; \
	return 0; \
}

TCP_PROBES(on_tcp_state, SOCK_STATE, tcp_state(ctx))
TCP_PROBES(on_tcp_retransmit, SOCK_RETRANSMIT, tcp_tell(ctx, SOCK_RETRANSMIT))
TCP_PROBES(on_tcp_reset_sent, SOCK_RESET_SENT, tcp_tell(ctx, SOCK_RESET_SENT))
TCP_PROBES(on_tcp_reset_received, SOCK_RESET_RECEIVED, tcp_tell(ctx, SOCK_RESET_RECEIVED))
TCP_PROBES(on_tcp_destroy, SOCK_ENDED, tcp_destroy(ctx))

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
