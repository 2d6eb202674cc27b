/* threads T N: T threads that make N getppid calls each, at the same time. Prints their tids. */
#include "target.h"

static pthread_barrier_t start;
static long calls;

static void *thread(void *tid)
{
	*(pid_t *)tid = gettid();
	pthread_barrier_wait(&start);
	repeat(SYS_getppid, calls);
	return NULL;
}

int main(int argc, char **argv)
{
	must(argc == 3, "usage");
	int n = atoi(argv[1]);
	pthread_t threads[n];
	pid_t tids[n];

	calls = atol(argv[2]);
	pthread_barrier_init(&start, NULL, n);
	ready();
	for (int i = 0; i < n; i++)
		must(pthread_create(&threads[i], NULL, thread, &tids[i]) == 0, "pthread_create");
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < n; i++)
		say("%d\n", tids[i]);
	return 0;
}
