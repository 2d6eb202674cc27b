/* SPDX-License-Identifier: GPL-2.0-only */
/* Operations of io_uring that are under way: from the submission to what is told at the end. */
#pragma once
#include "operations.h"

#define URING_REPEATS 0x100        /* in uring_state.flags: there is an entry by ring and user_data, too */

INLINE u64 repeat_key(u64 ring, u64 user_data)
{
	return (ring ^ user_data * SCATTER) | 1;     /* odd, so it is no address */
}

/* Operations that may complete more than once: those that wait again by themselves, and those that pick their buffers. */
INLINE int may_repeat(u32 opcode, u64 flags)
{
	return opcode == OP_ACCEPT || opcode == OP_POLL_ADD || opcode == OP_TIMEOUT || flags & REQ_F_BUFFER_SELECT;
}

INLINE void record_of(struct rec_syscall *r, struct uring_state *u, u32 call_flags, s64 ret, u64 duration)
{
	r->start_ns = u->start_ns;
	r->packed = packed_call(duration, u->sysno, u->flags | call_flags);
	r->proc = u->proc;
	r->tid = u->tid;
	r->ret = ret;
	r->slots[0] = u->slots[0];
	r->slots[1] = u->slots[1];
	r->slots[2] = u->slots[2];
}

INLINE void uring_end(void *ctx, struct uring_state *u, u32 call_flags, s64 ret)
{
	struct plan *plan = plan_of(u->sysno);
	u64 now = 0, duration;

	if (!plan)
		return;
#if !COUNTS_ONLY
	now = clock_ns();
#endif
	duration = (now - u->start_ns) & ((call_flags / CALL_UNTIMED & 1) - 1ULL);      /* 0 if nobody knows; without a branch, for the verifier */
	totals_add(u->proc, u->sysno, call_flags, ret, plan->flags, duration);
#if DETAIL
	struct rec_syscall r;

	if (!sampled_out(plan, duration, ret)) {
		record_of(&r, u, call_flags, ret, duration);
		lane_send(ctx, MAP_SYSCALLS, LANE_SYSCALLS, &r, sizeof(r), RB_NO_WAKEUP);
	}
#endif
	u->start_ns = now;
}

INLINE void uring_forget(struct uring_state *u)
{
	u64 key = repeat_key(u->ring, u->user_data), request = u->request;
	struct uring_state *other;

	if (u->flags & URING_REPEATS) {
		other = map_lookup(MAP(MAP_URING), &key);
		if (other && other->request == request)
			map_delete(MAP(MAP_URING), &key);
	}
	map_delete(MAP(MAP_URING), &request);
}

/* More completions will come. */
INLINE void uring_again(struct uring_state *u)
{
	u64 key = u->request;
	struct uring_state *entry = map_lookup(MAP(MAP_URING), &key);

	if (entry)
		entry->start_ns = u->start_ns;
}

/* A request that is submitted again while its last operation has not been seen to end. */
INLINE void uring_reused(void *ctx, struct submission *w)
{
	u64 key = w->u.request, differs, unfinished;
	struct uring_state *old = map_lookup(MAP(MAP_URING), &key);

	if (!old)
		return;
	/* Of another ring: its memory has been given back since. Calculated, or the verifier would walk the end of an operation twice. */
	differs = OPAQUE(old->ring ^ (u64)FIELD(w, ctx));
	unfinished = (differs | -differs) >> 63;
	_Static_assert(CALL_UNFINISHED == 1, "what is told is a flag of the call");
	uring_end(ctx, old, CALL_UNTIMED | unfinished, (s32)FIELD(w, cqe_res) & (unfinished - 1));
	uring_forget(old);
}

INLINE void uring_begin(struct uring_state *u, u64 ring, u64 user_data, int repeats)
{
	u64 key = u->request;

	u->ring = ring;
	u->user_data = user_data;
	u->flags |= repeats ? URING_REPEATS : 0;
#if !COUNTS_ONLY
	u->start_ns = clock_ns();
#endif
	if (map_update(MAP(MAP_URING), &key, u, 0)) {
		ledger_add(LANES, LOST);   /* its end will still be told, but not when it began */
	} else if (repeats) {
		key = repeat_key(ring, user_data);
		map_update(MAP(MAP_URING), &key, u, 0);
	}
}
