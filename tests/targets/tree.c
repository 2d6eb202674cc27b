/*
 * tree: a family that is complete before it says ready: three threads of the first process, a child, a grandchild. Released, every
 * thread makes its own prime number of getppid calls. Prints "PID PPID ROLE".
 */
#include "target.h"

static int gate[2], here[2];

static void *wait_and_call(void *calls)
{
	char byte;

	must(write(here[1], "x", 1) == 1, "write");
	must(read(gate[0], &byte, 1) == 1, "read");
	repeat(SYS_getppid, (long)calls);
	return NULL;
}

static pid_t spawn(const char *role, void (*more)(void), long calls)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (more)
			more();
		say("%d %d %s\n", getpid(), getppid(), role);
		wait_and_call((void *)calls);
		while (wait(NULL) > 0)
			;
		_exit(0);
	}
	return pid;
}

static void grandchild(void)
{
	spawn("grandchild", NULL, 31);
}

int main(void)
{
	pthread_t threads[3];
	long calls[3] = {7, 11, 13};
	char byte;

	must(pipe(gate) == 0 && pipe(here) == 0, "pipe");
	spawn("child", grandchild, 19);
	for (int i = 0; i < 3; i++)
		must(pthread_create(&threads[i], NULL, wait_and_call, (void *)calls[i]) == 0, "pthread_create");
	say("%d %d parent\n", getpid(), getppid());
	for (int i = 0; i < 5; i++)
		must(read(here[0], &byte, 1) == 1, "read");
	ready();
	must(write(gate[1], "12345", 5) == 5, "write");
	repeat(SYS_getppid, 5);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	while (wait(NULL) > 0)
		;
	return 0;
}
