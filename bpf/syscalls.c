/* SPDX-License-Identifier: GPL-2.0-only */
/* Syscalls: sys_enter notes what sys_exit cannot know, sys_exit counts and sends. */
#include "task.h"
#include "totals.h"
#include "details.h"

INLINE u32 sysno_of(s64 number, int compat)
{
	if ((u64)number >= SYSNO_UNKNOWN)
		return SYSNO_UNKNOWN;
	return compat ? number + SYSNO_COMPAT : number;
}

INLINE int current_is_compat(u64 *ctx)
{
#if !defined(ARCH_X86_64)
	REGISTERS(regs, ctx);

	return is_compat(0, regs);
#elif TASK_STORAGE
	return is_compat(current_task(), 0);
#else
	/* Without bpf_get_current_task_btf (5.11) the task is an address, not a typed pointer. */
	struct task_struct *task = (void *)current_task_address();

	return READ(task, thread_info_status) & TS_COMPAT;
#endif
}

PROBE(on_sys_enter)(u64 *ctx)
{
	struct task_state *s = current_state_fast();
	struct plan *plan;
	u32 sysno;

	if (!s)
		return 0;
	sysno = sysno_of(ctx[1], current_is_compat(ctx));
	plan = plan_of(sysno);
	if (!plan)
		return 0;
	/* Which exec it will be, nobody knows before it succeeds. */
	if (s->flags & STATE_ASLEEP || (s->flags & STATE_HELD && !(plan->flags & PLAN_EXEC)))
		return 0;
	if (!(plan->flags & PLAN_TRACED)) {
		s->flags &= ~STATE_OF_CALL;
		return 0;
	}
	s->sysno = sysno;
	s->flags = (s->flags & ~STATE_OF_CALL) | STATE_OPEN;
	s->regs = ctx[0];
#if !COUNTS_ONLY
	s->enter_ns = clock_ns();
#endif
	return 0;
}

#if DETAIL
/* One slot of a record; the next one is another run's, for the verifier would walk this again for each. Then the record is sent. */
PROBE(on_slots)(u64 *ctx)
{
	struct task_state *s = current_state();
	struct plan *plan = s ? plan_of(s->sysno) : 0;
	struct reporting *w = workbench();
	s64 ret = ctx[1];

	if (!plan || !w)
		return 0;
	if (w->slot < STRING_SLOTS) {
		u32 i = OPAQUE(w->slot) & 3;

		w->r.slots[i] = slot_value(ctx, s, &plan->slots[i], w->arguments, &w->call_flags);
		w->slot += 1;
		tail_call(ctx, MAP(MAP_TAILS), TAIL_SLOTS);
	}
	if (ret >= 0 && ((plan->flags & PLAN_OPEN && w->r.slots[2] & O_CREAT) || plan->flags & PLAN_CREAT) && file_was_created(ret))
		w->call_flags |= CALL_CREATED;
	w->r.packed = packed_call(w->duration, s->sysno, w->call_flags);
	record_send(ctx, s, &w->r);
	if (plan->tail)
		go_on(ctx, s, plan, w->arguments[0], w->arguments[2]);
	return 0;
}
#endif

/*
 * A call that is interrupted because the thread is about to die ends inside the kernel with a request to be restarted, but
 * nobody is left to see it: for the program it never returned.
 */
#define ERESTARTSYS 512
#define ERESTART_RESTARTBLOCK 516
#define SIGKILL_BIT (1ULL << 8)
INLINE int killed_in_call(s64 ret)
{
	struct task_struct *task;
	u64 pending = 0;

	if (-(u64)ret - ERESTARTSYS > ERESTART_RESTARTBLOCK - ERESTARTSYS)
		return 0;
	task = (void *)current_task_address();
	read_kernel(&pending, sizeof(pending), &task->pending_signal_sig);
	_Static_assert(CALL_UNFINISHED == 1, "what is told is a flag of the call");
	return pending / SIGKILL_BIT & 1;
}

PROBE(on_sys_exit)(u64 *ctx)
{
	struct task_state *s = current_state_fast();
	s64 ret = ctx[1];
	u32 sysno, flags, call_flags = 0;
	u64 start = 0, duration = 0;
	struct plan *plan;

	if (!s)
		return 0;
	flags = s->flags;
	if (flags & STATE_ASLEEP)
		return 0;
	s->flags = flags & ~STATE_OF_CALL;
	if (flags & STATE_HELD)
		return 0;
	if (flags & STATE_OPEN) {
		sysno = s->sysno;
		if (flags & STATE_MIDWAY)
			call_flags = CALL_UNTIMED;
	} else {
		/* x86-64 lets a child end its parent's fork once more; arm64 does not. */
		if (flags & STATE_NEWBORN)
			return 0;
		/* Denied by seccomp before sys_enter. */
		REGISTERS(regs, ctx);

		sysno = sysno_of(call_number(regs), current_is_compat(ctx));
		call_flags = CALL_UNTIMED;
	}
	sysno = UNKNOWN(s->sysno, sysno);
	call_flags = UNKNOWN(s->regs, call_flags | killed_in_call(((volatile u64 *)ctx)[1]));     /* read anew: what a test tells of it is forgotten */
	plan = plan_of(sysno);
	if (!plan || !(plan->flags & PLAN_TRACED))
		return 0;
#if !COUNTS_ONLY
	start = clock_ns();
	duration = (start - s->enter_ns) & ((call_flags / CALL_UNTIMED & 1) - 1ULL);
	start -= duration;
#endif
	totals_add(s->proc, sysno, call_flags, ret, plan->flags, duration);
#if DETAIL
	REGISTERS(regs, ctx);

	if (!sampled_out(plan, duration, ret) && report(ctx, s, plan, regs, call_flags, flags, start, duration)) {
		tail_call(ctx, MAP(MAP_TAILS), TAIL_SLOTS);
		ledger_add(LANE_SYSCALLS, LOST);   /* it went on to nobody */
		return 0;
	}
	if (plan->tail)
		go_on(ctx, s, plan, ARGUMENT_0(regs), ARGUMENT_2(regs));
#endif
	return 0;
}

#if DETAIL
/* Arguments of a call that has not returned. Its strings stay unread: the memory is gone, or another process's. */
INLINE void open_arguments(struct task_state *s, u32 sysno, struct rec_syscall *r, u32 *call_flags)
{
	struct plan *plan = plan_of(sysno);
	u64 arguments[8] = {};
	struct pt_regs copy;

	if (!plan || read_kernel(&copy, sizeof(copy), (void *)s->regs)) {
		*call_flags |= CALL_UNREADABLE;
		return;
	}
	load_arguments(&copy, sysno >= SYSNO_COMPAT, arguments);
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < STRING_SLOTS; i++) {
		struct slot *slot = &plan->slots[i];

		if (!(plan->flags & PLAN_SLOTS))
			r->slots[i] = arguments[i];
		else if (slot->kind == SLOT_STRING)
			*call_flags |= CALL_UNREADABLE;
		else if (slot->kind == SLOT_PAIR)
			r->slots[i] = (u32)arguments[slot->a & 7] | arguments[slot->b & 7] << 32;
		else
			r->slots[i] = arguments[slot->a & 7];
	}
}
#endif

/* The open call of a thread that dies in it, or that is still in it when the trace ends. */
INLINE int finish_open_call(struct task_state *s, struct rec_syscall *r, u64 now)
{
	u32 sysno = s->sysno;

	if (!(s->flags & STATE_OPEN) || s->flags & (STATE_ASLEEP | STATE_HELD))
		return 0;
#if DETAIL
	u32 call_flags = CALL_UNFINISHED;
	u64 start = s->enter_ns;

	if (s->flags & STATE_MIDWAY) {
		call_flags |= CALL_UNTIMED;
		start = now;
	}
	r->slots[0] = r->slots[1] = r->slots[2] = 0;
	open_arguments(s, sysno, r, &call_flags);
	record_fill(r, s, sysno, call_flags, start, now - start, 0);
#endif
	return 1;
}
