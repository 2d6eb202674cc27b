/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations of io_uring: they are no system calls, and whoever carries them out is often a thread of the kernel. They are
 * noted when they are submitted, with the submitter's identity, and told when they complete, in the same records and totals
 * as calls, under the numbers from SYSNO_URING on. A completion of each kind:
 *
 * - names the request: the operation is over.
 * - names no request, but says that more will come: one of several of an operation, found by its ring and user_data.
 * - is not there: the program asked not to hear of success (IOSQE_CQE_SKIP_SUCCESS), or its ring had no room. The request is
 *   used again for another operation sooner or later, and then still holds the result; when it ended, nobody knows. What is
 *   not used again counts as unfinished.
 * - is of an operation that nobody saw begin: submitted before the attach, or there was no room in MAP_URING.
 */
#if HAVE_URING && URING
#include "pending.h"

#define CQE_F_MORE 2
#define CQE_F_NOTIF 8              /* the buffer of a send_zc may be used again: nothing that anybody submitted */

/* What a completion says: struct io_uring_cqe, as user programs have it. */
struct cqe {
	u64 user_data;
	s32 res;
	u32 flags;
};

INLINE struct cqe cqe_of(u64 *ctx)
{
	struct cqe cqe = {};

#if URING_CQE
	read_kernel(&cqe, sizeof(cqe), (void *)ctx[2]);
#else
	cqe.user_data = ctx[2];
	cqe.res = ctx[3];
	cqe.flags = ctx[4];
#endif
	return cqe;
}

/* What was noted of the operation at its submission; 0 if nobody saw that, and for messages from another ring. */
INLINE struct uring_state *completed(u64 *ctx, struct cqe *cqe)
{
	u64 key = ctx[1];
	struct uring_state *entry;

	if (!key) {
		if (!(cqe->flags & CQE_F_MORE))
			return 0;
		key = repeat_key(ctx[0], cqe->user_data);
		entry = map_lookup(MAP(MAP_URING), &key);
		if (!entry)
			return 0;
		key = entry->request;
	}
	return map_lookup(MAP(MAP_URING), &key);
}

PROBE(on_uring_submit)(u64 *ctx)
{
	struct submission *w = submission_begin(ctx[0]);

	if (!w)
		return 0;
	uring_reused(ctx, w);
	if (!uring_plan(&w->u, FIELD(w, opcode)))
		return 0;
#if DETAIL
	uring_arguments(ctx, w, (void *)ctx[0]);
#endif
	uring_begin(&w->u, (u64)FIELD(w, ctx), FIELD(w, cqe_user_data), may_repeat(FIELD(w, opcode), FIELD(w, flags)));
	return 0;
}

/* Turned down before it was submitted: its error completes it like any other. */
PROBE(on_uring_refused)(u64 *ctx)
{
	struct io_uring_sqe *sqe = (void *)ctx[0];
	struct submission *w = submission_begin(ctx[1]);
	u64 user_data = READ(sqe, user_data);
	u32 opcode = READ(sqe, opcode);

	if (!w)
		return 0;
	uring_reused(ctx, w);
	if (!uring_plan(&w->u, opcode))
		return 0;
#if DETAIL
	uring_basics(&w->u, opcode, (u32)READ(sqe, fd), user_data);
	w->u.flags = is_op(opcode, WITH_PATH) ? CALL_UNREADABLE : 0;
#endif
	uring_begin(&w->u, (u64)FIELD(w, ctx), user_data, 0);
	return 0;
}

#if DETAIL
/* An open that made the file; asked where the new descriptor is known. */
INLINE int uring_created(struct uring_state *u, s64 ret)
{
	u32 opcode = u->sysno - SYSNO_URING;

	if ((opcode != OP_OPENAT && opcode != OP_OPENAT2) || ret < 0 || !(u->slots[0] >> 32 & O_CREAT) || u->slots[2])
		return 0;
	return runs_here(u) && file_was_created(ret);
}
#endif

/* An operation that nobody saw begin. */
INLINE int uring_unseen(struct uring_state *u, struct io_kiocb *req, u64 user_data)
{
	u32 opcode = req ? READ(req, opcode) : OP_UNKNOWN;

	if (!uring_plan(u, opcode))
		return 0;
#if DETAIL
	uring_basics(u, opcode, (u32)-1, user_data);
	u->flags = is_op(opcode, WITH_PATH) ? CALL_UNREADABLE : 0;
#endif
#if !COUNTS_ONLY
	u->start_ns = clock_ns();
#endif
	return 1;
}

PROBE(on_uring_complete)(u64 *ctx)
{
	u64 request = ctx[1];
	struct cqe cqe = cqe_of(ctx);
	struct uring_state *entry = completed(ctx, &cqe), *u = workbench();

	if (!u)
		return 0;
	if (entry)
		*u = *entry;
	else
		__builtin_memset(u, 0, sizeof(*u));
	if (cqe.flags & CQE_F_NOTIF) {
		if (!entry)
			return 0;
		u->flags |= CALL_UNFINISHED | CALL_UNTIMED;    /* of the operation that had the request before */
	} else if (!entry) {
		if ((!request && !(cqe.flags & CQE_F_MORE)) || !uring_unseen(u, (void *)request, cqe.user_data))
			return 0;
		u->flags |= CALL_UNTIMED;
	}
#if DETAIL
	if (uring_created(u, cqe.res))
		u->flags |= CALL_CREATED;
#endif
	BARRIER;
	uring_end(ctx, u, u->flags, cqe.res);
	/* Looked up again: what is known of a pointer would make the verifier walk the above once more for each case. */
	if (u->request && ctx[1])
		uring_forget(u);
	else if (u->request)
		uring_again(u);
#if DETAIL && HAVE_SOCKETS
	if (u->request && is_op(u->sysno - SYSNO_URING, ON_SOCKETS))
		tail_call(ctx, MAP(MAP_TAILS), TAIL_OPERATED);
#endif
	return 0;
}

#if DETAIL && HAVE_SOCKETS
#include "watch.h"

/*
 * What a descriptor stands for once an operation has made it a socket or given it an address. The operation still lies on
 * the workbench. Not a probe of its own: taking one of two off a tracepoint waits for all CPUs, 13 ms.
 */
PROBE(on_uring_socket)(u64 *ctx)
{
	struct io_kiocb *req = (void *)ctx[1];
	struct description *d = workbench();
	struct cqe cqe = cqe_of(ctx);
	u32 opcode;

	if (!d)
		return 0;
	__builtin_memset(&d->r, 0, sizeof(d->r));
	opcode = d->operation.sysno - SYSNO_URING;
	if (opcode == OP_ACCEPT || opcode == OP_SOCKET) {
		if (cqe.res < 0 || (u32)d->operation.slots[1] || !runs_here(&d->operation))
			return 0;          /* no descriptor, a registered file, or whoever runs here has other descriptors */
		d->r.fd = cqe.res;
		d->file = file_of(d->r.fd);
	} else {
		d->r.fd = d->operation.slots[0] >> 32 ? -1 : (s32)d->operation.slots[0];
		d->file = req ? READ(req, file) : 0;
	}
	if (!d->file)
		return 0;
	d->sk = file_fill(&d->r, d->file);
	if (!d->sk)
		return 0;
	d->r.at_ns = clock_ns();
	d->r.kind = SOCK_BOUND;
	d->r.proc = d->operation.proc;
	d->r.tid = d->operation.tid;
	d->r.call = d->operation.sysno;
	d->r.result = cqe.res;
	tail_call(ctx, MAP(MAP_TAILS), TAIL_DESCRIBED);
	return 0;
}
#endif
#endif
