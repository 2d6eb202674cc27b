/* SPDX-License-Identifier: GPL-2.0-only */
/* What passes over sockets besides bytes that are only counted: messages of watched ones, and descriptors. */
#if DETAIL && HAVE_SOCKETS
#include "task.h"
#include "messages.h"
#include "watch.h"

#define VECTORS 2          /* of one message that are read */
#define MESSAGES 2         /* of one sendmmsg or recvmmsg: a resolver asks for IPv4 and IPv6 at once */
#define CONTROLS 3
#define DESCRIPTORS 8      /* of one SCM_RIGHTS; the kernel allows 253 */
#define SOL_SOCKET 1
#define SCM_RIGHTS 1

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

INLINE int names_a_resolver(u64 name)
{
	struct user_address address = {};

	return name && !read_user(&address, 4, (void *)name) && (address.family == AF_INET || address.family == AF_INET6)
		&& __builtin_bswap16(address.port) == PORT_DNS;
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

PROBE(on_data)(u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	struct task_state *s = current_state();
	struct plan *plan = s ? plan_of(s->sysno) : 0;
	struct message *m = workbench();
	struct inode *inode;
	struct sock *sk;
	u64 a[6], result = ctx[1];

	asm volatile("" : "+r"(result));
	if (!plan || !m)
		return 0;
	load_arguments(regs, 0, a);
	m->fd = a[0];
	m->file = file_of(m->fd);
	sk = m->file ? sock_of(m->file) : 0;
	if (!sk)
		return 0;
	inode = READ(m->file, f_inode);
	m->sock = alias((u64)sk, READ(inode, i_ino));
	m->count = m->name = 0;
	m->sends = plan->flags / PLAN_SENDS & 1;
	m->base = a[1];
	m->length = result;
	if (plan->flags & PLAN_ADDRESSED)
		m->name = a[4];
	if (plan->flags & PLAN_VECTOR)
		m->count = a[2];
	/* Unrolled: of the loop the compiler makes one that Linux 5.10 does not take, since only a jump may lead back ("back-edge"). */
#pragma clang loop unroll(full)
	for (u32 i = 0; i < MESSAGES; i++) {
		struct user_message one;

		if (plan->flags & PLAN_MESSAGES) {
			/* The arrays of sendmmsg and recvmmsg; or the one that sendmsg and recvmsg have. */
			void *at = (void *)a[1] + i * sizeof(one);

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
			keep(ctx, s, sk, m);
		else if (READ(sk, sk_type) == SOCK_STREAM && (m->sends ? result != 0 : !is_peek(plan, a)))
			tail_call(ctx, MAP(MAP_TAILS), TAIL_STREAM);
		if (plan->tail == TAIL_MESSAGE || !(plan->flags & PLAN_MESSAGES) || i + 1 >= result)
			return 0;
	}
	/* There are more than are looked at. */
	ledger_add(LANE_PAYLOAD, COUNTED);
	ledger_add(LANE_PAYLOAD, LOST);
	return 0;
}

#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030

/* A watched socket has another descriptor, or two sockets were made at once: what calls do with those is looked at, too. */
PROBE(on_copied)(u64 *ctx)
{
	struct task_state *s = current_state();
	struct plan *plan = s ? plan_of(s->sysno) : 0;
	u64 a[6], result = ctx[1];
	s32 both[2];

	asm volatile("" : "+r"(result));
	if (!plan)
		return 0;
	load_arguments((struct pt_regs *)ctx[0], 0, a);
	if (plan->flags & PLAN_GATED) {
		if (!(plan->flags & PLAN_COMMAND) || a[1] == F_DUPFD || a[1] == F_DUPFD_CLOEXEC)
			gate_mark(result);
	} else if (!read_user(both, sizeof(both), (void *)a[3])) {
		gate_mark(both[0]);
		gate_mark(both[1]);
	}
	return 0;
}

INLINE void pass(void *ctx, struct task_state *s, s32 fd, u32 kind)
{
	struct rec_socket r = {};
	struct file *file = file_of(fd);
	struct sock *sk;

	if (!file)
		return;
	sk = file_fill(&r, file);
	r.at_ns = clock_ns();
	r.kind = kind;
	r.proc = s->proc;
	r.tid = s->tid;
	r.fd = fd;
	if (sk) {
		kind_fill(&r, sk);
		if (kind == SOCK_PASSED) {
			follow(&r, sk);
			gate_mark(fd);
		}
	}
	socket_send(ctx, &r);
}

/* Descriptors of one message that are still to be told of; on the workbench. */
struct passing {
	u64 at;
	u32 left, kind;
	u32 data;                  /* whether the message itself is looked at, too */
};

/* Where the descriptors lie that go from process to process with a message over a Unix socket (unix(7), SCM_RIGHTS), and how many. */
INLINE u64 descriptors_of(struct user_message *message, u64 *where)
{
	u64 at = message->control, left = message->control_length, step;
	struct user_control head = {};

#pragma clang loop unroll(disable)
	for (u32 i = 0; i < CONTROLS; i++) {
		if (left < sizeof(head) || read_user(&head, sizeof(head), (void *)at) || head.length < sizeof(head) || head.length > left)
			return 0;
		if (head.level == SOL_SOCKET && head.type == SCM_RIGHTS) {
			*where = at + sizeof(head);
			return (head.length - sizeof(head)) / 4;
		}
		step = (head.length + 7) & ~7ULL;
		at += step;
		left -= left < step ? left : step;
	}
	return 0;
}

PROBE(on_message)(u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	struct task_state *s = current_state();
	struct plan *plan = s ? plan_of(s->sysno) : 0;
	struct passing *p = workbench();
	struct user_message message;
	u64 sends, count, at = 0;

	if (!plan || !p || read_user(&message, MESSAGE_BYTES, (void *)ARGUMENT_1(regs)))
		return 0;
	sends = OPAQUE(plan->flags / PLAN_SENDS & 1);
	_Static_assert(SOCK_HANDED == SOCK_PASSED + 1, "what is told is calculated");
	p->kind = SOCK_PASSED + sends;
	p->data = gate_open(ARGUMENT_0(regs)) || (sends && names_a_resolver(message.name));
	count = message.control_length && message.control ? descriptors_of(&message, &at) : 0;
	p->at = at;
	p->left = AT_MOST(count, DESCRIPTORS);
	if (count > DESCRIPTORS) {
		ledger_add(LANE_SOCKETS, COUNTED);
		ledger_add(LANE_SOCKETS, LOST);
	}
	if (count)
		tail_call(ctx, MAP(MAP_TAILS), TAIL_HANDED);
	if (p->data)
		tail_call(ctx, MAP(MAP_TAILS), TAIL_DATA);
	return 0;
}

/* One descriptor; the next one is another run's, for the verifier would walk this again for each. */
PROBE(on_handed)(u64 *ctx)
{
	struct task_state *s = current_state();
	struct passing *p = workbench();
	s32 fd;

	if (!s || !p)
		return 0;
	if (p->left && !read_user(&fd, sizeof(fd), (void *)p->at)) {
		p->at += sizeof(fd);
		p->left -= 1;
		pass(ctx, s, fd, p->kind);
		tail_call(ctx, MAP(MAP_TAILS), TAIL_HANDED);
	}
	if (p->data)
		tail_call(ctx, MAP(MAP_TAILS), TAIL_DATA);
	return 0;
}
#endif
