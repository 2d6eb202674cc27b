/* torn N: N openat calls of a path that another thread keeps changing. */
#include "target.h"

static char path[64] = "/nonexistent/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static volatile int stop;

static void *change(void *unused)
{
	for (unsigned i = 0; !stop; i++) {
		memset(path + 13, 'a' + i % 26, i % 36);
		*(volatile char *)(path + 13 + i % 36) = i % 3 ? '/' : 0;
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	ready();
	pthread_create(&thread, NULL, change, NULL);
	for (long n = atol(argv[argc - 1]); n > 0; n--)
		syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
	stop = 1;
	pthread_join(thread, NULL);
	return 0;
}
