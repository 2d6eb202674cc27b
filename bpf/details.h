/* SPDX-License-Identifier: GPL-2.0-only */
/* The detail record of one call: what its arguments were. tracer/syscalls/plans.py says which of them are told, and how. */
#pragma once
#include "task.h"
#include "strings.h"
#include "files.h"

#if DETAIL
/* Where a socket address lies, and how long it is; 0 where there is none. */
INLINE u64 address_at(struct slot *slot, u64 *arguments, u32 *length, u32 *call_flags)
{
	u64 at = arguments[slot->a & 7], size = arguments[slot->b & 7];
	struct { u64 name; u32 length; u32 pad; } message = {};

	*length = size;
	if (slot->kind == SLOT_MESSAGE) {
		if (read_user(&message, 12, (void *)at))
			*call_flags |= CALL_UNREADABLE;
		*length = message.length;
		return message.name;
	}
	if (slot->kind == SLOT_ADDRESS_AT && read_user(length, sizeof(*length), (void *)size))
		return 0;
	return at;
}

/*
 * Strings are read at exit: the kernel has just read the same bytes, so the page is there; at entry it may not be. The
 * price is that another thread may have written to the buffer meanwhile.
 */
INLINE u64 slot_value(void *ctx, struct task_state *s, struct slot *slot, u64 *arguments, u32 *call_flags)
{
	u64 a = arguments[slot->a & 7], value = 0, kept;
	u32 kind = slot->kind, length;
	struct scratch *space;

	if (kind == SLOT_VALUE)
		return a;
	if (kind == SLOT_PAIR)
		return (u32)a | arguments[slot->b & 7] << 32;
	space = scratch();
	if (!space)
		return 0;
	if (kind == SLOT_STRING) {
		long n = read_user_str(space->bytes, PATH_BYTES + 2, (void *)a);

		if (n <= 0)
			goto unreadable;
		/* One byte more than is kept tells a string that just fits from one that is longer, nobody knows by how much. */
		length = n - 1;
		kept = AT_MOST(n - 1, PATH_BYTES);
	} else if (kind == SLOT_PEEK) {
		if (read_user(&value, sizeof(value), (void *)a))
			goto unreadable;
		return value;
	} else {
		a = address_at(slot, arguments, &length, call_flags);
		if (!a || !length)
			return 0;
		kept = AT_MOST(length, ADDRESS_BYTES);
		if (read_user(space->bytes, kept, (void *)a))
			goto unreadable;
		if (space->bytes[0] != AF_UNIX && space->bytes[2] == 0 && space->bytes[3] == PORT_DNS)
			s->flags |= STATE_RESOLVER;
	}
	return intern(ctx, space, kept, length);
unreadable:
	*call_flags |= CALL_UNREADABLE;
	return 0;
}

INLINE void record_fill(struct rec_syscall *r, struct task_state *s, u32 sysno, u32 call_flags, u64 start, u64 duration, s64 ret)
{
	r->start_ns = start;
	r->packed = packed_call(duration, sysno, call_flags);
	r->proc = s->proc;
	r->tid = s->tid;
	r->ret = ret;
}

INLINE void record_send(void *ctx, struct task_state *s, struct rec_syscall *r)
{
	s->sent += 1;
	lane_send(ctx, MAP_SYSCALLS, LANE_SYSCALLS, r, sizeof(*r), s->sent % WAKE_EVERY ? RB_NO_WAKEUP : RB_FORCE_WAKEUP);
}

/* A call whose slots are more than its first arguments, until they are filled; on the workbench. */
struct reporting {
	struct rec_syscall r;
	u64 arguments[8];
	u64 duration;
	u32 call_flags;
	u32 slot;                  /* the next one */
};

/* The detail record of a call that is over; 1 if it is on_slots that makes it. */
INLINE int report(u64 *ctx, struct task_state *s, struct plan *plan, struct pt_regs *regs, u32 call_flags, u32 flags, u64 start, u64 duration)
{
	u32 sysno = s->sysno;
	struct reporting *w;
	struct rec_syscall r;

	if (flags & STATE_EXECED) {
		call_flags |= CALL_EXECED;
		r.slots[0] = s->exec_file;
		r.slots[1] = s->exec_argv;
		r.slots[2] = 0;
	} else if (sysno < SYSNO_COMPAT && !(plan->flags & PLAN_SLOTS)) {
		r.slots[0] = ARGUMENT_0(regs);
		r.slots[1] = ARGUMENT_1(regs);
		r.slots[2] = ARGUMENT_2(regs);
	} else {
		w = workbench();
		if (!w)
			return 1;
		load_arguments(regs, sysno >= SYSNO_COMPAT, w->arguments);
		record_fill(&w->r, s, sysno, 0, start, 0, ctx[1]);
		w->duration = duration;
		w->call_flags = call_flags;
		w->slot = 0;
		return 1;
	}
	record_fill(&r, s, sysno, call_flags, start, duration, ctx[1]);
	record_send(ctx, s, &r);
	return 0;
}

#define PROT_EXEC 4

/* Goes on to the program behind this one, which the plan names, if what the call was about is of interest to it. */
INLINE void go_on(u64 *ctx, struct task_state *s, struct plan *plan, u64 first, u64 third)
{
	s64 ret = ctx[1];
	int due;

	if (ret < 0)
		due = plan->tail == TAIL_SOCKET;           /* a connection that is under way has its address already */
	else if (plan->flags & PLAN_MAPS)
		due = third & PROT_EXEC;
	else
		due = !(plan->flags & PLAN_GATED) || s->flags & STATE_RESOLVER || gate_open(first);
	if (due)
		tail_call(ctx, MAP(MAP_TAILS), plan->tail);
}
#endif
