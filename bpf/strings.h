/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interned strings: records carry a 64-bit id, the bytes travel once. The id is a keyed hash; the key is drawn anew in
 * each session, so a target cannot prepare two names with one id. Long strings are rare: they get an id of their own and
 * travel at each use.
 *
 * An id enters MAP_SEEN only after its bytes are in the ring: a string that found no room is sent again at its next use.
 */
#pragma once
#include "lanes.h"

#define ROUND_WORDS 4

/*
 * The halves are multiplied with each other, so that nobody who does not know the key can say how a difference spreads. By a known odd
 * number alone the upper bit of a word stays the upper bit, and another word can take it back.
 *
 * Whole rounds only: the bytes behind the end are made zero first, the buffer has room for them. A verifier without may_goto
 * walks every round, at 80 ms for a page of text; hence INTERN_BYTES, and several words a round.
 */
INLINE u64 hash_bytes(struct scratch *s, u32 kept)
{
	/*
	 * At most INTERN_BYTES / 8. Linux 5.10 and 6.1 have to be told that of this very register: from a limit of kept they do not conclude
	 * one of kept / 8. With a mask, since a comparison would be two ways to walk.
	 */
	u32 last = OPAQUE(kept / 8) & (2 * INTERN_BYTES / 8 - 1), rounds = last / ROUND_WORDS;
	struct control *control = map_lookup(MAP(MAP_CONTROL), KEY(0));
	u64 hash = control ? control->seed : 0;
	u64 *words = (u64 *)s->bytes;

	words[last] &= (1ULL << (kept % 8 * 8)) - 1;
	words[last + 1] = words[last + 2] = words[last + 3] = 0;
	/* Where a round lies is bounded by a mask: a compiler folds the two comparisons into one, of another register than is used. */
#pragma clang loop unroll(disable)
	ROUNDS(i, INTERN_BYTES / 8 / ROUND_WORDS + 1, s->head.id) {
		u64 *round = words + (OPAQUE(i) & (2 * INTERN_BYTES / 8 / ROUND_WORDS - 1)) * ROUND_WORDS;

		if (i > rounds)
			break;
#pragma unroll
		for (u32 word = 0; word < ROUND_WORDS; word++) {
			hash ^= round[word];
			hash = hash * SCATTER + (hash >> 32) * (u32)hash;
		}
	}
	hash = (hash ^ kept) * 0xd6e8feb86659fd93ULL;
	hash = (hash ^ hash >> 29) & ~STRING_ONCE;
	return hash ? hash : 1;
}

/* Sends scratch->bytes[0..kept) unless it was sent before; returns its id. */
INLINE u64 intern(void *ctx, struct scratch *s, u32 kept, u32 length)
{
	struct seen *seen = 0;
	u64 id, wake;
	u32 bucket;

	kept = UNKNOWN(s->head.kept, kept);
	length = UNKNOWN(s->head.length, length);
	if (kept > ARGV_BYTES)
		return 0;
	if (kept <= INTERN_BYTES) {
		id = hash_bytes(s, kept);
		bucket = id & (SEEN_BUCKETS - 1);
		seen = map_lookup(MAP(MAP_SEEN), KEY(bucket));
		if (seen && (seen->ids[0] == id || seen->ids[1] == id))
			return id;
	} else {
		s->sent_once += 1;
		id = STRING_ONCE | (u64)this_cpu() << 48 | s->sent_once;
	}
	s->head.id = id;
	/* Calculated: the verifier would walk on for each answer. */
	_Static_assert(STRING_CUT == 1 && RB_NO_WAKEUP == 1 && RB_FORCE_WAKEUP == 2, "flags that are counted with");
	s->head.flags = OPAQUE((u64)kept - length) >> 63;
	s->sent += 1;
	wake = RB_NO_WAKEUP + ((OPAQUE(s->sent % WAKE_STRINGS - 1) | OPAQUE(PATH_BYTES - (u64)kept)) >> 63);
	ledger_add(LANE_STRINGS, COUNTED);
	if (!lane_send(ctx, MAP_STRINGS, LANE_STRINGS, &s->head, sizeof(s->head) + kept, wake) && seen) {
		seen->ids[1] = seen->ids[0];
		seen->ids[0] = id;
	}
	return id;
}

/* Both return 0 where the string cannot be read. The reader counts the closing NUL, we do not. */
INLINE u64 intern_kernel_str(void *ctx, const void *from)
{
	struct scratch *s = scratch();
	long n;

	if (!s)
		return 0;
	n = read_kernel_str(s->bytes, PATH_BYTES, from);
	if (n <= 0)
		return 0;
	return intern(ctx, s, n - 1, n - 1);
}

/* A block of user memory, cut at ARGV_BYTES. */
INLINE u64 intern_user_block(void *ctx, const void *from, u64 length)
{
	struct scratch *s = scratch();
	u32 kept = length > ARGV_BYTES ? ARGV_BYTES : length;

	if (!s || !length || read_user(s->bytes, kept, from))
		return 0;
	return intern(ctx, s, kept, length);
}
