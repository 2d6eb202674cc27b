/*
 * blocked read         waits in a read of an empty pipe until it is killed
 * blocked futex        three threads wait in a futex when the first thread ends the process with status 3
 * blocked exit         the first thread leaves with pthread_exit, a second one ends the process with status 4
 */
#include "target.h"
#include <linux/futex.h>

static int never;

static void *wait_for_ever(void *where)
{
	*(volatile pid_t *)where = gettid();
	syscall(SYS_futex, &never, FUTEX_WAIT, 0, NULL);
	return NULL;
}

static void *exit_later(void *first)
{
	while (state_of(*(pid_t *)first) != 'Z')
		usleep(1000);
	exit(4);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	volatile pid_t tids[3] = {0};
	static pid_t first;
	int ends[2];
	char byte;

	must(argc > 1 && pipe(ends) == 0, "usage");
	ready();
	if (!strcmp(argv[1], "read"))
		return read(ends[0], &byte, 1);
	if (!strcmp(argv[1], "exit")) {
		first = gettid();
		pthread_create(&thread, NULL, exit_later, &first);
		pthread_exit(NULL);
	}
	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, wait_for_ever, (void *)&tids[i]);
	for (int i = 0; i < 3; i++)
		while (!tids[i] || state_of(tids[i]) != 'S')
			usleep(1000);
	_exit(3);
}
