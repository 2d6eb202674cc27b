/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages of sockets that are watched. */
#if DETAIL && HAVE_SOCKETS
#include "task.h"
#include "messages.h"
#include "watch.h"

#define VECTORS 2          /* of one message that are read */
#define MESSAGES 2         /* of one sendmmsg or recvmmsg: a resolver asks for IPv4 and IPv6 at once */

INLINE void other_end(struct rec_payload *p, struct message *m, struct sock *sk)
{
	struct user_address address = {};

	p->family = READ(sk, __sk_common_skc_family);
	p->port = 0;
	__builtin_memset(p->address, 0, sizeof(p->address));
	if (m->name && !read_user(&address, 16, (void *)m->name)) {
		/* Not always the socket's family: one for IPv6 sends to IPv4 addresses, too (udpv6_sendmsg()). */
		if (address.family == AF_INET)
			__builtin_memcpy(p->address, address.rest, 4);
		else if (address.family == AF_INET6)
			read_user(p->address, 16, (void *)m->name + 8);
		else
			return;
		p->family = address.family;
		p->port = __builtin_bswap16(address.port);
	} else if (p->family == AF_INET) {
		p->port = __builtin_bswap16(READ(sk, __sk_common_skc_dport));
		read_kernel(p->address, 4, &sk->__sk_common_skc_daddr);
	} else if (p->family == AF_INET6) {
		p->port = __builtin_bswap16(READ(sk, __sk_common_skc_dport));
		read_kernel(p->address, 16, sk->__sk_common_skc_v6_daddr);
	}
}

/* Copies the message behind the record's head; returns the bytes that were kept. */
INLINE u64 gather(u8 *to, struct message *m)
{
	u64 kept = 0, left = AT_MOST(m->length, PAYLOAD_BYTES);
	struct user_vector vector;

	if (!m->count)
		return read_user(to, left, (void *)m->base) ? 0 : left;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < VECTORS; i++) {
		u64 n;

		if (i >= m->count || kept >= left || read_user(&vector, sizeof(vector), (void *)m->base + i * sizeof(vector)))
			break;
		n = vector.length > left - kept ? left - kept : vector.length;
		/*
		 * That kept is less than left is known of other registers by now: Linux 5.10 and 6.1 walk the way on which the difference
		 * is negative, too, and for them only the mask ends it.
		 */
		n = AT_MOST(n, PAYLOAD_BYTES) & (2 * PAYLOAD_BYTES - 1);
		kept = AT_MOST(kept, PAYLOAD_BYTES);
		if (read_user(to + kept, n, (void *)vector.base))
			break;
		kept += n;
	}
	return AT_MOST(kept, PAYLOAD_BYTES);
}

INLINE void keep(void *ctx, struct task_state *s, struct sock *sk, struct message *m)
{
	struct scratch *space = scratch();
	struct rec_payload *p;
	u64 kept;

	if (!space)
		return;
	p = (void *)space->bytes;
	p->at_ns = clock_ns();
	p->sock = m->sock;
	p->proc = s->proc;
	p->tid = s->tid;
	p->fd = m->fd;
	p->length = m->length;
	other_end(p, m, sk);
	kept = gather(space->bytes + sizeof(*p), m);
	p->kept = kept;
	p->flags = (m->sends ? PAYLOAD_SENT : 0) | (kept < m->length ? PAYLOAD_CUT : 0) | (READ(sk, sk_type) == SOCK_STREAM ? PAYLOAD_STREAM : 0);
	ledger_add(LANE_PAYLOAD, COUNTED);
	lane_send(ctx, MAP_PAYLOAD, LANE_PAYLOAD, p, sizeof(*p) + kept, RB_NO_WAKEUP);
}

/* Whether a socket's messages are kept. A first message to a name server makes it so. */
INLINE int is_kept(struct message *m)
{
	struct watched *w = map_lookup(MAP(MAP_WATCHED), &m->file);

	if (w && w->sock == m->sock && w->kind == WATCH_RESOLVER)
		return 1;
	if (!m->sends || !names_a_resolver(m->name))
		return 0;
	watch(m->fd, m->sock, m->file, WATCH_RESOLVER);
	return 1;
}

#define MSG_PEEK 2

/* Bytes that are only looked at will come again. */
INLINE int is_peek(struct plan *plan, u64 *a)
{
	if (plan->flags & PLAN_ADDRESSED)
		return a[3] & MSG_PEEK;
	return plan->tail == TAIL_MESSAGE && a[2] & MSG_PEEK;
}

/* A call on a socket that may be watched: what its messages have in common. */
PROBE(on_data)(u64 *ctx)
{
	REGISTERS(regs, ctx);
	struct task_state *s = current_state();
	struct plan *plan = s ? plan_of(s->sysno) : 0;
	struct message *m = workbench();
	struct inode *inode;
	u64 a[6];

	if (!plan || !m)
		return 0;
	load_arguments(regs, 0, a);
	m->fd = a[0];
	m->file = file_of(m->fd);
	m->sk = m->file ? sock_of(m->file) : 0;
	if (!m->sk)
		return 0;
	inode = READ(m->file, f_inode);
	m->sock = alias((u64)m->sk, READ(inode, i_ino));
	m->sends = plan->flags / PLAN_SENDS & 1;
	m->base = m->array = a[1];
	m->length = ctx[1];
	m->name = plan->flags & PLAN_ADDRESSED ? a[4] : 0;
	m->count = plan->flags & PLAN_VECTOR ? a[2] : 0;
	m->passes = m->sends ? ctx[1] != 0 : !is_peek(plan, a);
	m->index = 0;
	tail_call(ctx, MAP(MAP_TAILS), TAIL_ONE);
	return 0;
}

/* One message; the next one is another run's, for the verifier would walk this again for each. */
PROBE(on_one)(u64 *ctx)
{
	struct task_state *s = current_state();
	struct plan *plan = s ? plan_of(s->sysno) : 0;
	struct message *m = workbench();
	u64 result = ctx[1];

	if (!plan || !m)
		return 0;
	if (plan->flags & PLAN_MESSAGES) {
		/* The arrays of sendmmsg and recvmmsg; or the one that sendmsg and recvmsg have. */
		struct user_message one;
		void *at = (void *)m->array + m->index * sizeof(one);

		/*
		 * The length apart, into map memory: of a read of one of two sizes Linux 5.10 takes only the first bytes of the
		 * stack for written.
		 */
		if (read_user(&one, MESSAGE_BYTES, at)
		    || (plan->tail != TAIL_MESSAGE && read_user(&m->length, sizeof(m->length), at + __builtin_offsetof(struct user_message, moved))))
			return 0;
		m->base = one.vectors;
		m->count = one.count;
		m->name = one.name;
	}
	if (is_kept(m))
		keep(ctx, s, m->sk, m);
	else if (m->passes && READ(m->sk, sk_type) == SOCK_STREAM)
		tail_call(ctx, MAP(MAP_TAILS), TAIL_STREAM);
	m->index += 1;
	if (plan->tail == TAIL_MESSAGE || !(plan->flags & PLAN_MESSAGES) || m->index >= result)
		return 0;
	if (m->index < MESSAGES)
		tail_call(ctx, MAP(MAP_TAILS), TAIL_ONE);
	/* There are more than are looked at. */
	ledger_add(LANE_PAYLOAD, COUNTED);
	ledger_add(LANE_PAYLOAD, LOST);
	return 0;
}
#endif
