/*
 * Operations of io_uring, without a library. Each form makes a known number of them.
 *
 * uring nop N          one after the other
 * uring sqpoll N       the same, submitted by a thread of the kernel's
 * uring skip N         completions that nobody hears of, and one that is heard
 * uring copy FROM TO   in pieces of 1,009 bytes
 * uring serve          three clients on loopback, accepted by one request; 101 bytes in and 211 out each
 * uring pending        a read of an empty pipe; says "submitted" and waits for one more byte on stdin
 */
#include "ring.h"

static void copy(const char *from, const char *to)
{
	static char bytes[1009];
	int in = done(OP(OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)from, .open_flags = O_RDONLY));
	int out = done(OP(OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)to, .open_flags = O_WRONLY | O_CREAT | O_TRUNC, .len = 0644));
	uint64_t at = 0;
	int n;

	must(in >= 0 && out >= 0, "openat");
	/* Every other read is carried out by a thread of the kernel's. */
	while ((n = done(OP(READ, .fd = in, .addr = (uintptr_t)bytes, .len = sizeof(bytes), .off = at, .flags = at / sizeof(bytes) % 2 ? IOSQE_ASYNC : 0))) > 0) {
		must(done(OP(WRITE, .fd = out, .addr = (uintptr_t)bytes, .len = n, .off = at)) == n, "write");
		at += n;
	}
	must(done(OP(CLOSE, .fd = in)) == 0 && done(OP(CLOSE, .fd = out)) == 0, "close");
}

static void serve(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	char bytes[512];
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	must(!bind(listener, (void *)&address, length) && !listen(listener, 8) && !getsockname(listener, (void *)&address, &length), "listen");
	submit(OP(ACCEPT, .fd = listener, .ioprio = IORING_ACCEPT_MULTISHOT, .user_data = 7));
	for (int i = 0; i < 3; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0), server;

		must(!connect(client, (void *)&address, length), "connect");
		server = take();
		must(write(client, bytes, 101) == 101, "write");
		must(done(OP(RECV, .fd = server, .addr = (uintptr_t)bytes, .len = sizeof(bytes), .user_data = 8)) == 101, "recv");
		must(done(OP(SEND, .fd = server, .addr = (uintptr_t)bytes, .len = 211, .user_data = 9)) == 211, "send");
		must(read(client, bytes, sizeof(bytes)) == 211, "read");
		close(client);
		must(done(OP(CLOSE, .fd = server)) == 0, "close");
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 0, ends[2];
	char byte;

	ready();
	start(!strcmp(what, "sqpoll") ? IORING_SETUP_SQPOLL : 0);
	if (!strcmp(what, "nop") || !strcmp(what, "sqpoll")) {
		for (int i = 0; i < n; i++)
			must(done(OP(NOP, .user_data = i)) == 0, "nop");
	} else if (!strcmp(what, "skip")) {
		for (int i = 0; i < n; i++)
			submit(OP(NOP, .flags = IOSQE_CQE_SKIP_SUCCESS));
		must(done(OP(NOP, .user_data = 1)) == 0, "nop");
	} else if (!strcmp(what, "copy")) {
		must(argc > 3, "usage");
		copy(argv[2], argv[3]);
	} else if (!strcmp(what, "serve")) {
		serve();
	} else {
		must(!strcmp(what, "pending") && pipe(ends) == 0, "usage");
		submit(OP(READ, .fd = ends[0], .addr = (uintptr_t)&byte, .len = 1, .user_data = 5));
		say("submitted\n");
		wait_for_release();
	}
	return 0;
}
