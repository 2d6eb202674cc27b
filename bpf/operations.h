/* SPDX-License-Identifier: GPL-2.0-only */
/* One operation of io_uring: whose it is, and what it works on. tracer/syscalls/uring.py says what its slots mean. */
#pragma once
#include "task.h"
#include "totals.h"
#include "strings.h"
#include "files.h"

/* include/uapi/linux/io_uring.h, enum io_uring_op: numbers never change */
enum uring_op {
	OP_POLL_ADD = 6, OP_TIMEOUT = 11, OP_ACCEPT = 13, OP_CONNECT = 16, OP_OPENAT = 18, OP_CLOSE = 19, OP_STATX = 21, OP_SEND = 26, OP_RECV = 27,
	OP_OPENAT2 = 28, OP_RENAMEAT = 35, OP_UNLINKAT = 36, OP_MKDIRAT = 37, OP_SYMLINKAT = 38, OP_LINKAT = 39, OP_SOCKET = 45, OP_SEND_ZC = 47,
	OP_BIND = 56, OP_LISTEN = 57, OP_NEW = 62, OP_UNKNOWN = 127,
};
#define OP_BIT(op) (1ULL << (op))
/* nop, poll_remove, timeout, timeout_remove, async_cancel, link_timeout, files_update, madvise, epoll_ctl, provide_buffers,
 * remove_buffers, setxattr, getxattr, waitid, futex_wait, futex_wake, futex_waitv: no descriptor; newer ones: nobody knows */
#define WITHOUT_FILE (OP_BIT(0) | OP_BIT(7) | OP_BIT(11) | OP_BIT(12) | OP_BIT(14) | OP_BIT(15) | OP_BIT(20) | OP_BIT(25) | OP_BIT(29) \
	| OP_BIT(31) | OP_BIT(32) | OP_BIT(42) | OP_BIT(44) | OP_BIT(50) | OP_BIT(51) | OP_BIT(52) | OP_BIT(53))
/* readv, writev, read_fixed, write_fixed, read, write, read_multishot, readv_fixed, writev_fixed */
#define READS_AND_WRITES (OP_BIT(1) | OP_BIT(2) | OP_BIT(4) | OP_BIT(5) | OP_BIT(22) | OP_BIT(23) | OP_BIT(49) | OP_BIT(60) | OP_BIT(61))
#define MESSAGES_PLAIN (OP_BIT(OP_SEND) | OP_BIT(OP_RECV) | OP_BIT(OP_SEND_ZC))
/* Their slots are all taken: no user_data */
#define WITH_PATHS_ONLY (OP_BIT(OP_OPENAT) | OP_BIT(OP_OPENAT2) | OP_BIT(OP_RENAMEAT) | OP_BIT(OP_SYMLINKAT) | OP_BIT(OP_LINKAT))
/* They make a socket, or give it an address */
#define ON_SOCKETS (OP_BIT(OP_ACCEPT) | OP_BIT(OP_CONNECT) | OP_BIT(OP_SOCKET) | OP_BIT(OP_BIND) | OP_BIT(OP_LISTEN))
/* A number in the middle slot */
#define WITH_VALUE (READS_AND_WRITES | MESSAGES_PLAIN | OP_BIT(OP_ACCEPT) | OP_BIT(OP_SOCKET) | OP_BIT(OP_CONNECT) \
	| OP_BIT(OP_STATX) | OP_BIT(OP_UNLINKAT) | OP_BIT(OP_MKDIRAT))
#define WITH_PATH (WITH_PATHS_ONLY | OP_BIT(OP_STATX) | OP_BIT(OP_UNLINKAT) | OP_BIT(OP_MKDIRAT))

#define is_op(opcode, set) ((opcode) < OP_NEW && (set) >> (opcode) & 1)

/* As flags of the request: those that come from the submission keep its numbers (enum io_uring_sqe_flags_bit) */
#define REQ_F_FIXED_FILE 1
#define REQ_F_BUFFER_SELECT 32

/* The part of a request that every operation needs, read at once: one read costs as much as the bytes of ten. */
#define REQUEST_FROM __builtin_offsetof(struct io_kiocb, opcode)
#define REQUEST_BYTES (__builtin_offsetof(struct io_kiocb, ctx) + 8 - REQUEST_FROM)
#define COMMAND_BYTES 64           /* union in struct io_kiocb: the fields of one kind of operation */
_Static_assert(REQUEST_BYTES <= 64, "opcode, flags, cqe and ctx lie together");

/* An operation that is being submitted; on the workbench, where the verifier forgets on which way it was filled. */
struct submission {
	struct uring_state u;
	u64 request[8];
	u64 command[COMMAND_BYTES / 8];
	void *texts[2];            /* struct filename; or where an address lies that is `length` bytes long */
	u64 length;
};
#define FIELD(w, field) (*(__typeof__(((struct io_kiocb *)0)->field) *)((void *)(w)->request + __builtin_offsetof(struct io_kiocb, field) - REQUEST_FROM))
#define COMMAND(w, type) ({ \
	_Static_assert(sizeof(struct type) <= COMMAND_BYTES, "what lies in struct io_kiocb as " #type); \
	(struct type *)(w)->command; })
/* A pointer that newer kernels wrap in a structure of its own. */
#define POINTER(field) (*(void **)&(field))

INLINE struct submission *submission_begin(u64 request)
{
	struct submission *w = workbench();

	if (!w)
		return 0;
	__builtin_memset(w, 0, sizeof(*w));
	w->u.request = request;
	read_kernel(w->request, REQUEST_BYTES, &((struct io_kiocb *)request)->opcode);
	return w;
}

/* The thread that submitted: this one, or, where a thread of the kernel polls for submissions, the process that it belongs to. */
INLINE struct task_state *submitter_state(void)
{
	struct task_state *s = current_state();
	struct task_struct *task = (void *)current_task_address(), *leader;

	if (s)
		return s->flags & (STATE_ASLEEP | STATE_HELD) ? 0 : s;
	leader = READ(task, group_leader);
	s = state_at(READ(leader, pid));
	/* A leader that has ended is asleep, while its process lives on. */
	return s && s->proc && !(s->flags & STATE_HELD) ? s : 0;
}

/* The plan of an operation of a traced process that was asked for; notes whose it is. */
INLINE struct plan *uring_plan(struct uring_state *u, u32 opcode)
{
	struct task_state *s = submitter_state();
	struct plan *plan;
	u32 sysno;

	if (!s)
		return 0;
	sysno = SYSNO_URING + (opcode < OP_UNKNOWN ? opcode : OP_UNKNOWN);
	plan = plan_of(sysno);
	if (!plan || !(plan->flags & PLAN_TRACED))
		return 0;
	u->sysno = sysno;
	u->proc = s->proc;
	u->tid = current_pid_tgid();
	u->tgid = current_pid_tgid() >> 32;
	return plan;
}

/* Whether what runs here has the descriptors of the process that submitted: itself, or a thread of the kernel on its behalf. */
INLINE int runs_here(struct uring_state *u)
{
	return u->tgid == (u32)(current_pid_tgid() >> 32);
}

#if DETAIL
INLINE u64 pair(u32 low, u32 high)
{
	return low | (u64)high << 32;
}

/* What is known of every operation, or all that is left of one that the kernel turned down. */
INLINE void uring_basics(struct uring_state *u, u32 opcode, u64 fd, u64 user_data)
{
	if (opcode >= OP_NEW || is_op(opcode, WITHOUT_FILE)) {
		u->slots[0] = user_data;
		return;
	}
	u->slots[0] = fd;
	if (is_op(opcode, WITH_VALUE))
		u->slots[2] = user_data;
	else if (!is_op(opcode, WITH_PATHS_ONLY))
		u->slots[1] = user_data;
}

/* The string id of a path, which is in the kernel's memory by now, or of the address that a connect is to go to, which is not. */
INLINE u64 uring_text(void *ctx, struct submission *w, void *text)
{
	struct scratch *s = scratch();
	struct filename *name = text;
	long n;

	if (!s)
		return 0;
	if (w->length) {
		n = AT_MOST(w->length, ADDRESS_BYTES) + 1;
		if (read_user(s->bytes, n - 1, text))
			return 0;
	} else {
		n = read_kernel_str(s->bytes, PATH_BYTES, READ(name, name));
	}
	if (n <= 0) {
		w->u.flags |= CALL_UNREADABLE;
		return 0;
	}
	return intern(ctx, s, n - 1, n - 1);
}

/* What an operation works on and with; its preparation is over, so the fields of its own are filled. */
INLINE void uring_arguments(void *ctx, struct submission *w, struct io_kiocb *req)
{
	u32 opcode = FIELD(w, opcode);
	struct uring_state *u = &w->u;

	read_kernel(w->command, COMMAND_BYTES, req);
	uring_basics(u, opcode, pair(FIELD(w, cqe_fd), FIELD(w, flags) & REQ_F_FIXED_FILE), FIELD(w, cqe_user_data));
	if (is_op(opcode, READS_AND_WRITES)) {
		u->slots[1] = COMMAND(w, io_rw)->len;
	} else if (is_op(opcode, MESSAGES_PLAIN)) {
		u->slots[1] = (u32)COMMAND(w, io_sr_msg)->len;
	} else if (opcode == OP_CLOSE) {
		u32 slot = COMMAND(w, io_close)->file_slot;

		u->slots[0] = slot ? pair(slot - 1, 1) : pair(COMMAND(w, io_close)->fd, 0);
	} else if (opcode == OP_ACCEPT) {
		u->slots[1] = COMMAND(w, io_accept)->file_slot;
	} else if (opcode == OP_SOCKET) {
		u->slots[0] = pair(COMMAND(w, io_socket)->domain, COMMAND(w, io_socket)->type);
		u->slots[1] = pair(COMMAND(w, io_socket)->file_slot, COMMAND(w, io_socket)->protocol);
	} else if (opcode == OP_CONNECT) {
		w->length = (u32)COMMAND(w, io_connect)->addr_len;
		if (w->length)
			w->texts[0] = POINTER(COMMAND(w, io_connect)->addr);
	} else if (opcode == OP_OPENAT || opcode == OP_OPENAT2) {
		u->slots[0] = pair(COMMAND(w, io_open)->dfd, COMMAND(w, io_open)->how_flags);
		u->slots[2] = COMMAND(w, io_open)->file_slot;
		w->texts[0] = POINTER(COMMAND(w, io_open)->filename);
	} else if (opcode == OP_STATX) {
		u->slots[0] = pair(COMMAND(w, io_statx)->dfd, COMMAND(w, io_statx)->flags);
		w->texts[0] = POINTER(COMMAND(w, io_statx)->filename);
	} else if (opcode == OP_UNLINKAT) {
		u->slots[0] = pair(COMMAND(w, io_unlink)->dfd, COMMAND(w, io_unlink)->flags);
		w->texts[0] = POINTER(COMMAND(w, io_unlink)->filename);
	} else if (opcode == OP_MKDIRAT) {
		u->slots[0] = pair(COMMAND(w, io_mkdir)->dfd, COMMAND(w, io_mkdir)->mode);
		w->texts[0] = POINTER(COMMAND(w, io_mkdir)->filename);
	} else if (opcode == OP_RENAMEAT) {
		u->slots[0] = pair(COMMAND(w, io_rename)->old_dfd, COMMAND(w, io_rename)->new_dfd);
		w->texts[0] = POINTER(COMMAND(w, io_rename)->oldpath);
		w->texts[1] = POINTER(COMMAND(w, io_rename)->newpath);
	} else if (opcode == OP_LINKAT || opcode == OP_SYMLINKAT) {
		u32 target = COMMAND(w, io_link)->new_dfd;

		u->slots[0] = opcode == OP_LINKAT ? pair(COMMAND(w, io_link)->old_dfd, target) : target;
		w->texts[0] = POINTER(COMMAND(w, io_link)->oldpath);
		w->texts[1] = POINTER(COMMAND(w, io_link)->newpath);
	}
	BARRIER;
	if (w->texts[0])
		u->slots[1] = uring_text(ctx, w, w->texts[0]);
	BARRIER;
	if (w->texts[1])
		u->slots[2] = uring_text(ctx, w, w->texts[1]);
}
#endif
