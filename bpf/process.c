/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes: the traced set follows fork, clone and exec here, in the kernel, before the child runs its first instruction. */
#include "images.h"

INLINE void life_fill(struct rec_lifecycle *r, struct task_struct *task, u32 kind, u32 proc, u64 now)
{
	struct cred *real = READ(task, real_cred), *effective = READ(task, cred);

	r->at_ns = now;
	r->kind = kind;
	r->proc = proc;
	r->tgid = READ(task, tgid);
	r->tid = READ(task, pid);
	r->uid = READ(real, uid_val);
	r->euid = READ(effective, euid_val);
	r->gid = READ(real, gid_val);
	r->start_ns = READ(task, start_time);
	read_kernel_str(r->comm, COMM_BYTES, task->comm);
}

#define life_send(ctx, r) ({ \
	ledger_add(LANE_LIFECYCLE, COUNTED); \
	lane_send(ctx, MAP_LIFECYCLE, LANE_LIFECYCLE, r, sizeof(*(r)), RB_NO_WAKEUP); })

INLINE void *mounts_of(struct task_struct *task)
{
	struct nsproxy *spaces = READ(task, nsproxy);

	return READ(spaces, mnt_ns);
}

/* There is no room for the state of a thread: it goes untraced, and the ledger says so. */
INLINE int untraced(void)
{
	ledger_add(LANE_LIFECYCLE, COUNTED);
	ledger_add(LANE_LIFECYCLE, LOST);
	return 0;
}

PROBE(on_fork)(u64 *ctx)
{
	struct task_struct *parent = (void *)ctx[0], *child = (void *)ctx[1];
	struct task_state *s = state_at(READ(parent, pid)), *c;
	struct rec_lifecycle r = {};
	u32 tid = READ(child, pid), parent_tgid = READ(parent, tgid), asleep;
	int thread = READ(child, tgid) == parent_tgid;

	if (!s)
		return 0;
	asleep = s->flags & STATE_ASLEEP;
	c = state_create(tid, asleep ? STATE_ASLEEP : STATE_NEWBORN | STATE_ANNOUNCED);
	if (!c)
		return untraced();
	if (asleep)
		return 0;                  /* the census announces both */
	c->proc = thread ? s->proc : new_proc(this_cpu());
	r.shares = (READ(child, files) == READ(parent, files) ? SHARES_FILES : 0) | (READ(child, fs) == READ(parent, fs) ? SHARES_FOLDER : 0)
		| (mounts_of(child) == mounts_of(parent) ? SHARES_MOUNTS : 0);
	life_fill(&r, child, thread ? LIFE_THREAD : LIFE_FORK, c->proc, clock_ns());
	r.parent_proc = s->proc;
	r.parent_tgid = parent_tgid;
	life_send(ctx, &r);
	return 0;
}

/* The names of a new program and of its interpreter, which are often the same; on the workbench. */
struct exec_names {
	void *texts[2];
	u64 ids[2];
};

INLINE struct exec_names *exec_names(void *ctx, struct linux_binprm *bprm)
{
	struct exec_names *names = workbench();

	if (!names)
		return 0;
	names->texts[0] = READ(bprm, filename);
	names->texts[1] = READ(bprm, interp);
	/* No loop: in a round of another one the rounds of a hash do not look alike to the verifier. */
	names->ids[0] = intern_kernel_str(ctx, names->texts[0]);
	BARRIER;
	names->ids[1] = names->texts[0] == names->texts[1] ? names->ids[0] : intern_kernel_str(ctx, names->texts[1]);
	BARRIER;
	return names;
}

PROBE(on_exec)(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct linux_binprm *bprm = (void *)ctx[2];
	u32 old_tid = ctx[1], tid = READ(task, pid);
	struct task_state *s = state_at(old_tid), moved;
	struct rec_lifecycle r = {};
	struct exec_names *names;
	struct mm_struct *mm;
	u64 argv;

	if (!s)
		return 0;
	if (old_tid != tid) {
		/* A thread that is not the leader takes the leader's tid; its state has to move with it. */
		moved = *s;
		state_forget(old_tid);
		s = state_create(tid, moved.flags);
		if (!s)
			return untraced();
		moved.tid = tid;
		*s = moved;
	}
	if (s->flags & STATE_ASLEEP)
		return 0;
	life_fill(&r, task, LIFE_EXEC, s->proc, clock_ns());
	r.old_tid = old_tid;
	names = exec_names(ctx, bprm);
	if (names) {
		r.filename_id = names->ids[0];
		r.interp_id = names->ids[1];
	}
	/* The new stack has just been written, so its pages are there; the old program's argv is already gone. */
	mm = READ(task, mm);
	argv = READ(mm, arg_start);
	r.argv_id = intern_user_block(ctx, (void *)argv, READ(mm, arg_end) - argv);
	s->exec_file = r.filename_id;
	s->exec_argv = r.argv_id;
	s->flags = (s->flags | STATE_EXECED) & ~STATE_HELD;
	life_send(ctx, &r);
#if DETAIL
	image_tell(ctx, s, r.tgid, READ(bprm, file));
#endif
	return 0;
}

#define SIGNAL_GROUP_EXIT 4

PROBE(on_exit)(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	u32 tid = READ(task, pid), tgid = READ(task, tgid);
	struct task_state *s = state_at(tid);
	struct signal_struct *signal = READ(task, signal);
	struct rec_lifecycle life = {};
	struct rec_syscall call;
	u64 now = clock_ns();
	u64 last;

	if (!s)
		return 0;
	last = OPAQUE((u64)(u32)READ(signal, live_counter) - 1) >> 63;   /* of no more. Calculated: else the verifier walks on for each answer */
	if (finish_open_call(s, &call, now)) {
		totals_add(s->proc, s->sysno, CALL_UNFINISHED, 0, 0, 0);
#if DETAIL
		record_send(ctx, s, &call);
#endif
	}
	if (!(s->flags & STATE_ASLEEP)) {
		life_fill(&life, task, LIFE_EXIT, s->proc, now);
		/* Several last threads may all find the count at zero; the reader takes the latest. */
		life.process_ended = last;
		life.exit_code = READ(signal, flags) & SIGNAL_GROUP_EXIT ? READ(signal, group_exit_code) : READ(task, exit_code);
		life.cpu_ns = READ(task, se_sum_exec_runtime);
		if (life.process_ended) {
			life.cpu_ns += READ(signal, sum_sched_runtime);
			life.peak_rss_bytes = READ(signal, maxrss) * PAGE_BYTES;
		}
		life_send(ctx, &life);
	}
	s->flags = STATE_ASLEEP;           /* whatever still runs of it is the kernel's own tidying up */
	/* Threads of a process learn its number from their leader, which may end long before them. */
	if (tid != tgid || last)
		state_forget(tid);
	if (tid != tgid && last)
		state_forget(tgid);
	return 0;
}
