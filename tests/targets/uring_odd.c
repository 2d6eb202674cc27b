/*
 * Operations of io_uring that do not simply succeed, or that make descriptors and names. Each form makes a known number of them.
 *
 * uring_odd refused          1 without a number, 1 with flags that it does not have, 1 in order
 * uring_odd links            a read that times out with its timeout; a read of no file, and the nop that waited for it
 * uring_odd cancel           a read of an empty pipe, and what cancels it
 * uring_odd quiet FILE N     reads of 7 bytes whose success nobody hears of, and a nop
 * uring_odd names FOLDER     makes, renames, links, asks after and removes files
 * uring_odd sockets          two sockets made, bound and connected
 * uring_odd registered FILE  opens, reads and closes a file that has no descriptor
 * uring_odd chosen N         messages of 5 bytes, received by one request into buffers that the kernel chooses
 * uring_odd thread N         nops by a thread; says its tid first
 * uring_odd armed            an accept and a read are under way before it says ready; they end after, and 3 nops are made
 * uring_odd dies             a read of an empty pipe, and the end
 */
#include "ring.h"

#define OP_BIND 56                 /* younger than the headers */
#define OP_LISTEN 57

static char bytes[64];
static int ends[2];

static struct sockaddr_in local(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void refused(void)
{
	must(done((struct io_uring_sqe){ .opcode = 200, .user_data = 1 }) == -EINVAL, "no operation");
	must(done(OP(FSYNC, .fd = 1, .fsync_flags = ~0U, .user_data = 2)) == -EINVAL, "fsync");
	must(done(OP(NOP, .user_data = 3)) == 0, "nop");
}

static void links(void)
{
	struct __kernel_timespec soon = { .tv_nsec = 1000000 };
	int first, second;

	submit_both(OP(READ, .fd = ends[0], .addr = (uintptr_t)bytes, .len = 1, .flags = IOSQE_IO_LINK),
		    OP(LINK_TIMEOUT, .addr = (uintptr_t)&soon, .len = 1));
	first = take();
	second = take();
	must((first == -ETIME || second == -ETIME) && (first == -ECANCELED || second == -ECANCELED), "timeout");
	submit_both(OP(READ, .fd = -1, .addr = (uintptr_t)bytes, .len = 1, .flags = IOSQE_IO_LINK), OP(NOP));
	must(take() == -EBADF && take() == -ECANCELED, "link");
}

static void names(const char *folder)
{
	int fd;

	must(chdir(folder) == 0, "chdir");
	must(done(OP(MKDIRAT, .fd = AT_FDCWD, .addr = (uintptr_t)"made", .len = 0755)) == 0, "mkdirat");
	fd = done(OP(OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)"made/a", .open_flags = O_CREAT | O_WRONLY, .len = 0644));
	must(fd >= 0 && done(OP(CLOSE, .fd = fd)) == 0, "openat");
	fd = done(OP(OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)"made/a", .open_flags = O_CREAT | O_WRONLY, .len = 0644));
	must(fd >= 0 && done(OP(CLOSE, .fd = fd)) == 0, "openat again");
	must(done(OP(RENAMEAT, .fd = AT_FDCWD, .addr = (uintptr_t)"made/a", .len = AT_FDCWD, .addr2 = (uintptr_t)"made/b")) == 0, "renameat");
	must(done(OP(LINKAT, .fd = AT_FDCWD, .addr = (uintptr_t)"made/b", .len = AT_FDCWD, .addr2 = (uintptr_t)"made/c")) == 0, "linkat");
	must(done(OP(SYMLINKAT, .fd = AT_FDCWD, .addr = (uintptr_t)"b", .addr2 = (uintptr_t)"made/d")) == 0, "symlinkat");
	must(done(OP(STATX, .fd = AT_FDCWD, .addr = (uintptr_t)"gone", .addr2 = (uintptr_t)bytes)) == -ENOENT, "statx");
	must(done(OP(UNLINKAT, .fd = AT_FDCWD, .addr = (uintptr_t)"made/c")) == 0, "unlinkat");
}

static void sockets(void)
{
	struct sockaddr_in address = local();
	socklen_t length = sizeof(address);
	int listener = done(OP(SOCKET, .fd = AF_INET, .off = SOCK_STREAM)), client = done(OP(SOCKET, .fd = AF_INET, .off = SOCK_STREAM)), server;

	if (done((struct io_uring_sqe){ .opcode = OP_BIND, .fd = listener, .addr = (uintptr_t)&address, .addr2 = length }) == -EINVAL) {
		say("old\n");              /* Linux 6.11 has these */
		must(!bind(listener, (void *)&address, length) && !listen(listener, 8), "listen");
	} else {
		must(done((struct io_uring_sqe){ .opcode = OP_LISTEN, .fd = listener, .len = 8 }) == 0, "listen");
	}
	must(getsockname(listener, (void *)&address, &length) == 0, "getsockname");
	must(done(OP(CONNECT, .fd = client, .addr = (uintptr_t)&address, .off = length)) == 0, "connect");
	server = done(OP(ACCEPT, .fd = listener));
	must(server >= 0, "accept");
	say("%d %d %d %d\n", listener, client, server, ntohs(address.sin_port));
}

static void registered(const char *path)
{
	int none = -1;

	must(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &none, 1) == 0, "register");
	must(done(OP(OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)path, .open_flags = O_RDONLY, .file_index = 1)) == 0, "openat");
	must(done(OP(READ, .fd = 0, .flags = IOSQE_FIXED_FILE, .addr = (uintptr_t)bytes, .len = 11)) == 11, "read");
	must(done(OP(CLOSE, .file_index = 1)) == 0, "close");
}

static void chosen(int n)
{
	int both[2];

	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, both) == 0, "socketpair");
	must(done(OP(PROVIDE_BUFFERS, .fd = 8, .addr = (uintptr_t)bytes, .len = 8, .buf_group = 3)) >= 0, "buffers");
	submit(OP(RECV, .fd = both[0], .ioprio = IORING_RECV_MULTISHOT, .flags = IOSQE_BUFFER_SELECT, .buf_group = 3, .user_data = 77));
	for (int i = 0; i < n; i++)
		must(write(both[1], "five!", 5) == 5 && take() == 5, "recv");
	close(both[1]);
	must(take() == 0, "end");
}

static void *nops(void *n)
{
	say("%ld\n", syscall(SYS_gettid));
	for (int i = 0; i < *(int *)n; i++)
		must(done(OP(NOP)) == 0, "nop");
	return 0;
}

static void armed(void)
{
	struct sockaddr_in address = local();
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);

	must(!bind(listener, (void *)&address, length) && !listen(listener, 8) && !getsockname(listener, (void *)&address, &length), "listen");
	submit(OP(ACCEPT, .fd = listener, .ioprio = IORING_ACCEPT_MULTISHOT, .user_data = 7));
	submit(OP(READ, .fd = ends[0], .addr = (uintptr_t)bytes, .len = 64, .user_data = 5));
	ready();
	must(write(ends[1], "seven!", 7) == 7 && take() == 7, "read");
	must(connect(client, (void *)&address, length) == 0 && take() >= 0, "accept");
	for (int i = 0; i < 3; i++)
		must(done(OP(NOP)) == 0, "nop");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[argc - 1]) : 0;
	pthread_t thread;

	must(pipe(ends) == 0, "pipe");
	start(0);
	if (!strcmp(what, "armed")) {
		armed();
		return 0;
	}
	ready();
	if (!strcmp(what, "refused")) {
		refused();
	} else if (!strcmp(what, "links")) {
		links();
	} else if (!strcmp(what, "cancel")) {
		submit(OP(READ, .fd = ends[0], .addr = (uintptr_t)bytes, .len = 1, .user_data = 5));
		must(done(OP(ASYNC_CANCEL, .addr = 5)) + take() == -ECANCELED, "cancel");
	} else if (!strcmp(what, "quiet")) {
		int fd = open(argv[2], O_RDONLY);

		while (n--)
			submit(OP(READ, .fd = fd, .addr = (uintptr_t)bytes, .len = 7, .flags = IOSQE_CQE_SKIP_SUCCESS));
		must(done(OP(NOP)) == 0, "nop");
	} else if (!strcmp(what, "names")) {
		names(argv[2]);
	} else if (!strcmp(what, "sockets")) {
		sockets();
	} else if (!strcmp(what, "registered")) {
		registered(argv[2]);
	} else if (!strcmp(what, "chosen")) {
		chosen(n);
	} else if (!strcmp(what, "thread")) {
		must(pthread_create(&thread, 0, nops, &n) == 0 && pthread_join(thread, 0) == 0, "thread");
	} else {
		must(!strcmp(what, "dies"), "usage");
		submit(OP(READ, .fd = ends[0], .addr = (uintptr_t)bytes, .len = 1, .user_data = 5));
	}
	return 0;
}
