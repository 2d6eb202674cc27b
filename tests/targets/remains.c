/*
 * remains zombie N     a child has ended and is not waited for when the program says ready; then N getppid calls
 * remains headless N   the first thread has ended, a second one says ready and makes the calls
 */
#include "target.h"

static long calls;

static void *go(void *first)
{
	while (first && state_of(*(pid_t *)first) != 'Z')
		usleep(1000);
	ready();
	repeat(SYS_getppid, calls);
	exit(0);
}

int main(int argc, char **argv)
{
	static pid_t first;
	pthread_t thread;

	must(argc == 3, "usage");
	calls = atol(argv[2]);
	if (!strcmp(argv[1], "headless")) {
		first = getpid();
		must(pthread_create(&thread, NULL, go, &first) == 0, "pthread_create");
		pthread_exit(NULL);
	}
	pid_t child = fork();
	if (child == 0)
		_exit(1);
	while (state_of(child) != 'Z')
		usleep(1000);
	go(NULL);
}
