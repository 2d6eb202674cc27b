/*
 * execs chain SIZE N   execs itself N times, each time with a last argument of SIZE bytes
 * execs thread CMD...  a thread that is not the leader execs CMD
 * execs fail           three execs that fail (ENOENT, EACCES, EFAULT), then one that works
 */
#include "target.h"

static volatile int started;

static void *exec_rest(void *argv)
{
	while (!started)
		;
	say("%d %d\n", getpid(), gettid());
	execv(((char **)argv)[0], argv);
	_exit(94);
}

static void chain(char **argv)
{
	long size = atol(argv[2]);
	char left[16], *filler = malloc(size + 1);

	snprintf(left, sizeof(left), "%d", atoi(argv[3]) - 1);
	memset(filler, 'x', size);
	filler[size] = 0;
	if (atoi(argv[3]) > 0)
		execl("/proc/self/exe", "execs", "chain", argv[2], left, filler, NULL);
	exit(0);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	must(argc > 1, "usage");
	if (!strcmp(argv[1], "chain"))
		chain(argv);
	ready();
	if (!strcmp(argv[1], "thread")) {
		pthread_create(&thread, NULL, exec_rest, argv + 2);
		/* No more calls from here: how many there are before the exec ends this thread must not depend on luck. */
		started = 1;
		while (1)
			;
	} else {
		execl("/nonexistent/program", "nothing", NULL);
		execl("/etc", "folder", NULL);
		syscall(SYS_execve, "/bin/true", (void *)8, NULL);
		execl("/bin/true", "true", "with space", "", "\xff\xfe", "line\nbreak", NULL);
	}
	return 93;
}
