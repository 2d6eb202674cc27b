/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Membership: a thread is traced while it has a struct task_state. The state lies in an array, at the lower bits of the tid: the
 * look-up is a few instructions without a call, where task storage and hashes take 40 ns. Threads whose lower bits are the same
 * are told apart by the tid; the second one is in a hash.
 */
#pragma once
#include "kernel.h"

#define SLOT_OF(tid) ((tid) & (STATE_SLOTS - 1))

INLINE struct task_state *state_at(u32 tid)
{
	u32 number = SLOT_OF(tid);
	struct state_slot *slot = map_lookup(MAP(MAP_STATES), &number);

	if (!slot)
		return 0;
	if (slot->state.tid == tid)
		return &slot->state;
	return slot->crowd ? map_lookup(MAP(MAP_CROWD), &tid) : 0;
}

INLINE struct task_state *current_state(void)
{
	return state_at(current_pid_tgid());
}

/* The same for the hot path, where the typed load is worth its millisecond in the verifier. */
INLINE struct task_state *current_state_fast(void)
{
#if TASK_STORAGE
	return state_at(current_task()->pid);
#else
	return current_state();
#endif
}

/* The state comes into being with these flags and all else zero, even if the tid has one: then it was used again. */
INLINE struct task_state *state_create(u32 tid, u16 flags)
{
	union { struct { u32 tid; u16 sysno, flags; } parts; u64 whole; } word = { .parts = { .tid = tid, .flags = flags } };
	u32 number = SLOT_OF(tid);
	struct state_slot *slot = map_lookup(MAP(MAP_STATES), &number);
	struct task_state fresh = { .tid = tid, .flags = flags };

	if (!slot)
		return 0;
	if (slot->state.tid != tid) {
		int there = slot->crowd && map_lookup(MAP(MAP_CROWD), &tid);

		if (there || map_update(MAP(MAP_CLAIMS), &number, &tid, BPF_NOEXIST_)) {
			if (!map_update(MAP(MAP_CROWD), &tid, &fresh, 0) && !there)
				__sync_fetch_and_add(&slot->crowd, 1);
			return map_lookup(MAP(MAP_CROWD), &tid);
		}
	}
	slot->state.enter_ns = slot->state.exec_file = slot->state.exec_argv = slot->state.regs = 0;
	slot->state.proc = slot->state.sent = 0;
	*(volatile u64 *)&slot->state.tid = word.whole;
	return &slot->state;
}

/* Tids are used again. */
INLINE void state_forget(u32 tid)
{
	u32 number = SLOT_OF(tid);
	struct state_slot *slot = map_lookup(MAP(MAP_STATES), &number);

	if (!slot)
		return;
	if (slot->state.tid == tid) {
		*(volatile u64 *)&slot->state.tid = 0;
		map_delete(MAP(MAP_CLAIMS), &number);
	} else if (!map_delete(MAP(MAP_CROWD), &tid)) {
		__sync_fetch_and_add(&slot->crowd, -1);
	}
}

/* What user space wants of a thread; 0: nothing. Through task storage it need not know the tid in the initial pid namespace. */
INLINE struct mark *mark_of(struct task_struct *task, u32 tid)
{
#if TASK_STORAGE
	return storage_get(MAP(MAP_MARKS), task, 0, 0);
#else
	return map_lookup(MAP(MAP_MARKS), &tid);
#endif
}

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
