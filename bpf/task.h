/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Membership: a thread is traced while it has a struct task_state. Task storage (Linux 5.11 for the helper, later for
 * tracing programs) finds it without hashing and frees it with the task; older kernels use a hash keyed by tid.
 */
#pragma once
#include "kernel.h"

#if TASK_STORAGE
INLINE struct task_state *state_of(struct task_struct *task, u32 tid)
{
	return storage_get(MAP(MAP_TASKS), task, 0, 0);
}
INLINE struct task_state *current_state(void)
{
	return storage_get(MAP(MAP_TASKS), current_task(), 0, 0);
}
INLINE struct task_state *state_create(struct task_struct *task, u32 tid)
{
	return storage_get(MAP(MAP_TASKS), task, 0, STORAGE_CREATE);
}
INLINE void state_forget(u32 tid) {}
#else
INLINE struct task_state *state_of(struct task_struct *task, u32 tid)
{
	return map_lookup(MAP(MAP_TASKS), &tid);
}
INLINE struct task_state *current_state(void)
{
	u32 tid = current_pid_tgid();

	return map_lookup(MAP(MAP_TASKS), &tid);
}
INLINE struct task_state *state_create(struct task_struct *task, u32 tid)
{
	struct task_state empty = {};

	map_update(MAP(MAP_TASKS), &tid, &empty, BPF_NOEXIST_);
	return map_lookup(MAP(MAP_TASKS), &tid);
}
/* A hash does not notice that a task is gone, and its tid will be used again. */
INLINE void state_forget(u32 tid)
{
	map_delete(MAP(MAP_TASKS), &tid);
}
#endif

/* What to do with a call or an operation. */
INLINE struct plan *plan_of(u32 sysno)
{
	return map_lookup(MAP(MAP_PLANS), &sysno);
}

/*
 * A process number that no other process of the session gets. Each CPU counts for itself, and the census for itself,
 * so no atomic with a result is needed (those came with 5.12): the fork probe cannot be entered twice on one CPU.
 */
INLINE u32 new_proc(u32 source)
{
	u64 *count = map_lookup(MAP(MAP_SERIALS), &source);

	if (!count)
		return 0;
	*count += 1;
	return *count * (CPUS + 1) + source;
}
