/* SPDX-License-Identifier: GPL-2.0-only */
/* What passes over sockets besides bytes that are only counted: messages of watched ones, and descriptors. */
#if DETAIL && HAVE_SOCKETS
#include "task.h"
#include "watch.h"

/* As user programs of 64 bits lay them out: include/uapi/linux/socket.h, linux/uio.h */
struct user_vector { u64 base, length; };
struct user_message { u64 name; u32 name_length, pad; u64 vectors, count, control, control_length; u32 flags, pad_2, moved, pad_3; };
struct user_control { u64 length; u32 level, type; };
struct user_address { u16 family, port; u8 rest[24]; };

#define VECTORS 2          /* of one message that are read */
#define MESSAGES 2         /* of one sendmmsg or recvmmsg: a resolver asks for IPv4 and IPv6 at once */
#define CONTROLS 3
#define DESCRIPTORS 8      /* of one SCM_RIGHTS; the kernel allows 253 */
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define SOCK_STREAM 1

/* One message, where it is and whose. */
struct message {
	u64 base;                  /* the bytes, or an array of struct user_vector */
	u64 count;                 /* of vectors; 0: base is the bytes themselves */
	u64 name;                  /* address of the other end in user memory, 0 if none was given */
	u32 length;
	u32 sends;
};

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
		n = AT_MOST(n, PAYLOAD_BYTES);
		kept = AT_MOST(kept, PAYLOAD_BYTES);
		if (read_user(to + kept, n, (void *)vector.base))
			break;
		kept += n;
	}
	return AT_MOST(kept, PAYLOAD_BYTES);
}

INLINE void keep(void *ctx, struct task_state *s, s32 fd, u64 sock, struct sock *sk, struct message *m)
{
	struct scratch *space = scratch();
	struct rec_payload *p;
	u64 kept;

	if (!space)
		return;
	p = (void *)space->bytes;
	p->at_ns = clock_ns();
	p->sock = sock;
	p->proc = s->proc;
	p->tid = s->tid;
	p->fd = fd;
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

/* The number of the watched socket behind a descriptor; 0 if it is not watched. A first message to a name server makes it so. */
INLINE u64 watched_sock(struct file *file, struct sock *sk, s32 fd, u64 name, u32 sends)
{
	struct inode *inode = READ(file, f_inode);
	u64 sock = alias((u64)sk, READ(inode, i_ino));
	struct watched *w = map_lookup(MAP(MAP_WATCHED), &file);

	if (w && w->sock == sock)
		return sock;
	if (!sends || !names_a_resolver(name))
		return 0;
	watch(fd, sock, file);
	return sock;
}

PROBE(on_data)(u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	struct task_state *s = current_state();
	struct plan *plan = s ? plan_of(s->sysno) : 0;
	struct message *m = workbench();
	struct file *file;
	struct sock *sk;
	u64 a[6], sock, result = ctx[1];

	asm volatile("" : "+r"(result));
	if (!plan || !m)
		return 0;
	load_arguments(regs, 0, a);
	file = file_of(a[0]);
	sk = file ? sock_of(file) : 0;
	if (!sk)
		return 0;
	m->count = m->name = 0;
	m->sends = plan->flags & PLAN_SENDS;
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
			if (read_user(&one, plan->tail == TAIL_MESSAGE ? 56 : 64, (void *)a[1] + i * 64))
				return 0;
			m->base = one.vectors;
			m->count = one.count;
			m->name = one.name;
			if (plan->tail != TAIL_MESSAGE)
				m->length = one.moved;
		}
		sock = watched_sock(file, sk, a[0], m->name, m->sends);
		if (sock)
			keep(ctx, s, a[0], sock, sk, m);
		if (plan->tail == TAIL_MESSAGE || !(plan->flags & PLAN_MESSAGES) || i + 1 >= result)
			return 0;
	}
	/* There are more than are looked at. */
	ledger_add(LANE_PAYLOAD, COUNTED);
	ledger_add(LANE_PAYLOAD, LOST);
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
		if (kind == SOCK_PASSED)
			follow(&r, sk);
	}
	socket_send(ctx, &r);
}

/* Descriptors that go from process to process over a Unix socket (unix(7), SCM_RIGHTS). */
INLINE void pass_all(void *ctx, struct task_state *s, struct user_message *message, u32 kind)
{
	u64 at = message->control, left = message->control_length, count = 0, step;
	struct user_control head = {};

#pragma clang loop unroll(disable)
	for (u32 i = 0; i < CONTROLS; i++) {
		if (left < sizeof(head) || read_user(&head, sizeof(head), (void *)at) || head.length < sizeof(head) || head.length > left)
			return;
		if (head.level == SOL_SOCKET && head.type == SCM_RIGHTS) {
			count = (head.length - sizeof(head)) / 4;
			break;
		}
		step = (head.length + 7) & ~7ULL;
		at += step;
		left -= left < step ? left : step;
	}
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < DESCRIPTORS; i++) {
		s32 fd;

		if (i >= count || read_user(&fd, sizeof(fd), (void *)at + sizeof(head) + i * 4))
			return;
		pass(ctx, s, fd, kind);
	}
	if (count > DESCRIPTORS) {
		ledger_add(LANE_SOCKETS, COUNTED);
		ledger_add(LANE_SOCKETS, LOST);
	}
}

PROBE(on_message)(u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	struct task_state *s = current_state();
	struct plan *plan = s ? plan_of(s->sysno) : 0;
	struct user_message message;
	u64 sends;

	if (!plan || read_user(&message, 56, (void *)ARGUMENT_1(regs)))
		return 0;
	/* A number, not a choice between two: the verifier would walk the loop for each. */
	sends = OPAQUE(plan->flags / PLAN_SENDS & 1);
	_Static_assert(SOCK_HANDED == SOCK_PASSED + 1, "what is told is calculated");
	if (message.control_length && message.control)
		pass_all(ctx, s, &message, SOCK_PASSED + sends);
	if (gate_open(ARGUMENT_0(regs)) || (sends && names_a_resolver(message.name)))
		tail_call(ctx, MAP(MAP_TAILS), TAIL_DATA);
	return 0;
}
#endif
