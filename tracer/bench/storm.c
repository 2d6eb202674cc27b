/* SPDX-License-Identifier: MIT */
/*
 * What `ebtrace bench` traces. Says "ready PID"; then each byte on stdin starts one round, which prints one line.
 *
 *   storm calls KIND N    N calls of KIND, a multiple of 200: ns per call
 *   storm flood MS        getppid for MS milliseconds: calls made, ns they took
 *   storm echo N          N round trips of one byte over TCP on loopback, with a child: ns per round trip
 *   storm disk FILE MB    writes MB megabytes and waits until they are on the disk: ns
 *
 * Two more need no byte:
 *
 *   storm clock           CLOCK_MONOTONIC in ns, as its first act
 *   storm time CMD...     runs CMD with its output thrown away: ns from fork to end, and ns of CPU time that it and its children took
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"

#define BLOCK (256 << 10)

static int next_round(void)
{
	char byte;

	fflush(stdout);
	return read(0, &byte, 1) == 1;
}

static void calls(char **words)
{
	const char *kind = words[0];
	long n = atol(words[1]);
	int zero = open("/dev/zero", O_RDONLY);
	static double ns[CHUNKS];
	char byte;

	n = n / CHUNKS ? n / CHUNKS : 1;
	while (next_round()) {
		for (int chunk = 0; chunk < CHUNKS; chunk++) {
			long long begun = now();

			if (!strcmp(kind, "getppid"))
				for (long i = 0; i < n; i++)
					syscall(SYS_getppid);
			else if (!strcmp(kind, "read"))
				for (long i = 0; i < n; i++)
					must(read(zero, &byte, 1) == 1, "read");
			else
				for (long i = 0; i < n; i++)
					must(close(open("/dev/null", O_RDONLY)) == 0, "open");
			ns[chunk] = (double)(now() - begun) / n;
		}
		qsort(ns, CHUNKS, sizeof(ns[0]), ascending);
		printf("%.2f\n", ns[CHUNKS / 4]);
	}
}

static void flood(char **words)
{
	long ms = atol(words[0]);

	while (next_round()) {
		long long begun = now(), end = begun + ms * 1000000LL;
		long made = 0;

		do {
			for (int i = 0; i < 1024; i++)
				syscall(SYS_getppid);
			made += 1024;
		} while (now() < end);
		printf("%ld %lld\n", made, now() - begun);
	}
}

/* Two ends of a TCP connection on loopback that send at once what they are given. */
static int connected(int *other)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	must(bind(listener, (void *)&at, sizeof(at)) == 0 && listen(listener, 1) == 0, "listen");
	must(getsockname(listener, (void *)&at, &size) == 0, "getsockname");
	must(connect(client, (void *)&at, sizeof(at)) == 0, "connect");
	*other = accept(listener, NULL, NULL);
	must(*other >= 0, "accept");
	close(listener);
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(*other, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return client;
}

static void echo(char **words)
{
	long n = atol(words[0]);
	int server, client = connected(&server);
	char byte = 'x';
	pid_t child = fork();

	must(child >= 0, "fork");
	if (child == 0) {
		close(client);
		while (recv(server, &byte, 1, 0) == 1 && send(server, &byte, 1, 0) == 1)
			;
		_exit(0);
	}
	close(server);
	while (next_round()) {
		long long begun = now();

		for (long i = 0; i < n; i++)
			must(send(client, &byte, 1, 0) == 1 && recv(client, &byte, 1, 0) == 1, "echo");
		printf("%.1f\n", (double)(now() - begun) / n);
	}
	close(client);
	waitpid(child, NULL, 0);
}

static void disk(char **words)
{
	long blocks = atol(words[1]) * ((1 << 20) / BLOCK);
	char *block = malloc(BLOCK);

	for (int i = 0; i < BLOCK; i++)
		block[i] = (char)(i * 2654435761u >> 13);
	while (next_round()) {
		long long begun = now();
		int fd = open(words[0], O_WRONLY | O_CREAT | O_TRUNC, 0600);

		for (long i = 0; i < blocks; i++)
			must(write(fd, block, BLOCK) == BLOCK, "write");
		must(fsync(fd) == 0 && close(fd) == 0, "fsync");
		printf("%lld\n", now() - begun);
	}
	free(block);
}

static int timed(char **words)
{
	long long begun = now();
	struct rusage used;
	int status = 0, null = open("/dev/null", O_RDWR);
	pid_t child = fork();

	must(child >= 0, "fork");
	if (child == 0) {
		dup2(null, 1);
		dup2(null, 2);
		execvp(words[0], words);
		_exit(127);
	}
	must(wait4(child, &status, 0, &used) == child, "wait4");
	printf("%lld %lld\n", now() - begun, (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000LL
	       + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000LL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static const struct {
	const char *name;
	int words;
	void (*run)(char **words);
} storms[] = { { "calls", 4, calls }, { "flood", 3, flood }, { "echo", 3, echo }, { "disk", 4, disk } };

int main(int argc, char **argv)
{
	long long first = now();
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "clock")) {
		printf("%lld\n", first);
		return 0;
	}
	if (!strcmp(what, "time") && argc > 2)
		return timed(argv + 2);
	for (int i = 0; i < (int)(sizeof(storms) / sizeof(storms[0])); i++)
		if (!strcmp(what, storms[i].name) && argc == storms[i].words) {
			printf("ready %d\n", getpid());
			storms[i].run(argv + 2);
			return 0;
		}
	return 2;
}
