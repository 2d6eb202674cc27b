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
#define SYSNO_LIMIT 1152           /* native calls 0-511, compat calls 512-1023, operations of io_uring 1024-1151 */
#define SYSNO_COMPAT 512           /* added to the number of a 32-bit call */
#define SYSNO_URING 1024           /* added to the opcode of an operation of io_uring */
#define SYSNO_UNKNOWN 511          /* any number that no table can hold */
#define STATE_SLOTS 32768          /* a power of two */
#define SEEN_BUCKETS 32768         /* a power of two */
#define WAKE_EVERY 16384           /* a thread's records between two wake-ups of the consumer */
#define WAKE_STRINGS 1024          /* strings of a CPU between two wake-ups */
#define STRING_SLOTS 3             /* argument slots of a syscall record */
#define PLAIN_CHUNK 16384          /* bytes of plaintext in one record; also the most that TLS has in one */
#define APARTS 4                   /* places to put plaintext together, of a CPU: one for tracepoints, the others for uprobes that put each other aside */
#define PLAIN_SMALL 4096           /* pieces up to this size are kept beyond the limit for bulk: what streams in small pieces is text */
#define HELLO_BYTES 4096           /* the first bytes of a TLS connection, each way, that are kept: names and versions stand in them */
#define BULK_SLOTS 4096            /* a power of two */
#define HEADS 32                   /* heads of TLS records in one record */

/* Maps are created by the loader (tracer/kernel/maps.py); probes name them by these numbers. */
enum map_id {
	MAP_MARKS = 1,             /* task storage, or a hash by tid: struct mark, threads that user space wants traced */
	MAP_PLANS,                 /* array[SYSNO_LIMIT]: struct plan */
	MAP_TOTALS,                /* hash: struct totals_key -> struct totals, of those that found their row in MAP_ROWS taken */
	MAP_OVERFLOW,              /* array[CPUS * SYSNO_LIMIT]: struct totals of processes that MAP_TOTALS had no room for */
	MAP_LEDGER,                /* per-CPU array[LANES + 1]: struct lane_count; the last counts uses of MAP_OVERFLOW */
	MAP_CONTROL,               /* array[1]: struct control */
	MAP_SERIALS,               /* array[CPUS + 1]: u64, processes numbered on a CPU, and by the census */
	MAP_SCRATCH,               /* per-CPU array[1]: struct scratch */
	MAP_SEEN,                  /* array[SEEN_BUCKETS]: struct seen, strings already sent, by the lower bits of their id */
	MAP_SYSCALLS,              /* lane of struct rec_syscall */
	MAP_LIFECYCLE,             /* lane of struct rec_lifecycle */
	MAP_STRINGS,               /* lane of struct rec_string */
	MAP_SOCKETS,               /* lane of struct rec_socket */
	MAP_PAYLOAD,               /* lane of struct rec_payload */
	MAP_GATE,                  /* array[1]: struct gate */
	MAP_SOCKS,                 /* hash: address of struct sock -> struct sock_state, TCP sockets of traced processes */
	MAP_WATCHED,               /* LRU hash: address of struct file -> struct watched, sockets whose payload is kept */
	MAP_TAILS,                 /* program array, by enum tail: all of them are of raw tracepoints, so they can share one */
	MAP_URING,                 /* hash: address of struct io_kiocb -> struct uring_state, operations under way */
	MAP_STATES,                /* array[STATE_SLOTS]: struct state_slot, by the lower bits of the tid */
	MAP_CLAIMS,                /* hash: u32 number of a slot -> u32, slots that are taken */
	MAP_CROWD,                 /* hash: tid -> u32 number of the slot, of threads that found their own taken */
	MAP_ROWS,                  /* array[CPUS * ROWS_OF_CPU, a power of two]: struct totals_row */
	MAP_RETIRED,               /* array of the same length: struct totals_key, what user space has read for the last time */
	MAP_PLAINTEXT,             /* lane of struct rec_plain */
	MAP_IMAGES,                /* lane of struct rec_image */
	MAP_TLS_CALLS,             /* LRU hash: thread or goroutine, and direction -> struct tls_call */
	MAP_TLS_ENDS,              /* LRU hash: struct tls_key -> struct stream */
	MAP_IMAGES_SEEN,           /* LRU hash: struct image_key -> u8, files that MAP_IMAGES has told of */
	MAP_APART,                 /* per-CPU array[APARTS]: struct apart */
	MAP_TLS_TAILS,             /* program array, by enum role: what on_tls_return goes on to */
	MAP_BULK,                  /* array[BULK_SLOTS]: struct bulk */
};

enum lane { LANE_SYSCALLS, LANE_LIFECYCLE, LANE_STRINGS, LANE_SOCKETS, LANE_PAYLOAD, LANE_PLAINTEXT, LANE_IMAGES, LANES };

enum plan_flag {
	PLAN_TRACED = 1,           /* the user asked for this call */
	PLAN_BYTES = 2,            /* a positive result is a number of bytes */
	PLAN_SLOTS = 4,            /* slots differ from "the first three arguments" */
	PLAN_BIRTH = 8,            /* fork, vfork, clone, clone3 */
	PLAN_EXEC = 16,            /* execve, execveat: on success the exec record tells more than the arguments */
	PLAN_ALWAYS = 32,          /* gives a name to an fd: never sampled out */
	PLAN_OPEN = 64,            /* makes a file if its last slot says O_CREAT */
	PLAN_CREAT = 128,          /* creat: makes a file if there is none */
	PLAN_GATED = 256,          /* its tail runs only for descriptors that the gate lets through, and for messages to a name server */
	PLAN_SENDS = 512,          /* for the tail: the data goes out */
	PLAN_VECTOR = 1024,        /* for the tail: argument 1 is an array of struct iovec, not a buffer */
	PLAN_MESSAGES = 2048,      /* for the tail: argument 1 is a struct msghdr, or an array of struct mmsghdr */
	PLAN_ADDRESSED = 4096,     /* for the tail: argument 4 is the other end's address */
	PLAN_MAPS = 8192,          /* mmap: its tail runs for memory that may be executed */
	PLAN_COMMAND = 16384,      /* for the tail: argument 1 says whether it makes a descriptor (fcntl) */
};

/* Programs that others go on to: on_sys_exit after calls that are about more than numbers, and so on. */
enum tail {
	TAIL_NONE,
	TAIL_SOCKET,               /* connect, bind, listen: the first argument is a socket whose address may be new */
	TAIL_ACCEPT,               /* socket, accept, accept4: the result is a new socket */
	TAIL_PASSED,               /* pidfd_getfd: the result is another process's descriptor */
	TAIL_MESSAGE,              /* sendmsg, recvmsg: may pass descriptors, and have payload */
	TAIL_DATA,                 /* read, write, send, recv and the like: have payload */
	TAIL_ONE,                  /* ... one message after the other */
	TAIL_STREAM,               /* goes on from there: the socket carries a byte stream */
	TAIL_PLAIN,                /* ... in which bytes are kept */
	TAIL_WIRE,                 /* ... in which the heads of TLS records are kept */
	TAIL_MAPPED,               /* mmap: a file whose code may run now */
	TAIL_COPIED,               /* dup, dup2, dup3, fcntl, socketpair: more descriptors for sockets that may be watched */
	TAIL_HANDED,               /* goes on from TAIL_MESSAGE: descriptors that go with it, one after the other */
	TAIL_DESCRIBED,            /* a descriptor stands for a socket: all there is to know of that */
	TAIL_UNIX,                 /* goes on from there: the names of both ends of a Unix socket, one after the other */
	TAIL_TCP,                  /* something happened to a TCP socket of a traced process */
	TAIL_SLOTS,                /* goes on from on_sys_exit: fills the slots of a record */
	TAIL_OPERATED,             /* goes on from the end of an operation of io_uring that was about a socket */
	TAILS,
};

enum slot_kind {
	SLOT_VALUE,                /* argument a as it is */
	SLOT_STRING,               /* id of the user string that argument a points to */
	SLOT_PAIR,                 /* low halves of two arguments: a | b << 32 */
	SLOT_ADDRESS,              /* id of the socket address at argument a, b bytes long, as a string */
	SLOT_ADDRESS_AT,           /* the same; argument b points to the length */
	SLOT_MESSAGE,              /* id of the socket address in the struct msghdr at argument a */
	SLOT_PEEK,                 /* the 64 bits that argument a points to */
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
	u32 tail;                  /* enum tail */
};

enum census_kind {
	CENSUS_CHILDREN = 1,       /* on_census takes in not only the threads of the marked processes, but their descendants, too */
	CENSUS_BOUND = 2,          /* on_socket_census tells of sockets that were open before ... */
	CENSUS_ALIVE = 4,          /* ... or of TCP sockets that are open still */
};

struct control {
	u64 seed;                  /* key of the string hash: collisions cannot be prepared */
	u64 slow_ns;               /* calls at least this long are never sampled out */
	u64 census;                /* enum census_kind: what iterators do when they are read */
	u64 bulk;                  /* bytes of plaintext in large pieces that are kept of one message; small pieces are always kept */
	u64 over;                  /* 1 once the trace has ended: taking uprobes off takes the kernel a while */
};

/*
 * One per traced thread. Its presence is the membership: no state, not traced. Tid, sysno and flags are one word of memory, so that a
 * state appears and disappears at once.
 */
struct task_state {
	u64 enter_ns;              /* CLOCK_MONOTONIC at sys_enter of the open call */
	u32 tid;                   /* of the initial pid namespace; changes when a thread that is not the leader execs. 0: nobody's */
	u16 sysno;                 /* of the open call */
	u16 flags;                 /* enum state_flag */
	u32 proc;
	u32 sent;                  /* syscall records sent, for WAKE_EVERY */
	u64 exec_file;             /* string ids of the exec that is about to return: its arguments are gone by then */
	u64 exec_argv;
	u64 regs;                  /* address of the open call's struct pt_regs, on the thread's kernel stack */
};

struct state_slot {
	struct task_state state;
	u64 crowd;                 /* threads with these lower bits that are in other slots */
};

struct mark {
	u64 flags;                 /* enum state_flag to begin with */
};

enum state_flag {
	STATE_OPEN = 1,            /* between sys_enter and sys_exit */
	STATE_NEWBORN = 2,         /* a child whose first sys_exit is the end of its parent's fork */
	STATE_ANNOUNCED = 4,       /* its lifecycle record is out */
	STATE_EXECED = 8,          /* the open call is an exec that succeeded */
	STATE_ASLEEP = 16,         /* marked by user space, not yet announced: nothing is recorded before that */
	STATE_HELD = 32,           /* `run`: nothing is recorded before the first exec that succeeds, which starts the target */
	STATE_MIDWAY = 64,         /* the open call began before the attach: nobody knows when */
	STATE_RESOLVER = 128,      /* the call sends to a name server */
	STATE_OF_CALL = STATE_OPEN | STATE_NEWBORN | STATE_EXECED | STATE_MIDWAY | STATE_RESOLVER,
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

/*
 * Where totals lie: in the row of this CPU at which the key arrives by a few instructions, without a search. If that is another
 * key's, in MAP_TOTALS.
 */
struct totals_row {
	u64 key;                   /* struct totals_key; 0: nobody's yet */
	struct totals totals;
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
	CALL_CREATED = 8,          /* an open that made the file */
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

enum share_flag {
	SHARES_FILES = 1,          /* one table of descriptors (CLONE_FILES) */
	SHARES_FOLDER = 2,         /* one root and working directory (CLONE_FS) */
	SHARES_MOUNTS = 4,         /* one mount namespace (no CLONE_NEWNS) */
};

/* Lane lifecycle. 120 bytes and the header: two slots of 64. */
struct rec_lifecycle {
	u64 at_ns;                 /* CLOCK_MONOTONIC */
	u16 kind;                  /* enum lifecycle_kind */
	u16 shares;                /* at LIFE_FORK, with the parent: enum share_flag */
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

enum socket_kind {
	SOCK_BOUND = 1,            /* descriptor fd of proc stands for this socket: made, accepted, named, or found by the census */
	SOCK_STATE,                /* TCP went from old_state to new_state */
	SOCK_RETRANSMIT,           /* a segment was sent again */
	SOCK_RESET_SENT,
	SOCK_RESET_RECEIVED,
	SOCK_ENDED,                /* the kernel has let go of it: last figures */
	SOCK_ALIVE,                /* it outlived the trace: figures at its end */
	SOCK_PASSED,               /* descriptor fd was received from another process (SCM_RIGHTS, pidfd_getfd) */
	SOCK_HANDED,               /* descriptor fd was sent to another process (SCM_RIGHTS) */
};

/*
 * Lane sockets. 248 bytes and the header: four slots of 64. sock, peer and file are keyed hashes of kernel addresses, which
 * are nobody's business; sock also has the inode number in it, since addresses are used again.
 */
struct rec_socket {
	u64 at_ns;                 /* CLOCK_MONOTONIC */
	u64 sock;                  /* 0: the descriptor is no socket */
	u64 peer;                  /* Unix: the socket at the other end; 0: none or not known */
	u64 file;                  /* the open file description; 0: not known */
	u64 inode;
	u64 name_id;               /* Unix: string id of the bound address, without its family */
	u64 peer_name_id;          /* Unix: the other end's */
	u64 bytes_sent;            /* TCP: payload put on the wire, retransmits included (bytes_sent) */
	u64 bytes_acked;           /* TCP: payload that the other side has confirmed */
	u64 bytes_received;        /* TCP: payload */
	u32 kind;                  /* enum socket_kind */
	u32 proc;                  /* of the last traced process that touched it */
	u32 tid;
	s32 fd;                    /* -1: not known */
	u32 netns;                 /* inode number of the network namespace */
	u32 srtt_us;               /* TCP: smoothed round-trip time; 0: none measured */
	u32 rttvar_us;             /* TCP: its mean deviation */
	u32 min_rtt_us;            /* TCP: over the last minutes; 0: none measured */
	u32 cwnd;                  /* TCP: congestion window, in segments */
	u32 mss;                   /* TCP: bytes of a segment */
	u32 retransmits;           /* TCP: segments sent again, since it was opened */
	u32 segments_out;          /* TCP: with payload */
	u32 segments_in;           /* TCP: with payload */
	u32 dev;                   /* of the file, as the kernel numbers devices: major << 20 | minor */
	u32 call;                  /* at SOCK_BOUND: number of the call; SYSNO_LIMIT: the census */
	s32 result;                /* at SOCK_BOUND: what the call returned */
	u16 mode;                  /* of the file: type and permissions, as stat(2) has them */
	u16 family;                /* AF_* */
	u16 type;                  /* SOCK_* */
	u16 protocol;              /* IPPROTO_* */
	u16 local_port;
	u16 remote_port;
	u8 old_state;              /* TCP_* */
	u8 new_state;              /* TCP_*; at other kinds: the state it is in */
	u8 local[16];              /* IPv4 in the first four bytes */
	u8 remote[16];
	u8 pad[58];
};

enum payload_flag {
	PAYLOAD_SENT = 1,          /* by the traced process; else received */
	PAYLOAD_CUT = 2,           /* longer than what is kept */
	PAYLOAD_STREAM = 4,        /* a part of a byte stream; else one datagram */
};

#define PAYLOAD_BYTES 4096         /* kept of one message */

/* Lane payload. The header is followed by `kept` bytes. */
struct rec_payload {
	u64 at_ns;                 /* CLOCK_MONOTONIC, when the call returned */
	u64 sock;                  /* as in rec_socket */
	u32 proc;
	u32 tid;
	s32 fd;
	u32 length;                /* bytes of the message, or moved by the call */
	u16 kept;
	u16 flags;                 /* enum payload_flag */
	u16 family;                /* of the other end's address; 0: not known */
	u16 port;                  /* of the other end */
	u8 address[16];            /* of the other end; IPv4 in the first four bytes */
};

#define GATE 1024

struct gate {
	u8 watched[GATE];          /* 1 at fd % GATE once a watched socket had that number; bytes, so that CPUs need no atomics */
};

enum plain_kind {
	PLAIN_SOCKET = 1,          /* bytes of a stream that is not encrypted; length 0: the other side has ended */
	PLAIN_TLS,                 /* bytes that a TLS library took or gave; length 0: the other side has ended */
	PLAIN_WIRE,                /* calls on a socket that speaks TLS, up to one with heads of records: type << 16 | length, u32 each, are kept */
	PLAIN_HELLO,               /* the first bytes on such a socket */
	PLAIN_FREED,               /* a TLS connection's object has gone */
};

enum plain_flag {
	PLAIN_SENT = 1,            /* by the traced process; else received */
	PLAIN_ASTRAY = 2,          /* PLAIN_WIRE: where a record begins is not known */
	PLAIN_UNREADABLE = 4,      /* the bytes could not be read from the program's memory */
	PLAIN_MIDWAY = 8,          /* the socket was open before anyone looked at it */
	PLAIN_MORE = 16,           /* PLAIN_TLS: more of the same call follows */
};

/*
 * Lane plaintext. The header is followed by `kept` bytes. All bytes of a direction are told of: those of a record begin at `position`,
 * are `length` long, and the first `kept` of them are there.
 */
struct rec_plain {
	u64 at_ns;                 /* CLOCK_MONOTONIC, when the call returned */
	u64 start_ns;              /* when it was entered */
	u64 connection;            /* a keyed hash of the TLS library's object; else as sock */
	u64 sock;                  /* as in rec_socket; 0: not known here */
	u64 position;
	u32 proc;
	u32 tid;
	u32 length;
	u32 kept;
	s32 fd;                    /* -1: not known here */
	u16 kind;                  /* enum plain_kind */
	u16 flags;                 /* enum plain_flag */
	u32 library;               /* PLAIN_TLS: number that the loader gave the probe */
	u32 pad;
};

/* Lane images: a file whose code may run in a traced process, once for each file. 40 bytes and the header. */
struct rec_image {
	u64 at_ns;
	u64 inode;
	u64 generation;            /* of the inode: tells a new file with an old number */
	u32 dev;                   /* as in rec_socket */
	u32 proc;
	u32 tgid;
	u32 tid;
};

struct image_key {
	u64 inode;
	u32 dev;
	u32 generation;
};

/* A byte stream in one direction. */
struct flow {
	u64 position;              /* bytes so far */
	u64 bulk;                  /* bytes in large pieces that were kept since the other direction had its turn */
	u64 head;                  /* of a record of TLS on the wire, or a frame of HTTP/2 in clear: the bytes of its head that are there so far */
	u32 had;                   /* how many those are */
	u32 left;                  /* bytes to come of the record or frame */
	u64 quiet;                 /* TLS on the wire: bytes that were moved since the last PLAIN_WIRE record */
	u32 frames;                /* enum frames */
	u32 salt;                  /* of the keys of its streams in MAP_BULK: objects of libraries are used again */
};

enum frames {
	FRAMES_NONE,               /* it is not HTTP/2 */
	FRAMES_ASTRAY,             /* HTTP/2, but where a frame begins is not known: all is kept */
	FRAMES_KEPT,               /* HTTP/2, and the bytes of the current frame are kept */
	FRAMES_CUT,                /* ... and those that are left of it are not */
};

/* How many bytes were kept of one direction of a stream of HTTP/2; another stream may take its place. */
struct bulk {
	u64 key;
	u64 bytes;
};

/* Both directions: a TLS connection as its library sees it. */
struct stream {
	struct flow flows[2];      /* received, sent */
	u32 turn;                  /* direction of the last bytes */
	u32 flags;                 /* enum stream_flag */
};

enum stream_flag {
	STREAM_WHOLE = 1,          /* HTTP/2: many messages at once, of which each may be cut, but not the connection */
	STREAM_MIDWAY = 2,         /* bytes may have passed before anyone looked */
};

enum role {
	ROLE_READ,                 /* (object, buffer, size): returns bytes */
	ROLE_WRITE,
	ROLE_READ_EX,              /* (object, buffer, size, *bytes): returns 1 */
	ROLE_WRITE_EX,
	ROLE_FREE,                 /* (object) */
	ROLE_GO_READ,              /* as Go passes it: (object, buffer, size): returns bytes */
	ROLE_GO_WRITE,
	ROLE_READ_INNER,           /* (object, buffer, size, *bytes): returns 1; 0: the end of the connection */
	ROLE_WRITE_INNER,          /* (object, buffer, size, flags, *bytes): returns 1 */
};

/* What a probe on a function is attached with: its role, what follows from that, and from GIVEN_LIBRARY on the number of its library. */
enum given {
	GIVEN_ROLE = 0x3f,
	GIVEN_SENDS = 0x40,
	GIVEN_GO = 0x80,
	GIVEN_LIBRARY = 0x100,
};

struct tls_key {
	u64 object;
	u32 proc;
	u32 pad;
};

struct tls_call {
	u64 object;                /* 0: no call is open */
	u64 buffer;                /* from here on the bytes are still to be told of */
	u64 moved;                 /* where the number of bytes will be; 0: it is returned */
	u64 start_ns;
	u64 left;                  /* bytes to be told of */
	u64 kept;                  /* of them, from the first on, those that will be there */
	u64 span;                  /* those and the ones behind them that will not; 0: that is still to be found out */
	u64 runs;                  /* of on_tls_more */
	struct tls_key key;        /* of its stream */
	struct rec_plain head;
};

/* Where plaintext is put together. */
struct apart {
	u64 taken;                 /* by how many; 1: by one, whose it is */
	struct rec_plain head;
	u8 bytes[PLAIN_CHUNK];
};

/* The last two strings that were sent and fell here. */
struct seen {
	u64 ids[2];
};

struct sock_state {
	u64 sock;                  /* as in rec_socket */
	u32 proc;
	u32 told;                  /* the event of TCP that was told last: enum socket_kind, and of SOCK_STATE both states */
};

enum watch_kind {
	WATCH_NEW,                 /* a byte stream of which nothing is known yet */
	WATCH_RESOLVER,            /* look-ups of names: its messages go to the lane payload */
	WATCH_PLAIN,               /* HTTP that is not encrypted */
	WATCH_TLS,
	WATCH_OTHER,               /* none of these */
};

struct watched {
	u64 sock;                  /* as in rec_socket: tells a new file at an old address */
	u32 kind;                  /* enum watch_kind */
	u32 looks;                 /* calls that were looked at while it was new */
	struct stream stream;
};

/* An operation of io_uring between its submission and its last completion. */
struct uring_state {
	u64 start_ns;              /* of its submission, or its last completion but the final one */
	u64 ring;                  /* address of struct io_ring_ctx */
	u64 request;               /* address of struct io_kiocb; the entry itself may be found by ring and user_data instead */
	u64 user_data;
	u32 proc;
	u32 tid;
	u64 slots[STRING_SLOTS];
	u16 sysno;
	u16 flags;                 /* enum call_flag */
	u32 tgid;                  /* of who submitted */
};

struct scratch {
	u64 sent_once;             /* strings with an id of their own, on this CPU */
	u64 sent;                  /* strings sent on this CPU, for WAKE_STRINGS */
	struct totals nothing;     /* never written: what a new row starts as, too large for the stack */
	struct rec_string head;    /* what is sent starts here */
	u8 bytes[ARGV_BYTES + 8];  /* 8 more, so that the hash may read whole words */
};
