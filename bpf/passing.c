/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors that are copied, and that go from process to process with a message. */
#if DETAIL && HAVE_SOCKETS
#include "task.h"
#include "messages.h"
#include "watch.h"

#define CONTROLS 3
#define DESCRIPTORS 8      /* of one SCM_RIGHTS; the kernel allows 253 */
#define SOL_SOCKET 1
#define SCM_RIGHTS 1

#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030

/* A watched socket has another descriptor, or two sockets were made at once: what calls do with those is looked at, too. */
PROBE(on_copied)(u64 *ctx)
{
	REGISTERS(regs, ctx);
	struct task_state *s = current_state();
	struct plan *plan = s ? plan_of(s->sysno) : 0;
	u64 a[6], result = ctx[1];
	s32 both[2];

	asm volatile("" : "+r"(result));
	if (!plan)
		return 0;
	load_arguments(regs, 0, a);
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
	REGISTERS(regs, ctx);
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
