/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Membership: a thread is traced while it has a struct task_state. The state lies in an array, at the lower bits of the tid: the
 * look-up is a few instructions without a call, where task storage and hashes take 40 ns. A thread that finds its slot taken gets
 * another one, and a hash says which.
 */
#pragma once
#include "kernel.h"

#define SLOT_OF(tid) ((tid) & (STATE_SLOTS - 1))

INLINE struct state_slot *slot_at(u32 number)
{
	return map_lookup(MAP(MAP_STATES), KEY(number));
}

INLINE struct task_state *state_at(u32 tid)
{
	struct state_slot *slot = slot_at(SLOT_OF(tid));
	u32 *elsewhere;

	if (!slot)
		return 0;
	if (slot->state.tid == tid)
		return &slot->state;
	if (!slot->crowd)
		return 0;
	elsewhere = map_lookup(MAP(MAP_CROWD), KEY(tid));
	if (!elsewhere)
		return 0;
	slot = slot_at(*elsewhere);
	return slot && slot->state.tid == tid ? &slot->state : 0;
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

#define TRIES 4
#define GOLDEN 0x9e3779b1U         /* 2^32 divided by the golden ratio: where one tid is near another, their next places are far apart */

/* A slot that nobody has, for a thread of this tid; STATE_SLOTS if none was found. */
INLINE u32 slot_claim(u32 tid)
{
	u32 number = SLOT_OF(tid);

#pragma clang loop unroll(full)
	for (u32 i = 0; i < TRIES; i++) {
		if (!map_update(MAP(MAP_CLAIMS), KEY(number), KEY(tid), BPF_NOEXIST_))
			return number;
		number = SLOT_OF((tid ^ i) * GOLDEN >> 16);
	}
	return STATE_SLOTS;
}

/* The state comes into being with these flags and all else zero, even if the tid has one: then it was used again. */
INLINE struct task_state *state_create(u32 tid, u16 flags)
{
	union { struct { u32 tid; u16 sysno, flags; } parts; u64 whole; } word = { .parts = { .tid = tid, .flags = flags } };
	struct state_slot *home = slot_at(SLOT_OF(tid));
	struct task_state *s = state_at(tid);
	struct state_slot *slot;
	u32 number;

	if (!s) {
		number = slot_claim(tid);
		slot = slot_at(number);
		if (!slot || !home)
			return 0;
		if (number != SLOT_OF(tid)) {
			__sync_fetch_and_add(&home->crowd, 1);
			if (map_update(MAP(MAP_CROWD), KEY(tid), KEY(number), 0)) {
				__sync_fetch_and_add(&home->crowd, -1);
				map_delete(MAP(MAP_CLAIMS), KEY(number));
				return 0;
			}
		}
		s = &slot->state;
	}
	s->enter_ns = s->exec_file = s->exec_argv = s->regs = 0;
	s->proc = s->sent = 0;
	*(volatile u64 *)&s->tid = word.whole;
	return s;
}

/* Tids are used again. */
INLINE void state_forget(u32 tid)
{
	struct state_slot *home = slot_at(SLOT_OF(tid));
	struct task_state *s = state_at(tid);
	u32 number = SLOT_OF(tid), *elsewhere;

	if (!s || !home)
		return;
	if (home->state.tid != tid) {
		elsewhere = map_lookup(MAP(MAP_CROWD), KEY(tid));
		number = elsewhere ? *elsewhere : number;
		map_delete(MAP(MAP_CROWD), KEY(tid));
		__sync_fetch_and_add(&home->crowd, -1);
	}
	*(volatile u64 *)&s->tid = 0;
	map_delete(MAP(MAP_CLAIMS), KEY(number));
}

/* What user space wants of a thread; 0: nothing. Through task storage it need not know the tid in the initial pid namespace. */
INLINE struct mark *mark_of(struct task_struct *task, u32 tid)
{
#if TASK_STORAGE
	return storage_get(MAP(MAP_MARKS), task, 0, 0);
#else
	return map_lookup(MAP(MAP_MARKS), KEY(tid));
#endif
}

/* What to do with a call or an operation. */
INLINE struct plan *plan_of(u32 sysno)
{
	return map_lookup(MAP(MAP_PLANS), KEY(sysno));
}

/*
 * A process number that no other process of the session gets. Each CPU counts for itself, and the census for itself,
 * so no atomic with a result is needed (those came with 5.12): the fork probe cannot be entered twice on one CPU.
 */
INLINE u32 new_proc(u32 source)
{
	u64 *count = map_lookup(MAP(MAP_SERIALS), KEY(source));

	if (!count)
		return 0;
	*count += 1;
	return *count * (CPUS + 1) + source;
}
