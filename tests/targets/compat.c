/* compat N: N 32-bit getpid calls from 64-bit code, by int 0x80. Exit status 77: this kernel has no 32-bit calls. */
#include "target.h"

int main(int argc, char **argv)
{
	ready();
#ifdef __x86_64__
	signal(SIGSEGV, SIG_DFL);
	for (long n = atol(argv[argc - 1]); n > 0; n--) {
		long result;
		__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
		must(result == getpid(), "int 0x80");
	}
	return 0;
#else
	(void)argc, (void)argv;
	return 77;
#endif
}
