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

/* A pointer in a field that newer kernels wrap in a structure of its own. */
#define READ_POINTER(pointer, field) ({ \
	void *value_ = 0; \
	read_kernel(&value_, sizeof(value_), &(pointer)->field); \
	value_; })

/* The part of a request that every operation needs, read at once: one read costs as much as the bytes of ten. */
#define REQUEST_FROM __builtin_offsetof(struct io_kiocb, opcode)
#define REQUEST_BYTES (__builtin_offsetof(struct io_kiocb, ctx) + 8 - REQUEST_FROM)
_Static_assert(REQUEST_BYTES <= 64, "opcode, flags, cqe and ctx lie together");
struct request {
	u64 words[8];
};
#define FIELD(request, field) (*(__typeof__(((struct io_kiocb *)0)->field) *)((void *)(request) + __builtin_offsetof(struct io_kiocb, field) - REQUEST_FROM))

INLINE void request_read(struct request *request, struct io_kiocb *req)
{
	read_kernel(request, REQUEST_BYTES, &req->opcode);
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

/* The string id of a path that is in the kernel's memory by now. */
INLINE u64 uring_path(void *ctx, struct uring_state *u, struct filename *name)
{
	u64 id = intern_kernel_str(ctx, READ(name, name));

	if (!id)
		u->flags |= CALL_UNREADABLE;
	return id;
}

/* The string id of the address that a connect is to go to; it is still the program's own memory. */
INLINE u64 uring_address(void *ctx, struct io_connect *request)
{
	u32 kept = AT_MOST(READ(request, addr_len), ADDRESS_BYTES);
	struct scratch *s = scratch();

	if (!s || !kept || read_user(s->bytes, kept, READ_POINTER(request, addr)))
		return 0;
	return intern(ctx, s, kept, kept);
}

/* What an operation works on and with; its preparation is over, so the fields of its own are filled. */
INLINE void uring_arguments(void *ctx, struct uring_state *u, struct io_kiocb *req, struct request *request)
{
	struct filename *first = 0, *second = 0;
	u32 opcode = FIELD(request, opcode);

	uring_basics(u, opcode, pair(FIELD(request, cqe_fd), FIELD(request, flags) & REQ_F_FIXED_FILE), FIELD(request, cqe_user_data));
	if (is_op(opcode, READS_AND_WRITES)) {
		u->slots[1] = READ((struct io_rw *)req, len);
	} else if (is_op(opcode, MESSAGES_PLAIN)) {
		u->slots[1] = (u32)READ((struct io_sr_msg *)req, len);
	} else if (opcode == OP_CLOSE) {
		u32 slot = READ((struct io_close *)req, file_slot);

		u->slots[0] = slot ? pair(slot - 1, 1) : pair(READ((struct io_close *)req, fd), 0);
	} else if (opcode == OP_ACCEPT) {
		u->slots[1] = READ((struct io_accept *)req, file_slot);
	} else if (opcode == OP_SOCKET) {
		u->slots[0] = pair(READ((struct io_socket *)req, domain), READ((struct io_socket *)req, type));
		u->slots[1] = pair(READ((struct io_socket *)req, file_slot), READ((struct io_socket *)req, protocol));
	} else if (opcode == OP_CONNECT) {
		u->slots[1] = uring_address(ctx, (struct io_connect *)req);
	} else if (opcode == OP_OPENAT || opcode == OP_OPENAT2) {
		u->slots[0] = pair(READ((struct io_open *)req, dfd), READ((struct io_open *)req, how_flags));
		u->slots[2] = READ((struct io_open *)req, file_slot);
		first = READ_POINTER((struct io_open *)req, filename);
	} else if (opcode == OP_STATX) {
		u->slots[0] = pair(READ((struct io_statx *)req, dfd), READ((struct io_statx *)req, flags));
		first = READ_POINTER((struct io_statx *)req, filename);
	} else if (opcode == OP_UNLINKAT) {
		u->slots[0] = pair(READ((struct io_unlink *)req, dfd), READ((struct io_unlink *)req, flags));
		first = READ_POINTER((struct io_unlink *)req, filename);
	} else if (opcode == OP_MKDIRAT) {
		u->slots[0] = pair(READ((struct io_mkdir *)req, dfd), READ((struct io_mkdir *)req, mode));
		first = READ_POINTER((struct io_mkdir *)req, filename);
	} else if (opcode == OP_RENAMEAT) {
		u->slots[0] = pair(READ((struct io_rename *)req, old_dfd), READ((struct io_rename *)req, new_dfd));
		first = READ_POINTER((struct io_rename *)req, oldpath);
		second = READ_POINTER((struct io_rename *)req, newpath);
	} else if (opcode == OP_LINKAT || opcode == OP_SYMLINKAT) {
		u32 target = READ((struct io_link *)req, new_dfd);

		u->slots[0] = opcode == OP_LINKAT ? pair(READ((struct io_link *)req, old_dfd), target) : target;
		first = READ_POINTER((struct io_link *)req, oldpath);
		second = READ_POINTER((struct io_link *)req, newpath);
	}
	if (first)
		u->slots[1] = uring_path(ctx, u, first);
	if (second)
		u->slots[2] = uring_path(ctx, u, second);
}
#endif
