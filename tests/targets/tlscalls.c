/*
 * tlscalls PORT WRITES [bio] [ex] [late] [hold] [seccomp]: a POST to /echo on localhost in WRITES calls of SSL_write, the first of them the
 * head; the answer in calls of SSL_read for 7 bytes. Says "ready PID" and waits for a byte before it connects. Then one line: writes, bytes
 * written, reads that brought bytes, bytes read.
 *
 *   bio      OpenSSL never sees the socket: memory BIOs, carried by send and recv
 *   ex       SSL_write_ex and SSL_read_ex
 *   late     ready only after the handshake
 *   hold     waits for one more byte before it ends
 *   seccomp  the system calls by which probes return from functions on x86-64, uretprobe and uprobe, kill the program
 */
#include "target.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static int sock, with_bio, with_ex;
static SSL *ssl;

static int given(char **words, const char *word)
{
	while (*words)
		if (!strcmp(*words++, word))
			return 1;
	return 0;
}

/* Sends what OpenSSL has put out; and if it is to, gives it what the socket brings. Returns 0 at the end of the connection. */
static int carry(int more)
{
	char bytes[16384];
	int got;

	while ((got = BIO_read(SSL_get_wbio(ssl), bytes, sizeof(bytes))) > 0)
		must(send(sock, bytes, got, MSG_NOSIGNAL) == got, "send");
	if (!more)
		return 1;
	got = recv(sock, bytes, sizeof(bytes), 0);
	must(got >= 0, "recv");
	must(got == 0 || BIO_write(SSL_get_rbio(ssl), bytes, got) == got, "BIO_write");
	return got;
}

static void handshake(void)
{
	while (SSL_connect(ssl) != 1) {
		must(with_bio, "SSL_connect");
		must(carry(1), "the connection");
	}
	if (with_bio)
		carry(0);
}

static void put(const char *bytes, int size)
{
	size_t written;

	if (with_ex)
		must(SSL_write_ex(ssl, bytes, size, &written) == 1 && written == (size_t)size, "SSL_write_ex");
	else
		must(SSL_write(ssl, bytes, size) == size, "SSL_write");
	if (with_bio)
		carry(0);
}

/* 0 at the end. */
static int get(char *bytes, int size)
{
	for (;;) {
		size_t read = 0;
		int got = with_ex ? SSL_read_ex(ssl, bytes, size, &read) : SSL_read(ssl, bytes, size);

		if (got > 0)
			return with_ex ? (int)read : got;
		if (SSL_get_error(ssl, got) != SSL_ERROR_WANT_READ || !carry(1))
			return 0;
	}
}

static void filter(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 335, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 336, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(*filter), .filter = filter};

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0, "seccomp");
}

int main(int argc, char **argv)
{
	char **flags = argv + (argc < 3 ? argc : 3), line[512], bytes[64];
	long writes, written, reads = 0, read = 0, body = 0;
	int got, late = given(flags, "late");

	must(argc >= 3, "usage");
	writes = atol(argv[2]);
	with_bio = given(flags, "bio");
	with_ex = given(flags, "ex");
	if (given(flags, "seccomp"))
		filter();
	if (!late)
		ready();
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	sock = socket(AF_INET, SOCK_STREAM, 0);
	must(connect(sock, (void *)&at, sizeof(at)) == 0, "connect");
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	ssl = SSL_new(context);
	if (with_bio) {
		SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
		BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
	} else {
		SSL_set_fd(ssl, sock);
	}
	handshake();
	if (late)
		ready();

	for (long i = 1; i < writes; i++)
		body += 1 + i % 13;
	written = snprintf(line, sizeof(line), "POST /echo HTTP/1.1\r\nHost: localhost:%s\r\nConnection: close\r\nContent-Length: %ld\r\n\r\n", argv[1], body);
	put(line, written);
	for (long i = 1; i < writes; i++) {
		put("abcdefghijklm", 1 + i % 13);
		written += 1 + i % 13;
	}
	while ((got = get(bytes, 7)) > 0) {
		reads++;
		read += got;
	}
	say("%ld %ld %ld %ld\n", writes, written, reads, read);
	SSL_shutdown(ssl);
	if (with_bio)
		carry(0);
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(sock);
	if (given(flags, "hold"))
		wait_for_release();
	return 0;
}
