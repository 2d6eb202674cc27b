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
	REGISTERS(regs, ctx);
	struct task_state *s = current_state();
	struct plan *plan = s ? plan_of(s->sysno) : 0;
	struct description *d = workbench();
	u64 result = ctx[1];

	asm volatile("" : "+r"(result));   /* else the compiler picks between addresses in ctx */
	if (!plan || !d)
		return 0;
	__builtin_memset(&d->r, 0, sizeof(d->r));
	d->r.result = result;
	d->r.fd = plan->tail == TAIL_SOCKET ? (s32)ARGUMENT_0(regs) : d->r.result;
	d->file = file_of(d->r.fd);
	if (!d->file)
		return 0;
	d->sk = file_fill(&d->r, d->file);
	d->r.at_ns = clock_ns();
	d->r.kind = plan->tail == TAIL_PASSED ? SOCK_PASSED : SOCK_BOUND;
	d->r.proc = s->proc;
	d->r.tid = s->tid;
	d->r.call = s->sysno;
	if (d->sk)
		tail_call(ctx, MAP(MAP_TAILS), TAIL_DESCRIBED);
	else if (plan->tail == TAIL_PASSED)
		socket_send(ctx, &d->r);
	return 0;
}

/* A descriptor stands for this socket now: all there is to know of it, and whatever has to follow from that. */
PROBE(on_described)(u64 *ctx)
{
	struct description *d = workbench();

	if (!d)
		return 0;
	kind_fill(&d->r, d->sk);
	follow(&d->r, d->sk);
	sock_fill(&d->r, d->sk);
	if (d->r.fd >= 0)
		listen_in(&d->r, d->file, d->sk);
	if (d->r.family == AF_UNIX) {
		d->named = 0;
		tail_call(ctx, MAP(MAP_TAILS), TAIL_UNIX);
	}
	socket_send(ctx, &d->r);
	return 0;
}

/* The name of one end of a Unix socket; the other end's is another run's, for the verifier would walk this again for each. */
PROBE(on_unix)(u64 *ctx)
{
	struct description *d = workbench();
	u64 id;

	if (!d)
		return 0;
	id = unix_name(ctx, d->sk);
	if (d->named) {
		d->r.peer_name_id = id;
	} else {
		d->r.name_id = id;
		d->named = 1;
		d->sk = READ((struct unix_sock *)d->sk, peer);
		if (d->sk) {
			d->r.peer = alias((u64)d->sk, inode_of(d->sk));
			tail_call(ctx, MAP(MAP_TAILS), TAIL_UNIX);
		}
	}
	socket_send(ctx, &d->r);
	return 0;
}

/*
 * Events of TCP happen in calls and in interrupts. An interrupt may come while a program tells of one, and the kernel does not enter
 * a program that is already running on its CPU. So there are two of each, and the second one tells of what the first has not told of.
 * What was told is written down with the socket: an interrupt is about another one, since this one's is locked, or about nobody's.
 */
INLINE int tcp_event(u64 *ctx, u32 event, int second)
{
	u64 sk = ctx[0];           /* 0: a reset may answer a packet that was for no socket */
	struct sock_state *state = sk ? map_lookup(MAP(MAP_SOCKS), &sk) : 0;

	if (!state)
		return 0;
	if (second && state->told == event) {
		state->told = 0;
		return 0;
	}
	state->told = event;
	tail_call(ctx, MAP(MAP_TAILS), TAIL_TCP);
	return 0;
}

/* A state is left once only, so there even what was told before and not by the first program is another event. */
#define TCP_CHANGE(ctx) (SOCK_STATE | (u32)(ctx)[1] << 8 | (u32)(ctx)[2] << 16)

#define TCP_PROBES(name, event) \
PROBE(name)(u64 *ctx) { return tcp_event(ctx, event, 0); } \
PROBE(name##_within)(u64 *ctx) { return tcp_event(ctx, event, 1); }

TCP_PROBES(on_tcp_state, TCP_CHANGE(ctx))
TCP_PROBES(on_tcp_retransmit, SOCK_RETRANSMIT)
TCP_PROBES(on_tcp_reset_sent, SOCK_RESET_SENT)
TCP_PROBES(on_tcp_reset_received, SOCK_RESET_RECEIVED)
TCP_PROBES(on_tcp_destroy, SOCK_ENDED)

/* include/net/tcp_states.h */
#define TCP_SYN_RECV 3
#define TCP_LISTEN 10

/* Something happened to a traced process's TCP socket. */
PROBE(on_tcp)(u64 *ctx)
{
	struct rec_socket r = {};
	struct sock_state *state;
	u64 sk = ctx[0];

	state = map_lookup(MAP(MAP_SOCKS), &sk);
	if (!state)
		return 0;
	if (state->told == (SOCK_STATE | TCP_LISTEN << 8 | TCP_SYN_RECV << 16)) {
		/* Another one begins at its address: of its end nothing was told. Some hosts keep BPF out of a process, and of interrupts in it. */
		map_delete(MAP(MAP_SOCKS), &sk);
		return 0;
	}
	r.at_ns = clock_ns();
	r.kind = (u8)state->told;
	r.sock = state->sock;
	r.proc = state->proc;
	r.fd = -1;
	kind_fill(&r, (void *)sk);
	sock_fill(&r, (void *)sk);
	if (r.kind == SOCK_STATE) {
		r.old_state = ctx[1];
		r.new_state = ctx[2];
	}
	if (r.kind == SOCK_ENDED)
		map_delete(MAP(MAP_SOCKS), &sk);
	socket_send(ctx, &r);
	STAY_ON_STACK(ctx, MAP_TAILS);
	return 0;
}

struct socket_census_context {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

/* An iterator over all open files: the sockets that traced processes have. As with on_census, what counts changes after the write. */
PROBE(on_socket_census)(struct socket_census_context *ctx)
{
	struct control *control = map_lookup(MAP(MAP_CONTROL), KEY(0));
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
	kind_fill(&r, sk);
	if (control->census & CENSUS_ALIVE && !is_tcp(&r))
		return 0;
	r.at_ns = clock_ns();
	r.proc = s->proc;
	follow(&r, sk);
	sock_fill(&r, sk);
	r.kind = control->census & CENSUS_ALIVE ? SOCK_ALIVE : SOCK_BOUND;
	r.tid = s->tid;
	r.fd = ctx->fd;
	r.call = SYSNO_LIMIT;
	if (seq_write(ctx->meta->seq, &r, sizeof(r)))
		return 0;
	ledger_add(LANE_SOCKETS, COUNTED);
	listen_in(&r, file, sk);
	return 0;
}
#endif
