/*
 * signals interrupt N  N sleeps, each interrupted by a handled signal (EINTR), each followed by rt_sigreturn
 * signals restart N    N reads, each interrupted by a handler with SA_RESTART and made again by the kernel
 * signals stop N       N sleeps, each stopped and continued from outside, and finished by restart_syscall
 */
#include "target.h"
#include <sys/time.h>
#include <time.h>

static int ends[2];

static void handler(int signal)
{
	(void)signal;
	must(write(ends[1], "x", 1) == 1, "write");
}

static void alarm_soon(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 20000}, NULL);
}

static void wait_state(pid_t pid, int state)
{
	while (state_of(pid) != state)
		sched_yield();
}

/* A child that stops and continues its parent, whose sleep is long enough to be found asleep. */
static void stop_parent(pid_t parent, int times)
{
	char byte;

	while (times--) {
		must(read(ends[0], &byte, 1) == 1, "read");
		wait_state(parent, 'S');
		kill(parent, SIGSTOP);
		wait_state(parent, 'T');
		kill(parent, SIGCONT);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	char byte;
	must(argc == 3 && pipe(ends) == 0, "usage");
	int n = atoi(argv[2]), interrupt = !strcmp(argv[1], "interrupt");
	struct sigaction action = {.sa_handler = handler, .sa_flags = interrupt ? 0 : SA_RESTART};

	sigaction(SIGALRM, &action, NULL);
	ready();
	if (!strcmp(argv[1], "stop")) {
		pid_t parent = getpid(), child = fork();
		if (child == 0)
			stop_parent(parent, n);
		for (int i = 0; i < n; i++) {
			/* The write is what the child waits for: found asleep after it, the parent is in the sleep. */
			must(write(ends[1], "x", 1) == 1, "write");
			syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = 300000000}, NULL);
		}
		waitpid(child, NULL, 0);
		return 0;
	}
	for (int i = 0; i < n; i++) {
		alarm_soon();
		if (interrupt)
			must(syscall(SYS_nanosleep, &(struct timespec){.tv_sec = 30}, NULL) == -1 && errno == EINTR, "nanosleep");
		else
			must(read(ends[0], &byte, 1) == 1, "read");
	}
	return 0;
}
