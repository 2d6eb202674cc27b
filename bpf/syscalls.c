/* SPDX-License-Identifier: GPL-2.0-only */
/* Syscalls: sys_enter notes what sys_exit cannot know, sys_exit counts and sends. */
#include "task.h"
#include "totals.h"
#include "strings.h"
#include "files.h"

INLINE u32 sysno_of(s64 number, int compat)
{
	if ((u64)number >= SYSNO_UNKNOWN)
		return SYSNO_UNKNOWN;
	return compat ? number + SYSNO_COMPAT : number;
}

#if TASK_STORAGE
INLINE int current_is_compat(struct pt_regs *regs)
{
	return is_compat(current_task(), regs);
}
#else
/* Without bpf_get_current_task_btf (5.11) the task is an address, not a typed pointer. */
INLINE int current_is_compat(struct pt_regs *regs)
{
#if defined(ARCH_X86_64)
	struct task_struct *task = (void *)current_task_address();
	u32 status = 0;

	read_kernel(&status, sizeof(status), &task->thread_info_status);
	return status & TS_COMPAT;
#else
	return is_compat(0, regs);
#endif
}
#endif

PROBE(on_sys_enter)(u64 *ctx)
{
	struct task_state *s = current_state_fast();
	struct plan *plan;
	u32 sysno;

	if (!s)
		return 0;
	sysno = sysno_of(ctx[1], current_is_compat((void *)ctx[0]));
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
 * price is that another thread may have written to the buffer meanwhile. There is one call of intern() for all kinds: the
 * verifier walks its loop for each.
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

/* The detail record of a call that is over. */
INLINE void report(u64 *ctx, struct task_state *s, struct plan *plan, struct pt_regs *regs, u32 *call_flags, u32 flags, u64 start, u64 duration)
{
	u32 sysno = s->sysno;
	struct rec_syscall r;
	s64 ret = ctx[1];

	if (flags & STATE_EXECED) {
		*call_flags |= CALL_EXECED;
		r.slots[0] = s->exec_file;
		r.slots[1] = s->exec_argv;
		r.slots[2] = 0;
	} else if (sysno < SYSNO_COMPAT && !(plan->flags & PLAN_SLOTS)) {
		r.slots[0] = ARGUMENT_0(regs);
		r.slots[1] = ARGUMENT_1(regs);
		r.slots[2] = ARGUMENT_2(regs);
	} else {
		u64 arguments[8] = {};

		load_arguments(regs, sysno >= SYSNO_COMPAT, arguments);
#pragma clang loop unroll(disable)
		for (u32 i = 0; i < STRING_SLOTS; i++)
			r.slots[i] = slot_value(ctx, s, &plan->slots[i], arguments, call_flags);
		if (ret >= 0 && ((plan->flags & PLAN_OPEN && r.slots[2] & O_CREAT) || plan->flags & PLAN_CREAT) && file_was_created(ret))
			*call_flags |= CALL_CREATED;
	}
	record_fill(&r, s, sysno, *call_flags, start, duration, ret);
	record_send(ctx, s, &r);
}

#define PROT_EXEC 4

/* Whether what the call was about is of interest to the program behind this one. */
INLINE int tail_due(struct task_state *s, struct plan *plan, struct pt_regs *regs, s64 ret)
{
	if (ret < 0)
		return plan->tail == TAIL_SOCKET;          /* a connection that is under way has its address already */
	if (plan->flags & PLAN_MAPS)
		return ARGUMENT_2(regs) & PROT_EXEC;
	return !(plan->flags & PLAN_GATED) || s->flags & STATE_RESOLVER || gate_open(ARGUMENT_0(regs));
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
	struct pt_regs *regs = (void *)ctx[0];
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
		sysno = sysno_of(call_number(regs), current_is_compat(regs));
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
	if (!sampled_out(plan, duration, ret))
		report(ctx, s, plan, regs, &call_flags, flags, start, duration);
	if (plan->tail && tail_due(s, plan, regs, ret))
		tail_call(ctx, MAP(MAP_TAILS), plan->tail);
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
