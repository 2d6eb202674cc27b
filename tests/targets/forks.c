/* forks N: N children that end at once, by fork and vfork in turn; each makes one getppid call and exits with its number % 251. Prints their pids. */
#include "target.h"

int main(int argc, char **argv)
{
	long n = atol(argv[argc - 1]);
	pid_t *pids = calloc(n, sizeof(*pids));

	ready();
	for (long i = 0; i < n; i++) {
		/* vfork's child runs in our memory: it may only make calls and leave. */
		pid_t pid = i % 2 ? vfork() : fork();
		if (pid == 0) {
			syscall(SYS_getppid);
			_exit(i % 251);
		}
		must(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
		pids[i] = pid;
	}
	for (long i = 0; i < n; i++)
		printf("%d\n", pids[i]);
	return 0;
}
