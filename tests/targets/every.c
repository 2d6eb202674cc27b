/*
 * Makes every system call once, none of which does anything: `every` the native ones, `every 32` those of int 0x80.
 * A seccomp filter refuses (EDOM) whatever has MARK as its sixth argument, after ptrace has seen it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARK 0xEB7ACEu
#define CALLS 512

static long call(long number, int compat)
{
#ifdef __x86_64__
	if (compat) {
		long result;

		__asm__ volatile("push %%rbp; mov %2, %%ebp; int $0x80; pop %%rbp"
				 : "=a"(result)
				 : "a"(number), "r"(MARK), "b"(-1), "c"(0), "d"(0), "S"(0), "D"(0)
				 : "memory", "r8", "r9", "r10", "r11");
		return (int)result;
	}
	if (number == 335 || number == 336) /* uretprobe, uprobe: SIGILL outside a probe */
		return -EDOM;
#endif
	(void)compat;
	return syscall(number, -1L, 0L, 0L, 0L, 0L, (long)MARK) == -1 ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MARK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	(void)argv;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 2;
	for (long number = 0; number < CALLS; number++)
		if (call(number, argc > 1) != -EDOM)
			return 3;
	return 0;
}
