/*
 * kin TURNS   starts three children whose pids have the same lower 15 bits, all alive at once; the first calls getppid TURNS
 *             times, the second twice and the third three times as often. Prints their pids. In the second round, when the
 *             first has ended, a fourth takes a pid of the same kind and calls it TURNS times.
 */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int go[2];

static pid_t child(pid_t pid, long calls)
{
	struct clone_args how = { .exit_signal = SIGCHLD, .set_tid = pid ? (uintptr_t)&pid : 0, .set_tid_size = pid ? 1 : 0 };
	pid_t made = syscall(SYS_clone3, &how, sizeof(how));
	char byte;

	if (made < 0) {
		perror("clone3");
		exit(1);
	}
	if (made)
		return made;
	close(go[1]);
	if (read(go[0], &byte, 1))
		_exit(1);
	for (long i = 0; i < calls; i++)
		syscall(SYS_getppid);
	_exit(0);
}

int main(int argc, char **argv)
{
	long turns = argc > 1 ? atol(argv[1]) : 7;
	pid_t first, others[2], fourth;

	if (pipe(go))
		return 1;
	first = child(0, turns);
	others[0] = child(first + (1 << 15), 2 * turns);
	others[1] = child(first + (2 << 15), 3 * turns);
	close(go[0]);
	close(go[1]);
	waitpid(first, 0, 0);
	if (pipe(go))
		return 1;
	fourth = child(first + (3 << 15), turns);
	close(go[0]);
	close(go[1]);
	for (int i = 0; i < 3; i++)
		wait(0);
	printf("%d %d %d %d\n", first, others[0], others[1], fourth);
	return 0;
}
