/* What every target shares. A target announces "ready PID", waits for one byte (or the end) of stdin, then does a known number of calls. */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* One write(2) per line: no buffer that a fork could double. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
	char line[4096];
	va_list list;

	va_start(list, format);
	int length = vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	if (length < 0 || write(1, line, length) != length)
		_exit(99);
}

/* One read(2): a byte or the end of stdin both let the program go. */
static inline void wait_for_release(void)
{
	char byte;

	if (read(0, &byte, 1) < 0)
		_exit(98);
}

static inline void ready(void)
{
	say("ready %d\n", getpid());
	wait_for_release();
}

static inline void must(int truth, const char *what)
{
	if (!truth) {
		dprintf(2, "target: %s: %s\n", what, strerror(errno));
		_exit(97);
	}
}

static inline void repeat(long number, long times)
{
	while (times--)
		syscall(number);
}

/* The state letter of a thread of this machine, as /proc tells it. */
static inline int state_of(pid_t tid)
{
	char path[64], text[512] = "";
	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	int fd = open(path, O_RDONLY);
	must(read(fd, text, sizeof(text) - 1) > 0 && close(fd) == 0, "stat");
	return strrchr(text, ')')[2];
}
