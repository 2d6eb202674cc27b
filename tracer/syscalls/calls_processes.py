"""Arguments of the calls on processes, memory, signals, identities and time; see calls_files.py for the notation."""

from __future__ import annotations

__all__ = ("PROCESS_CALLS",)

PROCESS_CALLS = """
fork vfork getpid getppid gettid getpgrp setsid: -> pid
clone: flags stack parent_tid tls child_tid -> pid
clone@x86_64: flags stack parent_tid child_tid tls -> pid
clone3: args size -> pid
execve: path argv envp
execveat: dirfd path argv envp flags | 0 1 4
exit exit_group: status:int
wait4: pid status options:flags rusage -> pid
waitpid: pid status options:flags -> pid
waitid: type:int id:pid info options:flags rusage | 0 1 3
getpgid getsid: pid -> pid
setpgid: pid pgid:pid
pidfd_open: pid flags -> fd
pidfd_getfd: pidfd:fd targetfd:fd flags -> fd
pidfd_send_signal: pidfd:fd signal info flags | 0 1 3
ptrace: request:command pid addr data -> long
prctl: option:command arg2:word arg3:word arg4:word arg5:word
arch_prctl: option:command addr
set_tid_address: tidptr -> pid
set_robust_list: head size
get_robust_list: pid head size
rseq: area size:uint flags signature:uint
rseq_slice_yield:
unshare: flags
setns: fd flags
personality: persona:flags
kcmp: pid1:pid pid2:pid type:int idx1:word idx2:word
seccomp: operation:command flags args
process_mrelease: pidfd:fd flags
process_madvise: pidfd:fd vec vlen:count advice:int flags -> size | 0+3 2 4
process_vm_readv process_vm_writev: pid local_vec local_vlen:count remote_vec remote_vlen:count flags:word -> bytes | 0 2 4
getcpu: cpu node cache
getrusage: who:int usage
getrlimit setrlimit ugetrlimit: resource:uint limit
prlimit64: pid resource:uint new_limit old_limit
getpriority: which:int who:int
setpriority: which:int who:int priority:int
nice: increment:int
ioprio_get: which:int who:int
ioprio_set: which:int who:int priority:int
times: buf -> long
modify_ldt: func:int ptr size
get_thread_area set_thread_area: descriptor
vm86: command arg:word
vm86old: info
iopl: level:uint
ioperm: from:word count on:int
uprobe uretprobe:

sched_yield:
sched_setaffinity sched_getaffinity: pid size:uint mask
sched_setscheduler: pid policy:int param
sched_getscheduler: pid
sched_setparam sched_getparam: pid param
sched_get_priority_max sched_get_priority_min: policy:int
sched_rr_get_interval sched_rr_get_interval_time64: pid interval
sched_setattr: pid attr flags
sched_getattr: pid attr size:uint flags

futex futex_time64: uaddr command value:uint timeout uaddr2 value3:uint
futex_waitv: waiters count:uint flags timeout clock:int
futex_wake: uaddr mask:word count:int flags | 0 1 2+3
futex_wait: uaddr value:word mask:word flags timeout clock:int | 0 1 3
futex_requeue: waiters flags nr_wake:int nr_requeue:int | 0 1 2+3
membarrier: command flags cpu:int

brk: addr:address -> address
mmap: addr:address length:size prot:flags flags fd offset -> address | 1 2+3 4
mmap@i386: args -> address
mmap2: addr:address length:size prot:flags flags fd page_offset:word -> address | 1+5 2+3 4
munmap mlock munlock: addr:address length:size
mprotect: addr:address length:size prot:flags
pkey_mprotect: addr:address length:size prot:flags pkey:int | 0 1 2+3
pkey_alloc: flags access:flags
pkey_free: pkey:int
mremap: old_addr:address old_length:size new_length:size flags new_addr:address -> address
remap_file_pages: addr:address length:size prot:flags page_offset:word flags | 0 1 3
madvise: addr:address length:size advice:int
mlock2 msync mseal: addr:address length:size flags
map_shadow_stack: addr:address length:size flags -> address
mlockall: flags
munlockall:
mincore: addr:address length:size vec
mbind: addr:address length:size mode:int nodemask maxnode:word flags | 0 1 2+5
get_mempolicy: mode nodemask maxnode:word addr:address flags | 2 3 4
set_mempolicy: mode:int nodemask maxnode:word
set_mempolicy_home_node: addr:address length:size node:word flags
migrate_pages: pid maxnode:word old_nodes new_nodes
move_pages: pid count pages nodes status flags | 0 1 5

kill: pid signal
tkill: tid:pid signal
tgkill: tgid:pid tid:pid signal
rt_sigqueueinfo: pid signal info
rt_tgsigqueueinfo: tgid:pid tid:pid signal info
rt_sigaction: signal act oldact setsize:size
sigaction: signal act oldact
signal: signal handler
rt_sigprocmask: how:int set oldset setsize:size
sigprocmask: how:int set oldset
rt_sigpending: set setsize:size
sigpending: set
rt_sigsuspend: set setsize:size
sigsuspend: unused1:word unused2:word mask:flags | 2
rt_sigtimedwait rt_sigtimedwait_time64: set info timeout setsize:size -> signal
rt_sigreturn sigreturn pause restart_syscall sgetmask:
ssetmask: mask:flags
sigaltstack: stack old_stack
alarm: seconds:uint

getuid geteuid getuid32 geteuid32: -> uid
getgid getegid getgid32 getegid32: -> gid
setuid setfsuid setuid32 setfsuid32: uid
setgid setfsgid setgid32 setfsgid32: gid
setreuid setreuid32: ruid:uid euid:uid
setregid setregid32: rgid:gid egid:gid
setresuid setresuid32: ruid:uid euid:uid suid:uid
setresgid setresgid32: rgid:gid egid:gid sgid:gid
getresuid getresuid32: ruid euid suid
getresgid getresgid32: rgid egid sgid
getgroups setgroups getgroups32 setgroups32: count:int list
capget capset: header data

nanosleep: request remain
clock_nanosleep clock_nanosleep_time64: clock:int flags request remain
clock_gettime clock_settime clock_getres clock_gettime64 clock_settime64 clock_getres_time64: clock:int time
clock_adjtime clock_adjtime64: clock:int adjustment
adjtimex: adjustment
gettimeofday settimeofday: time zone
time: time -> long
stime: time
getitimer: which:int value
setitimer: which:int new_value old_value
timer_create: clock:int event timer
timer_settime timer_settime64: timer:int flags new_value old_value
timer_gettime timer_gettime64: timer:int value
timer_getoverrun timer_delete: timer:int
"""
