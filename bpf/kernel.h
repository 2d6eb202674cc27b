/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the probes need of the kernel: helpers by their number in the UAPI, maps by number, registers by architecture.
 *
 * BCC is the compiler only. Its rewriter works on the main file and on its own map syntax; the probes live in included
 * files and use neither, so that what is written here is what runs. Struct layouts come from shapes.h, which the build
 * writes from this kernel's BTF: only the named fields, each at its true offset.
 */
#pragma once
#include "shapes.h"
#include "records.h"

#define INLINE static inline __attribute__((always_inline))
#define PROBE(name) __attribute__((section(".bpf.fn." #name), used)) int name

/*
 * The key of an array or of a hash by number. A whole word of the stack, as in READ, although half of it is looked at: where the other half
 * is left as it was, the verifier takes the word for used on, and walks on for each thing that has been in it.
 */
#define KEY(number) (&(u64){ (number) })

/* A map is an instruction that carries its number; the loader puts the descriptor there. */
#define MAP(id) ((void *)bpf_pseudo_fd(1, id))

#define SCATTER 0x9fb21c651e98df25ULL     /* odd: times this, every bit of a key moves the upper ones */
#define ADDRESS_BYTES 128          /* struct sockaddr_storage */
#define PORT_DNS 53
#define AF_UNIX 1
#define BPF_NOEXIST_ 1
#define RB_NO_WAKEUP 1
#define RB_FORCE_WAKEUP 2
#define THIS_CPU 0xffffffffULL     /* BPF_F_CURRENT_CPU */

/* include/uapi/linux/bpf.h, enum bpf_func_id: numbers never change */
static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const map_delete)(void *map, const void *key) = (void *)3;
static u64 (*const clock_ns)(void) = (void *)5;
static long (*const tail_call)(void *ctx, void *programs, u32 index) = (void *)12;
static u32 (*const random_u32)(void) = (void *)7;
static u32 (*const this_cpu)(void) = (void *)8;
static u64 (*const current_pid_tgid)(void) = (void *)14;
static long (*const perf_output)(void *ctx, void *map, u64 flags, void *data, u64 size) = (void *)25;
static u64 (*const current_task_address)(void) = (void *)35;
static long (*const read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*const read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*const read_user_str)(void *to, u32 size, const void *from) = (void *)114;
static long (*const read_kernel_str)(void *to, u32 size, const void *from) = (void *)115;
static long (*const seq_write)(void *seq, const void *data, u32 size) = (void *)127;
static long (*const ring_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
static void *(*const storage_get)(void *map, void *task, void *value, u64 flags) = (void *)156;
static struct task_struct *(*const current_task)(void) = (void *)158;
static u64 (*const attach_cookie)(void *ctx) = (void *)174;
static struct pt_regs *(*const task_regs)(void *task) = (void *)175;

/*
 * Direct loads through typed pointers are the fastest, and right for the hot path. Each one makes the verifier search the
 * kernel's type names (6.x: about a millisecond), so probes that run rarely read fields through the helper instead.
 */
#define READ(pointer, field) ({ \
	union { u64 word; __typeof__((pointer)->field) value; } read_ = { 0 }; \
	read_kernel(&read_.value, sizeof(read_.value), &(pointer)->field); \
	read_.value; })

/* A bound that the verifier sees: the compiler must not know the value, or it proves the bound away, or folds it into another test. */
#define AT_MOST(value, most) ({ \
	u64 bounded_ = (value); \
	asm volatile("" : "+r"(bounded_)); \
	if (__builtin_expect(bounded_ > (most), 0)) \
		bounded_ = (most); \
	asm volatile("" : "+r"(bounded_)); \
	bounded_; })

/* A value of which the compiler knows nothing: what it calculates with a known one it may turn into branches. */
#define OPAQUE(value) ({ \
	u64 opaque_ = (value); \
	asm volatile("" : "+r"(opaque_)); \
	opaque_; })

/*
 * A value by way of a field that is free just now. The verifier walks what follows once for each thing that it knows of the value,
 * and of what has been in memory it knows nothing.
 */
#define UNKNOWN(field, value) ({ \
	*(volatile __typeof__(field) *)&(field) = (value); \
	*(volatile __typeof__(field) *)&(field); })

/* What was written before lies in memory by now, and is read anew from here on: of that neither compiler nor verifier knows anything. */
#define BARRIER asm volatile("" ::: "memory")

/*
 * for (u32 i = 0; i < most; i++), in which `field` is free. The verifier walks what is in it two or three times where it knows may_goto
 * (Linux 6.9), a jump that some limit of the kernel's own may take: as i is read anew each time, one round is like another. That takes that
 * each leaves the stack as it found it, so nothing that is itself walked in several ways should lie in it. Elsewhere it walks each round.
 */
#if MAY_GOTO
#define MAY_GO_ON ({ \
	__label__ enough_, on_; \
	int more_ = 1; \
	asm volatile goto("1: .byte 0xe5, 0; .long ((%l[enough_] - 1b - 8) / 8) & 0xffff; .short 0" : : : : enough_); \
	goto on_; \
enough_: \
	more_ = 0; \
on_:	more_; })
#define ROUNDS(i, most, field) for (u32 i = UNKNOWN(field, 0); i < (most) && MAY_GO_ON; i = UNKNOWN(field, i + 1))
#else
#define ROUNDS(i, most, field) for (u32 i = 0; i < (most); i++)
#endif

/*
 * Keeps a program on the stack of the task or interrupt that it runs for. Since Linux 6.13 one that needs 64 bytes gets a stack per CPU
 * instead, on the ground that no program is entered where it is running. But one that others go on to may be, through another of them,
 * and an uprobe's may, where the task is put aside. Programs with tail calls are left alone (check_max_stack_depth, kernel/bpf/verifier.c),
 * so here is one, to a place that does not exist.
 */
#define STAY_ON_STACK(ctx, programs) tail_call(ctx, MAP(programs), ~0U)

/* The address that a typed pointer holds: the verifier does not let one be calculated with. */
#define ADDRESS(pointer) ({ \
	const void *typed_ = (pointer); \
	u64 plain_ = 0; \
	read_kernel(&plain_, sizeof(plain_), &typed_); \
	plain_; })

/* Where a thread's registers of user mode lie while it is in the kernel; 0 where nobody knows. */
INLINE struct pt_regs *registers_of(struct task_struct *task)
{
#if HAVE_TASK_REGS
	return task_regs(task);
#elif defined(STACK_BYTES)
	/* Before Linux 5.15 there is no helper; x86-64 keeps them at the upper end of the stack (task_pt_regs, asm/processor.h). */
	return READ(task, stack) + STACK_BYTES - REGISTERS_BYTES;
#else
	return 0;
#endif
}

/*
 * The registers of the call that a tracepoint tells of. As a number, which is what a raw tracepoint has, they cannot be read directly.
 * bpf_rdonly_cast makes a typed pointer of it, which takes no instruction; before Linux 6.2 a helper gives the same address, at 40 ns where
 * returns are guarded; and before 5.15 they are copied. Both numbers are BTF ids of the kernel that this is compiled for: what calls the
 * function by such an id looks like the call of a helper here, and is changed afterwards (tracer/kernel/blanks.py).
 */
#if CAST
static struct pt_regs *(*const rdonly_cast)(u64 address, u32 type) = (void *)CAST;
#define REGISTERS(name, ctx) struct pt_regs *name = rdonly_cast((ctx)[0], CAST_TO)
#elif HAVE_TASK_REGS
#define REGISTERS(name, ctx) struct pt_regs *name = task_regs(current_task())
#else
#define REGISTERS(name, ctx) struct pt_regs name##_copy, *name = &name##_copy; read_kernel(name, sizeof(*name), (void *)(ctx)[0])
#endif

/* Arguments survive until sys_exit: x86-64 clobbers only rax, arm64 keeps a copy of x0. */
#if defined(ARCH_X86_64)
#define ARGUMENT_0(regs) ((regs)->di)
#define ARGUMENT_1(regs) ((regs)->si)
#define ARGUMENT_2(regs) ((regs)->dx)
INLINE void load_arguments(struct pt_regs *regs, int compat, u64 *to)
{
	if (compat) {
		/* 32-bit calls pass ebx, ecx, edx, esi, edi, ebp (arch/x86/entry/entry_64_compat.S). */
		to[0] = (u32)regs->bx;
		to[1] = (u32)regs->cx;
		to[2] = (u32)regs->dx;
		to[3] = (u32)regs->si;
		to[4] = (u32)regs->di;
		to[5] = (u32)regs->bp;
		return;
	}
	to[0] = regs->di;
	to[1] = regs->si;
	to[2] = regs->dx;
	to[3] = regs->r10;
	to[4] = regs->r8;
	to[5] = regs->r9;
}
INLINE s64 call_number(struct pt_regs *regs)
{
	return (s64)regs->orig_ax;
}
#define TS_COMPAT 2
INLINE int is_compat(struct task_struct *task, struct pt_regs *regs)
{
	return task->thread_info_status & TS_COMPAT;
}
#elif defined(ARCH_ARM64)
#define ARGUMENT_0(regs) ((regs)->orig_x0)
#define ARGUMENT_1(regs) ((regs)->regs[1])
#define ARGUMENT_2(regs) ((regs)->regs[2])
INLINE void load_arguments(struct pt_regs *regs, int compat, u64 *to)
{
	to[0] = regs->orig_x0;
	to[1] = regs->regs[1];
	to[2] = regs->regs[2];
	to[3] = regs->regs[3];
	to[4] = regs->regs[4];
	to[5] = regs->regs[5];
}
INLINE s64 call_number(struct pt_regs *regs)
{
	return (s32)regs->syscallno;
}
#define PSR_MODE32 0x10
INLINE int is_compat(struct task_struct *task, struct pt_regs *regs)
{
	return regs->pstate & PSR_MODE32;
}
#else
#error "this architecture's registers are not described"
#endif

/* What iterators are told first of all: include/linux/bpf.h */
struct bpf_iter_meta { void *seq; u64 session_id; u64 seq_num; };
