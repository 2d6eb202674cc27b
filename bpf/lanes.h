/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lanes: each kind of record has a ring of its own, so that a flood of one cannot crowd out another, and counters of
 * its own, so that nothing disappears without a number.
 */
#pragma once
#include "kernel.h"

INLINE struct scratch *scratch(void)
{
	return map_lookup(MAP(MAP_SCRATCH), KEY(0));
}

/*
 * Map memory for whatever is being put together, beyond what strings need. The verifier knows nothing of its content, so it
 * walks what follows once, where it would walk it for each combination of what it knows of the stack.
 */
INLINE void *workbench(void)
{
	struct scratch *s = scratch();

	return s ? s->bytes + ARGV_BYTES / 2 : 0;
}

/* 1 for -4095..-1, which are errors (include/linux/err.h), else 0; without a branch, for the verifier's sake. */
#define IS_ERROR(ret) (((u64)(ret) >> 63) & (OPAQUE(-(u64)(ret) - 1 - 4095) >> 63))

/* rec_syscall.packed */
INLINE u64 packed_call(u64 duration, u32 sysno, u32 call_flags)
{
	return (duration >> 48 ? (1ULL << 48) - 1 : duration) | (u64)sysno << 48 | (u64)call_flags << 60;
}

enum count_of { COUNTED, SAMPLED_OUT, LOST };

/* Of sockets and plaintext some is told by what may interrupt, on its CPU, what is counting: a sum of theirs is one instruction. */
INLINE void ledger_add(u32 lane, enum count_of what)
{
	struct lane_count *count = map_lookup(MAP(MAP_LEDGER), KEY(lane));
	u64 *sum;

	if (!count)
		return;
	sum = what == COUNTED ? &count->counted : what == SAMPLED_OUT ? &count->sampled_out : &count->lost;
	if (lane == LANE_SOCKETS || lane == LANE_PLAINTEXT)
		__sync_fetch_and_add(sum, 1);
	else
		*sum += 1;
}

/* 0 when the record is in the ring; a record that found no room is counted as lost. */
#if TRANSPORT_PERF
#define lane_send(ctx, map, lane, data, size, flags) ({ \
	long failed_ = perf_output(ctx, MAP(map), THIS_CPU, data, size); \
	if (failed_) \
		ledger_add(lane, LOST); \
	failed_; })
#else
#define lane_send(ctx, map, lane, data, size, flags) ({ \
	long failed_ = ring_output(MAP(map), data, size, flags); \
	if (failed_) \
		ledger_add(lane, LOST); \
	failed_; })
#endif

/* Whether the record of a call is one of those that are left out; it is counted. */
INLINE int sampled_out(struct plan *plan, u64 duration, s64 ret)
{
	struct control *control;

	if (plan->keep_one_in <= 1 || plan->flags & PLAN_ALWAYS || IS_ERROR(ret))
		return 0;
	control = map_lookup(MAP(MAP_CONTROL), KEY(0));
	if (!control || duration >= control->slow_ns || random_u32() % plan->keep_one_in == 0)
		return 0;
	ledger_add(LANE_SYSCALLS, SAMPLED_OUT);
	return 1;
}
