/* daemon FIFO N: leaves a grandchild behind that outlives it: the grandchild opens FIFO, makes N getppid calls, writes "done" into it. Prints its pid. */
#include "target.h"

int main(int argc, char **argv)
{
	int ends[2];
	pid_t pid;

	must(argc == 3 && pipe(ends) == 0, "usage");
	ready();
	if (fork() == 0) {
		setsid();
		if ((pid = fork()) != 0)
			_exit(write(ends[1], &pid, sizeof(pid)) != sizeof(pid));
		close(0), close(1), close(2);
		int fifo = open(argv[1], O_WRONLY);
		repeat(SYS_getppid, atol(argv[2]));
		_exit(write(fifo, "done\n", 5) != 5);
	}
	wait(NULL);
	must(read(ends[0], &pid, sizeof(pid)) == sizeof(pid), "read");
	say("%d\n", pid);
	return 6;
}
