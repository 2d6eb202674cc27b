/* One ring of io_uring, without a library: submit() hands in a request, take() waits for a completion and gives its result. */
#pragma once
#include "target.h"
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <sys/socket.h>

static struct ring {
	int fd;
	unsigned sqpoll, *head, *tail, *mask, *array, *flags, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring;

static inline void start(unsigned flags)
{
	struct io_uring_params p = { .flags = flags, .sq_thread_idle = 10000 };
	char *rings;

	ring.fd = syscall(SYS_io_uring_setup, 64, &p);
	must(ring.fd >= 0, "io_uring_setup");
	size_t bytes = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	rings = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_SQ_RING);
	must(rings != MAP_FAILED, "mmap");
	ring.sqes = mmap(0, p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_SQES);
	must(ring.sqes != MAP_FAILED, "mmap");
	ring.sqpoll = flags & IORING_SETUP_SQPOLL;
	ring.head = (unsigned *)(rings + p.sq_off.head);
	ring.tail = (unsigned *)(rings + p.sq_off.tail);
	ring.mask = (unsigned *)(rings + p.sq_off.ring_mask);
	ring.flags = (unsigned *)(rings + p.sq_off.flags);
	ring.array = (unsigned *)(rings + p.sq_off.array);
	ring.cq_head = (unsigned *)(rings + p.cq_off.head);
	ring.cq_tail = (unsigned *)(rings + p.cq_off.tail);
	ring.cq_mask = (unsigned *)(rings + p.cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(rings + p.cq_off.cqes);
}

static inline void put(struct io_uring_sqe sqe)
{
	unsigned tail = *ring.tail;

	ring.sqes[tail & *ring.mask] = sqe;
	ring.array[tail & *ring.mask] = tail & *ring.mask;
	__atomic_store_n(ring.tail, tail + 1, __ATOMIC_SEQ_CST);
}

static inline void enter(unsigned count)
{
	if (!ring.sqpoll)
		must(syscall(SYS_io_uring_enter, ring.fd, count, 0, 0, 0, 0) >= 0, "io_uring_enter");
	else if (__atomic_load_n(ring.flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP)
		must(syscall(SYS_io_uring_enter, ring.fd, 1, 0, IORING_ENTER_SQ_WAKEUP, 0, 0) >= 0, "io_uring_enter");
}

static inline void submit(struct io_uring_sqe sqe)
{
	put(sqe);
	enter(1);
}

/* The second waits for the first, if the first says IOSQE_IO_LINK. */
static inline void submit_both(struct io_uring_sqe first, struct io_uring_sqe second)
{
	put(first);
	put(second);
	enter(2);
}

static inline int take(void)
{
	int res;

	while (*ring.cq_head == __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE))
		syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, 0, 0);
	res = ring.cqes[*ring.cq_head & *ring.cq_mask].res;
	__atomic_store_n(ring.cq_head, *ring.cq_head + 1, __ATOMIC_RELEASE);
	return res;
}

static inline int done(struct io_uring_sqe sqe)
{
	submit(sqe);
	return take();
}

#define OP(op, ...) (struct io_uring_sqe){ .opcode = IORING_OP_##op, __VA_ARGS__ }
