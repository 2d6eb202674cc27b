/* SPDX-License-Identifier: GPL-2.0-only */
/* Exact totals by process and syscall, counted on the CPU where the call ends: no lock, no atomic, nothing sampled. */
#pragma once
#include "lanes.h"

/* Without branches: each would double what the verifier has to walk of all that follows. */
#define ABOVE(v, limit) (OPAQUE((u64)(limit) - (v)) >> 63)
INLINE u32 histogram_bucket(u64 ns)
{
	u64 v = ns >> HISTOGRAM_SHIFT, beyond = ABOVE(v, 0x7fffffff), bucket, step;

	bucket = ABOVE(v, 0xffff) << 4;
	v >>= bucket;
	step = ABOVE(v, 0xff) << 3;
	v >>= step;
	bucket += step;
	step = ABOVE(v, 0xf) << 2;
	v >>= step;
	bucket += step;
	step = ABOVE(v, 3) << 1;
	v >>= step;
	bucket += step + (v >> 1);
	return (bucket | beyond * (HISTOGRAM_BUCKETS - 1)) & (HISTOGRAM_BUCKETS - 1);
}

/* The row of this key in MAP_ROWS; 0 if it is taken. */
INLINE struct totals *row_of(u64 key, u32 proc, u32 sysno, u32 cpu)
{
	u32 number = cpu * ROWS_OF_CPU + ((proc * 61 + sysno) & (ROWS_OF_CPU - 1));
	struct totals_row *row = map_lookup(MAP(MAP_ROWS), KEY(number));
	u64 *retired;

	if (!row)
		return 0;
	if (row->key == key)
		return &row->totals;
	if (row->key) {
		/* It may be a process's that has ended, and that user space has read for the last time. */
		retired = map_lookup(MAP(MAP_RETIRED), KEY(number));
		if (!retired || *retired != row->key)
			return 0;
		__builtin_memset(&row->totals, 0, sizeof(row->totals));
	}
	row->key = key;
	return &row->totals;
}

INLINE struct totals *totals_of(u32 proc, u32 sysno)
{
	union { struct totals_key parts; u64 whole; } key = { .parts = { .proc = proc, .sysno = sysno, .cpu = this_cpu() } };
	struct totals *t = row_of(key.whole, proc, sysno, key.parts.cpu);
	u32 place = key.parts.cpu * SYSNO_LIMIT + sysno;
	struct scratch *s;

	if (t)
		return t;
	t = map_lookup(MAP(MAP_TOTALS), &key);
	if (!t) {
		s = scratch();
		if (s)
			map_update(MAP(MAP_TOTALS), &key, &s->nothing, BPF_NOEXIST_);
		t = map_lookup(MAP(MAP_TOTALS), &key);
	}
	if (t)
		return t;
	/* Full: the process loses its own row, the session not one call. */
	ledger_add(LANES, COUNTED);
	return map_lookup(MAP(MAP_OVERFLOW), KEY(place));
}

/* Branches on a value leave the verifier with two ideas of it, and it walks what follows for each: so what can be is calculated. */
INLINE void totals_add(u32 proc, u32 sysno, u32 call_flags, s64 ret, u32 plan_flags, u64 duration)
{
	struct totals *t = totals_of(proc, sysno);
	u64 unfinished = call_flags & CALL_UNFINISHED, error = IS_ERROR(ret) & ~unfinished, longer;

	if (!t)
		return;
	_Static_assert(CALL_UNFINISHED == 1 && PLAN_BYTES == 2, "flags that are counted with");
	t->calls += 1;
	t->unfinished += unfinished;
	t->errors += error;
	t->bytes += (u64)ret & -(u64)(plan_flags >> 1 & 1 & ~(unfinished | error));
#if !COUNTS_ONLY
	if (call_flags & (CALL_UNFINISHED | CALL_UNTIMED))
		return;            /* no latency is known: not even a zero */
	t->total_ns += duration;
	longer = duration - t->max_ns;
	t->max_ns += longer & ~-(longer >> 63);
	t->histogram[histogram_bucket(duration)] += 1;
#endif
}
