/* calls [KIND N]...: N calls of each KIND in turn, then "done" and the end. `pause` waits for one more byte on stdin. */
#include "target.h"
#include <time.h>

static void call(const char *kind, long n)
{
	char bytes[16] = "seven!";
	int zero, null;

	if (!strcmp(kind, "getppid")) {
		repeat(SYS_getppid, n);
	} else if (!strcmp(kind, "getpid")) {
		repeat(SYS_getpid, n);
	} else if (!strcmp(kind, "zero")) {                  /* 7 bytes each */
		zero = open("/dev/zero", O_RDONLY);
		while (n--)
			must(read(zero, bytes, 7) == 7, "read");
	} else if (!strcmp(kind, "null")) {                  /* 3 bytes each */
		null = open("/dev/null", O_WRONLY);
		while (n--)
			must(write(null, bytes, 3) == 3, "write");
	} else if (!strcmp(kind, "openat")) {
		while (n--)
			must(close(open("/etc/passwd", O_RDONLY)) == 0, "open, close");
	} else if (!strcmp(kind, "access")) {                /* fails with ENOENT */
		while (n--)
			must(syscall(SYS_faccessat, AT_FDCWD, "/nonexistent/path", F_OK) == -1, "access");
	} else if (!strcmp(kind, "badread")) {               /* fails with EBADF */
		while (n--)
			must(read(-1, bytes, 1) == -1, "read");
	} else if (!strcmp(kind, "sleep")) {                 /* 50 ms each */
		while (n--)
			must(nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL) == 0, "nanosleep");
	} else if (!strcmp(kind, "fork")) {                  /* short-lived children, one after the other */
		while (n--) {
			pid_t pid = fork();
			if (pid == 0)
				_exit(0);
			must(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
		}
	} else if (!strcmp(kind, "pause")) {
		say("paused\n");
		wait_for_release();
	} else {                                             /* a syscall number, known or not */
		repeat(strtol(kind, NULL, 0), n);
	}
}

int main(int argc, char **argv)
{
	ready();
	for (int i = 1; i + 1 < argc; i += 2)
		call(argv[i], atol(argv[i + 1]));
	say("done\n");
	return 0;
}
