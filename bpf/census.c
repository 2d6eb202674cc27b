/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Iterators over all tasks, run when user space reads them: the census takes in what already runs, and at the end it is told which
 * calls are still open when the probes are gone. Records leave through the read itself, so they cannot be lost.
 *
 * The kernel shows a task again when its buffer was full (-EOVERFLOW), so state changes only after a write that went well.
 */

struct census_context {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

/* The state a task inherits: its leader's, or, when children are wanted, its parent's. */
INLINE struct task_state *inherited_state(struct task_struct *task, u64 census, u32 *thread)
{
	struct task_struct *leader = READ(task, group_leader), *parent;
	struct task_state *s;

	if (leader != (void *)ADDRESS(task)) {
		*thread = 1;
		return state_at(READ(leader, pid));
	}
	if (!(census & CENSUS_CHILDREN))
		return 0;
	parent = READ(task, real_parent);
	s = state_at(READ(parent, pid));
	if (s)
		return s;
	leader = READ(parent, group_leader);
	return state_at(READ(leader, pid));
}

/* A thread that sleeps in a call now may never return from it, and would then leave no trace of it at all. */
INLINE void take_up_open_call(struct task_struct *task, struct task_state *s)
{
	struct pt_regs *regs = registers_of(task), copy;
	struct plan *plan;
	s64 number;
	u32 sysno;

	/* While it runs, what lies on its stack may be left from the last call. */
	if (s->flags & STATE_HELD || !READ(task, __state) || read_kernel(&copy, sizeof(copy), regs))
		return;
	number = call_number(&copy);
	if (number < 0)
		return;            /* asleep in a page fault */
	sysno = sysno_of(number, is_compat(task, &copy));
	plan = plan_of(sysno);
	if (!plan || !(plan->flags & PLAN_TRACED))
		return;
	s->sysno = sysno;
	s->regs = (u64)regs;
	s->flags |= STATE_OPEN | STATE_MIDWAY;
}

/* Says that a task is there, with the number that its state has; 0 if that went well. */
INLINE long announce(struct census_context *ctx, struct task_struct *task, struct task_state *s, u32 parent_proc)
{
	struct task_struct *parent = READ(task, real_parent);
	struct rec_lifecycle r = {};

	life_fill(&r, task, LIFE_FOUND, s->proc, clock_ns());
	r.parent_tgid = READ(parent, tgid);
	r.parent_proc = parent_proc;
	return seq_write(ctx->meta->seq, &r, sizeof(r));
}

INLINE void awake_from_now_on(struct task_state *s)
{
	s->flags = (s->flags | STATE_ANNOUNCED) & ~STATE_ASLEEP;
	ledger_add(LANE_LIFECYCLE, COUNTED);
}

#define PF_EXITING 4
#define TASK_NEW 0x800             /* include/linux/sched.h: made, but not yet woken for the first time */

INLINE void adopt(struct census_context *ctx, struct task_struct *task, u64 census)
{
	/* Looked at before its state: what has been woken has passed the fork probe. */
	int newborn = READ(task, __state) == TASK_NEW;
	u32 tid = READ(task, pid), thread = 0;
	struct task_state *s = state_at(tid), *from;
	struct mark *mark = s ? 0 : mark_of(task, tid);

	if (s && s->flags & STATE_ANNOUNCED)
		return;
	from = inherited_state(task, census, &thread);
	if (!s && !mark && (!from || !from->proc || READ(task, flags) & PF_EXITING))
		return;
	if (newborn) {
		untraced();                /* unless the fork probe, which is about to look at it, tells of it; so the next pass looks again */
		return;
	}
	if (!s) {
		s = state_create(tid, STATE_ASLEEP | (mark ? mark->flags : 0));
		if (!s)
			return;
	}
	/* With a state its exit cannot pass the probe unseen any more. It may have passed already. */
	if (READ(task, flags) & PF_EXITING) {
		/* Its process may live on in other threads, and need a number. */
		if (!s->proc)
			s->proc = new_proc(CPUS);
		return;
	}
	/* A leader that has not been announced itself has no number to give yet: it comes in the next pass. */
	if (from && !from->proc)
		return;
	if (!s->proc)
		s->proc = thread && from ? from->proc : new_proc(CPUS);
	if (announce(ctx, task, s, from && !thread ? from->proc : 0))
		return;
	take_up_open_call(task, s);
	awake_from_now_on(s);
}

PROBE(on_census)(struct census_context *ctx)
{
	struct control *control = map_lookup(MAP(MAP_CONTROL), KEY(0));
	struct task_struct *task = ctx->task;

	if (!task || !control)
		return 0;
	adopt(ctx, task, control->census);
	return 0;
}

/* The census of a run, whose target is held before it begins: one thread, in a call that does not count. */
PROBE(on_held)(struct census_context *ctx)
{
	struct task_struct *task = ctx->task;
	u32 tid = task ? READ(task, pid) : 0;
	struct task_state *s = state_at(tid);
	struct mark *mark = task && !(s && s->flags & STATE_ANNOUNCED) ? mark_of(task, tid) : 0;

	if (!mark)
		return 0;
	if (!s) {
		s = state_create(tid, STATE_ASLEEP | mark->flags);
		if (!s)
			return 0;
		s->proc = new_proc(CPUS);
	}
	if (!announce(ctx, task, s, 0))
		awake_from_now_on(s);
	return 0;
}

/* Calls that were entered and will not return while anybody watches. Needed last, so it is loaded while the target runs. */
PROBE(on_unfinished)(struct census_context *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_state *s = task ? state_at(READ(task, pid)) : 0;
	struct rec_syscall r;

	if (!s || !finish_open_call(s, &r, clock_ns()))
		return 0;
#if DETAIL
	if (seq_write(ctx->meta->seq, &r, sizeof(r)))
		return 0;
#endif
	totals_add(s->proc, s->sysno, CALL_UNFINISHED, 0, 0, 0);
	s->flags &= ~STATE_OPEN;
	return 0;
}
