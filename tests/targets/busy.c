/*
 * busy N: forks children and starts threads without a pause until it is released; then N more of each, one after the other, which make
 * 7 getppid calls each. Prints "process PID" and "thread TID" of these.
 */
#include "target.h"
#include <poll.h>

static void *work(void *tid)
{
	*(pid_t *)tid = gettid();
	repeat(SYS_getppid, 7);
	return NULL;
}

static pid_t one_thread(void)
{
	pthread_t thread;
	pid_t tid;

	must(pthread_create(&thread, NULL, work, &tid) == 0 && pthread_join(thread, NULL) == 0, "thread");
	return tid;
}

static pid_t one_process(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		repeat(SYS_getppid, 7);
		_exit(0);
	}
	must(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
	return pid;
}

int main(int argc, char **argv)
{
	struct pollfd input = {.fd = 0, .events = POLLIN};

	say("ready %d\n", getpid());
	while (poll(&input, 1, 0) == 0) {
		one_process();
		one_thread();
	}
	for (long n = atol(argv[argc - 1]); n > 0; n--) {
		say("process %d\n", one_process());
		say("thread %d\n", one_thread());
	}
	return 0;
}
