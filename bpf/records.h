/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that both sides of the kernel boundary must agree on: limits, map numbers, record layouts.
 * tracer/records.py mirrors this file; tests/unit/test_records.py compiles it and compares every size and offset.
 *
 * Vocabulary: tid and tgid are the kernel's ids in the initial pid namespace (a user's "pid" is the tgid). proc is
 * ours: a number given once to each traced process and never again in a session, so that a reused pid cannot be
 * taken for its predecessor.
 */
#pragma once

#define PATH_BYTES 4096            /* PATH_MAX of the kernel: no longer path exists */
#define ARGV_BYTES 16384           /* bytes of one argv kept; longer ones are marked as cut, with their true length */
#define INTERN_BYTES 256           /* strings up to this length are hashed and sent once; longer ones each time */
#define STRING_ONCE (1ULL << 63)   /* in the id of a string that was not hashed */
#define COMM_BYTES 16              /* TASK_COMM_LEN */
#define HISTOGRAM_BUCKETS 32       /* bucket i holds 2^(i+6) <= ns < 2^(i+7); the first and last are open-ended */
#define HISTOGRAM_SHIFT 6
#define SYSNO_LIMIT 1024           /* native calls 0-511, compat calls 512-1023 */
#define SYSNO_COMPAT 512           /* added to the number of a 32-bit call */
#define SYSNO_UNKNOWN 511          /* any number that no table can hold */
#define WAKE_EVERY 16384           /* a thread's records between two wake-ups of the consumer */
#define WAKE_STRINGS 1024          /* strings of a CPU between two wake-ups */
#define STRING_SLOTS 3             /* argument slots of a syscall record */

/* Maps are created by the loader (tracer/kernel/maps.py); probes name them by these numbers. */
enum map_id {
	MAP_TASKS = 1,             /* task storage, or a hash by tid: struct task_state */
	MAP_PLANS,                 /* array[SYSNO_LIMIT]: struct plan */
	MAP_TOTALS,                /* hash: struct totals_key -> struct totals */
	MAP_OVERFLOW,              /* per-CPU array[SYSNO_LIMIT]: struct totals of processes that MAP_TOTALS had no room for */
	MAP_LEDGER,                /* per-CPU array[LANES + 1]: struct lane_count; the last counts uses of MAP_OVERFLOW */
	MAP_CONTROL,               /* array[1]: struct control */
	MAP_SERIALS,               /* array[CPUS + 1]: u64, processes numbered on a CPU, and by the census */
	MAP_SCRATCH,               /* per-CPU array[1]: struct scratch */
	MAP_SEEN,                  /* LRU hash: string id -> u8, strings already sent */
	MAP_SYSCALLS,              /* lane of struct rec_syscall */
	MAP_LIFECYCLE,             /* lane of struct rec_lifecycle */
	MAP_STRINGS,               /* lane of struct rec_string */
};

enum lane { LANE_SYSCALLS, LANE_LIFECYCLE, LANE_STRINGS, LANES };

enum plan_flag {
	PLAN_TRACED = 1,           /* the user asked for this call */
	PLAN_BYTES = 2,            /* a positive result is a number of bytes */
	PLAN_SLOTS = 4,            /* slots differ from "the first three arguments" */
	PLAN_BIRTH = 8,            /* fork, vfork, clone, clone3 */
	PLAN_EXEC = 16,            /* execve, execveat: on success the exec record tells more than the arguments */
	PLAN_ALWAYS = 32,          /* gives a name to an fd: never sampled out */
};

enum slot_kind {
	SLOT_VALUE,                /* argument a as it is */
	SLOT_STRING,               /* id of the user string that argument a points to */
	SLOT_PAIR,                 /* low halves of two arguments: a | b << 32 */
};

struct slot {
	u8 kind;                   /* enum slot_kind */
	u8 a, b;                   /* argument numbers, 0-5 */
	u8 pad;
};

struct plan {
	u32 flags;                 /* enum plan_flag */
	u32 keep_one_in;           /* detail records: 1 keeps all; errors and slow calls are always kept */
	struct slot slots[STRING_SLOTS];
	u32 pad;
};

enum census_kind {
	CENSUS_ADOPT = 1,          /* take in the threads of the marked processes */
	CENSUS_CHILDREN = 2,       /* ... and their descendants */
	CENSUS_CLOSE = 4,          /* account for the calls that are still open */
};

struct control {
	u64 seed;                  /* key of the string hash: collisions cannot be prepared */
	u64 slow_ns;               /* calls at least this long are never sampled out */
	u64 census;                /* enum census_kind: what on_census does when it is read */
};

/* One per traced thread. Its presence is the membership: no state, not traced. */
struct task_state {
	u64 enter_ns;              /* CLOCK_MONOTONIC at sys_enter of the open call */
	u32 proc;
	u32 tid;                   /* changes when a thread that is not the leader execs */
	u16 sysno;                 /* of the open call */
	u16 flags;                 /* enum state_flag */
	u32 sent;                  /* syscall records sent, for WAKE_EVERY */
	u64 exec_file;             /* string ids of the exec that is about to return: its arguments are gone by then */
	u64 exec_argv;
	u64 regs;                  /* address of the open call's struct pt_regs, on the thread's kernel stack */
};

enum state_flag {
	STATE_OPEN = 1,            /* between sys_enter and sys_exit */
	STATE_NEWBORN = 2,         /* a child whose first sys_exit is the end of its parent's fork */
	STATE_ANNOUNCED = 4,       /* its lifecycle record is out */
	STATE_EXECED = 8,          /* the open call is an exec that succeeded */
	STATE_ASLEEP = 16,         /* marked by user space, not yet announced: nothing is recorded before that */
	STATE_HELD = 32,           /* `run`: nothing is recorded before the first exec that succeeds, which starts the target */
	STATE_MIDWAY = 64,         /* the open call began before the attach: nobody knows when */
	STATE_OF_CALL = STATE_OPEN | STATE_NEWBORN | STATE_EXECED | STATE_MIDWAY,
};

/*
 * The CPU is part of the key, so rows are written by one CPU each, as in a per-CPU map; but they take memory only where they
 * are used, and all of it is there beforehand (making a row in a per-CPU hash without preallocation costs 8 us).
 */
struct totals_key {
	u32 proc;
	u16 sysno;
	u16 cpu;
};

struct totals {
	u64 calls;                 /* returned and unfinished ones */
	u64 errors;                /* returned -4095..-1 */
	u64 unfinished;            /* never returned: exit, killed in the call, or still running at the end */
	u64 bytes;                 /* sum of positive results of calls that move bytes */
	u64 total_ns;
	u64 max_ns;
	u64 histogram[HISTOGRAM_BUCKETS];
};

struct lane_count {
	u64 counted;               /* records that were due; for syscalls the totals say it */
	u64 sampled_out;
	u64 lost;                  /* no room in the ring */
};

enum call_flag {
	CALL_UNFINISHED = 1,       /* never returned; duration is up to the thread's end or the trace's end */
	CALL_UNTIMED = 2,          /* no sys_enter was seen: denied by seccomp, or entered before the attach; start is when it was noticed */
	CALL_UNREADABLE = 4,       /* a string argument could not be read */
	CALL_EXECED = 8,           /* an exec that succeeded */
};

/* Lane syscalls. 56 bytes and the ring's header of 8: one slot of 64, so that no record ever wraps around the ring. */
struct rec_syscall {
	u64 start_ns;              /* CLOCK_MONOTONIC */
	u64 packed;                /* duration_ns : 48 (saturates at 78 hours) | sysno : 12 | flags : 4 (enum call_flag) */
	u32 proc;
	u32 tid;
	s64 ret;
	u64 slots[STRING_SLOTS];
};

enum lifecycle_kind {
	LIFE_FORK = 1,             /* proc, tid: the child process; parent_*: who forked it */
	LIFE_THREAD,               /* a new thread of proc */
	LIFE_FOUND,                /* a thread that ran before the trace took it in */
	LIFE_EXEC,                 /* new program; strings say which */
	LIFE_EXIT,                 /* a thread's end; process_ended says whether it was the last */
};

/* Lane lifecycle. 120 bytes and the header: two slots of 64. */
struct rec_lifecycle {
	u64 at_ns;                 /* CLOCK_MONOTONIC */
	u32 kind;                  /* enum lifecycle_kind */
	u32 proc;
	u32 tgid;
	u32 tid;
	u32 parent_proc;           /* 0: the parent is not traced */
	u32 parent_tgid;
	u32 uid;                   /* real */
	u32 euid;                  /* effective */
	u32 gid;
	u32 exit_code;             /* as wait(2) encodes it, at LIFE_EXIT */
	u32 process_ended;         /* at LIFE_EXIT: no thread of the process is left */
	u32 old_tid;               /* at LIFE_EXEC: the thread's tid before */
	u64 start_ns;              /* task start, CLOCK_MONOTONIC */
	u64 filename_id;           /* at LIFE_EXEC: the file as exec was given it */
	u64 interp_id;             /* at LIFE_EXEC: what runs it, if a script; else the same id */
	u64 argv_id;               /* at LIFE_EXEC: arguments, each ended by NUL */
	u64 cpu_ns;                /* at LIFE_EXIT: CPU time of the thread, or of the process when it ended */
	u64 peak_rss_bytes;        /* at LIFE_EXIT of the process */
	u8 comm[COMM_BYTES];
};

enum string_flag {
	STRING_CUT = 1,            /* longer than what is kept; length is the true one where it is known */
};

/* Lane strings. The header is followed by `kept` bytes. */
struct rec_string {
	u64 id;                    /* keyed hash of the bytes, never 0 */
	u32 length;                /* true length in bytes, without the closing NUL */
	u16 kept;
	u16 flags;                 /* enum string_flag */
};

struct scratch {
	u64 sent_once;             /* strings with an id of their own, on this CPU */
	u64 sent;                  /* strings sent on this CPU, for WAKE_STRINGS */
	struct totals nothing;     /* never written: what a new row starts as, too large for the stack */
	struct rec_string head;    /* what is sent starts here */
	u8 bytes[ARGV_BYTES + 8];  /* 8 more, so that the hash may read whole words */
};
