/*
 * plain HOW BYTES TIMES [tcp] [early] [nonsense]: so many exchanges over a Unix socket, with bodies of so many bytes each way, in calls of one
 * kind. Both ends are here: the server is a thread. Byte i of a body is (7 i + 11 (i / 256)) mod 256. HOW: rw, once, one, v, vv, send, msg, to,
 * wait. one: four bytes, then each alone. early: the socket is open before ready is said; copied: both ends get other descriptors, one by dup2 and
 * one by fcntl; nonsense: what is said is no HTTP.
 */
#include "target.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define VECTORS 1000

static const char *how;
static long bytes, times;
static int client, server, no_http;

static void split(struct iovec *vectors, int count, char *at, size_t n)
{
	for (int i = 0; i < count; i++) {
		size_t part = i == count - 1 ? n : n / (count - i) / 2 + i % 3;

		part = part > n ? n : part;
		vectors[i] = (struct iovec){ at, part };
		at += part;
		n -= part;
	}
}

/* One call that moves up to n bytes. */
static ssize_t move_some(int fd, char *at, size_t n, int sends, int fresh)
{
	static _Thread_local struct iovec vectors[VECTORS];
	struct msghdr message = { .msg_iov = vectors };
	char first[10];

	if (!strcmp(how, "one") && fresh)
		n = 4;
	else if (!strcmp(how, "one"))
		n = 1;
	else if (!strcmp(how, "rw") && n > 5003)
		n = 5003;
	if (!strcmp(how, "v") || !strcmp(how, "vv")) {
		int count = how[1] ? VECTORS : 100;

		split(vectors, count, at, n);
		return sends ? writev(fd, vectors, count) : readv(fd, vectors, count);
	}
	if (!strcmp(how, "msg")) {
		split(vectors, message.msg_iovlen = 30, at, n);
		return sends ? sendmsg(fd, &message, 0) : recvmsg(fd, &message, 0);
	}
	if (!strcmp(how, "send")) {
		if (!sends)
			must(recv(fd, first, sizeof(first), MSG_PEEK) > 0, "peek");
		return sends ? send(fd, at, n, 0) : recv(fd, at, n, 0);
	}
	if (!strcmp(how, "to"))
		return sends ? sendto(fd, at, n, 0, NULL, 0) : recvfrom(fd, at, n, 0, NULL, NULL);
	if (!strcmp(how, "wait") && !sends)
		return recv(fd, at, n, MSG_WAITALL);
	return sends ? write(fd, at, n) : read(fd, at, n);
}

static void move(int fd, char *at, size_t n, int sends)
{
	for (int fresh = 1; n; fresh = 0) {
		ssize_t done = move_some(fd, at, n, sends, fresh);

		must(done > 0, "move");
		at += done;
		n -= done;
	}
}

/* A message with its body, in one piece. */
static char *message(const char *head, size_t *length)
{
	char *made = malloc(bytes + 200);
	int at = snprintf(made, 200, head, bytes);

	for (long i = 0; i < bytes; i++)
		made[at + i] = 7 * i + 11 * (i / 256);
	if (no_http)
		made[0] = 'x';
	*length = at + bytes;
	return made;
}

#define REQUEST "POST /up HTTP/1.1\r\nHost: plain.test\r\nContent-Length: %ld\r\n\r\n"
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n"

static void *serve(void *unused)
{
	size_t asked, answered;
	char *request = message(REQUEST, &asked), *response = message(RESPONSE, &answered);

	for (long i = 0; i < times; i++) {
		move(server, request, asked, 0);
		move(server, response, answered, 1);
	}
	return unused;
}

static void pair(int tcp)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int both[2], listening;

	if (!tcp) {
		must(socketpair(AF_UNIX, SOCK_STREAM, 0, both) == 0, "socketpair");
		client = both[0];
		server = both[1];
		return;
	}
	listening = socket(AF_INET, SOCK_STREAM, 0);
	must(bind(listening, (void *)&address, length) == 0 && listen(listening, 1) == 0, "listen");
	must(getsockname(listening, (void *)&address, &length) == 0, "getsockname");
	client = socket(AF_INET, SOCK_STREAM, 0);
	must(connect(client, (void *)&address, length) == 0, "connect");
	server = accept(listening, NULL, NULL);
	must(server >= 0 && close(listening) == 0, "accept");
}

int main(int argc, char **argv)
{
	size_t asked, answered;
	char *request, *response;
	pthread_t thread;
	int tcp = 0, early = 0, copied = 0;

	must(argc >= 4, "plain HOW BYTES TIMES");
	how = argv[1];
	for (int i = 4; i < argc; i++) {
		tcp |= !strcmp(argv[i], "tcp");
		early |= !strcmp(argv[i], "early");
		copied |= !strcmp(argv[i], "copied");
		no_http |= !strcmp(argv[i], "nonsense");
	}
	bytes = atol(argv[2]);
	times = atol(argv[3]);
	if (early)
		pair(tcp);
	ready();
	if (!early)
		pair(tcp);
	if (copied) {
		client = dup2(client, 77);
		server = fcntl(server, F_DUPFD_CLOEXEC, 60);
		must(client == 77 && server == 60, "copies");
	}
	request = message(REQUEST, &asked);
	response = message(RESPONSE, &answered);
	must(pthread_create(&thread, NULL, serve, NULL) == 0, "thread");
	for (long i = 0; i < times; i++) {
		move(client, request, asked, 1);
		move(client, response, answered, 0);
	}
	must(pthread_join(thread, NULL) == 0, "join");
	say("done\n");
	return 0;
}
