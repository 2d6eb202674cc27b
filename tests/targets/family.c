/*
 * family: a deterministic family of processes and threads, for comparison with strace call by call. Prints "PID PPID ROLE" for each process.
 *
 * Deterministic also under ptrace: SIGCHLD is blocked (a traced process wakes up even for ignored signals), children are waited for
 * one after the other, and threads are joined by a spin without syscalls.
 */
#include "target.h"

#define THREADS 5

static void *thread(void *unused)
{
	repeat(SYS_getuid, 601);
	return unused;
}

static void child(int number)
{
	static const int counts[] = {211, 307, 401};
	int null = open("/dev/null", O_WRONLY);

	say("%d %d child\n", getpid(), getppid());
	repeat(SYS_getpgrp, counts[number]);
	for (int i = 0; i < 17; i++)
		must(write(null, "12345", 5) == 5, "write");
	for (int i = 0; i < 13; i++)
		must(open("/nonexistent/file", O_RDONLY) == -1, "open");
	_exit(number);
}

static void last(void)
{
	char bytes[7];
	int zero = open("/dev/zero", O_RDONLY);

	for (int i = 0; i < 709; i++)
		must(read(zero, bytes, 7) == 7, "read");
	say("done\n");
	exit(5);
}

int main(int argc, char **argv)
{
	sigset_t set;
	pthread_t threads[THREADS];
	pid_t pid;

	if (argc > 1 && !strcmp(argv[1], "leaf")) {
		say("%d %d leaf\n", getpid(), getppid());
		repeat(SYS_getegid, 503);
		return 9;
	}
	if (argc > 1)
		last();

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ready();
	say("%d %d parent\n", getpid(), getppid());
	repeat(SYS_getppid, 101);
	for (int i = 0; i < 3; i++) {
		if ((pid = fork()) == 0)
			child(i);
		must(waitpid(pid, NULL, 0) == pid, "waitpid");
	}
	if ((pid = vfork()) == 0) {
		execl("/proc/self/exe", "family", "leaf", NULL);
		_exit(96);
	}
	must(waitpid(pid, NULL, 0) == pid, "waitpid");
	for (int i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, thread, NULL) == 0, "pthread_create");
	for (int i = 0; i < THREADS; i++)
		while (pthread_tryjoin_np(threads[i], NULL) == EBUSY)
			;
	execl("/proc/self/exe", "family", "last", NULL);
	return 95;
}
