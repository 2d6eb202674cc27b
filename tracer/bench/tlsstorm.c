/* SPDX-License-Identifier: MIT */
/*
 * What `ebtrace bench` traces to see what reading TLS in clear costs. Says "ready PID".
 *
 *   tlsstorm calls N     each byte on stdin starts one round: N times SSL_write of 1 kB at one end of a connection over loopback, and SSL_read
 *                        at the other, in the same thread; N is a multiple of 200. Prints ns per SSL_write and ns per SSL_read
 *   tlsstorm memory N    the same where the two ends hand their bytes over in memory, without a system call
 *   tlsstorm serve MB RATE   then one line with its port: answers each HTTPS connection with MB megabytes, RATE bytes a second
 *                        (0: as fast as it can), until it is killed
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"

#define SIZE 1024
#define BLOCK (16 << 10)

/* With a certificate that it has just made for itself. */
static SSL_CTX *server_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);

	must(context && key, "OpenSSL");
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	X509_set_pubkey(certificate, key);
	must(X509_sign(certificate, key, EVP_sha256()) > 0, "X509_sign");
	must(SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1, "the certificate");
	SSL_CTX_set_num_tickets(context, 0);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return context;
}

static int listening(struct sockaddr_in *at)
{
	socklen_t size = sizeof(*at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	must(bind(listener, (void *)at, sizeof(*at)) == 0 && listen(listener, 16) == 0, "listen");
	must(getsockname(listener, (void *)at, &size) == 0, "getsockname");
	return listener;
}

static SSL *over(SSL_CTX *context, int sock, int flags)
{
	SSL *ssl = SSL_new(context);
	int one = 1;

	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(sock, F_SETFL, flags);
	SSL_set_fd(ssl, sock);
	return ssl;
}

static void shake_hands(SSL *client, SSL *server)
{
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	for (int done = 0; done != 2;) {
		done = SSL_do_handshake(client) == 1;
		done += SSL_do_handshake(server) == 1;
	}
}

static SSL *beside(SSL **other)
{
	BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
	SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));

	*other = SSL_new(server_context());
	BIO_set_mem_eof_return(up, -1);            /* nothing there is not the end */
	BIO_set_mem_eof_return(down, -1);
	BIO_up_ref(up);
	BIO_up_ref(down);
	SSL_set_bio(ssl, down, up);
	SSL_set_bio(*other, up, down);
	shake_hands(ssl, *other);
	return ssl;
}

/* Two ends of one connection: the handshake takes turns. */
static SSL *connected(SSL **other)
{
	struct sockaddr_in at;
	int listener = listening(&at), client = socket(AF_INET, SOCK_STREAM, 0), server;

	must(connect(client, (void *)&at, sizeof(at)) == 0, "connect");
	server = accept(listener, NULL, NULL);
	must(server >= 0, "accept");
	close(listener);
	SSL *ssl = over(SSL_CTX_new(TLS_client_method()), client, O_NONBLOCK);
	*other = over(server_context(), server, O_NONBLOCK);
	shake_hands(ssl, *other);
	fcntl(client, F_SETFL, 0);
	fcntl(server, F_SETFL, 0);
	return ssl;
}

static void calls(long n, SSL *(*join)(SSL **))
{
	static double writes[CHUNKS], reads[CHUNKS];
	char bytes[SIZE], read_bytes[SIZE], byte;
	SSL *server, *client = join(&server);

	memset(bytes, 'x', sizeof(bytes));
	n = n / CHUNKS ? n / CHUNKS : 1;
	while (fflush(stdout), read(0, &byte, 1) == 1) {
		for (int chunk = 0; chunk < CHUNKS; chunk++) {
			long long written = 0, taken = 0;

			for (long i = 0; i < n; i++) {
				long long begun = now(), between;

				must(SSL_write(client, bytes, SIZE) == SIZE, "SSL_write");
				between = now();
				must(SSL_read(server, read_bytes, SIZE) == SIZE, "SSL_read");
				written += between - begun;
				taken += now() - between;
			}
			writes[chunk] = (double)written / n;
			reads[chunk] = (double)taken / n;
		}
		qsort(writes, CHUNKS, sizeof(writes[0]), ascending);
		qsort(reads, CHUNKS, sizeof(reads[0]), ascending);
		printf("%.1f %.1f\n", writes[CHUNKS / 4], reads[CHUNKS / 4]);
	}
}

static void serve(long megabytes, unsigned rate)
{
	struct sockaddr_in at;
	int listener = listening(&at), sock;
	SSL_CTX *context = server_context();
	static char block[BLOCK];

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < BLOCK; i++)
		block[i] = (char)(i * 2654435761u >> 13);
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	while ((sock = accept(listener, NULL, NULL)) >= 0) {
		SSL *ssl = over(context, sock, 0);

		if (rate)
			must(setsockopt(sock, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)) == 0, "pacing");
		char request[4096], head[128];
		int size = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %ld\r\n\r\n", megabytes << 20);
		int fine = SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof(request)) > 0 && SSL_write(ssl, head, size) == size;

		for (long left = (megabytes << 20) / BLOCK; fine && left > 0; left--)
			fine = SSL_write(ssl, block, BLOCK) == BLOCK;
		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(sock);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	printf("ready %d\n", getpid());
	fflush(stdout);
	if (argc == 3 && !strcmp(argv[1], "calls"))
		calls(atol(argv[2]), connected);
	else if (argc == 3 && !strcmp(argv[1], "memory"))
		calls(atol(argv[2]), beside);
	else if (argc == 4 && !strcmp(argv[1], "serve"))
		serve(atol(argv[2]), atol(argv[3]));
	else
		return 2;
	return 0;
}
