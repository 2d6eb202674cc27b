"""Arguments of the calls on sockets, message queues, keys, and of the kernel itself; see calls_files.py for the notation."""

from __future__ import annotations

__all__ = ("SYSTEM_CALLS",)

SYSTEM_CALLS = """
socket: family:int type:flags protocol:int -> fd
socketpair: family:int type:flags protocol:int fds:fd_pair | 0+1 2 *3
bind connect: fd addr:sockaddr addrlen:int | 0 1/2 2
listen: fd backlog:int
accept: fd addr addrlen -> fd
accept4: fd addr addrlen flags -> fd | 0 3
getsockname getpeername: fd addr addrlen
shutdown: fd how:int
setsockopt: fd level:int option:int value size:int | 0 1+2 4
getsockopt: fd level:int option:int value size
sendto: fd buf size flags addr:sockaddr addrlen:int -> bytes | 0+3 2 4/5
recvfrom: fd buf size flags addr:sockaddr addrlen -> bytes | 0+3 2 4//5
send recv: fd buf size flags -> bytes | 0 2 3
sendmsg recvmsg: fd addr:sockaddr flags -> bytes | 0+2 @1
sendmsg@32 recvmsg@32: fd message flags -> bytes
sendmmsg: fd messages count:uint flags -> count | 0 2 3
recvmmsg recvmmsg_time64: fd messages count:uint flags timeout -> count | 0 2 3
socketcall: command args

mq_open: name:string flags mode attr -> fd
mq_unlink: name:string
mq_timedsend mq_timedsend_time64: fd message size priority:uint timeout | 0 2 3
mq_timedreceive mq_timedreceive_time64: fd message size priority timeout -> bytes | 0 2
mq_notify: fd event
mq_getsetattr: fd new_attr old_attr
shmget: key:int size flags
shmat: id:int addr:address flags -> address
shmdt: addr:address
shmctl: id:int command buf
semget: key:int count:int flags
semop: id:int operations count:uint
semtimedop semtimedop_time64: id:int operations count:uint timeout
semctl: id:int index:int command arg:word
msgget: key:int flags
msgsnd: id:int message size flags | 0 2 3
msgrcv: id:int message size type:long flags -> bytes | 0+4 2 3
msgctl: id:int command buf
ipc: command first:int second:word third:word ptr fifth:word

add_key: type:string description:string payload size keyring:int | 0 1 4
request_key: type:string description:string callout keyring:int | 0 1 3
keyctl: command arg2:word arg3:word arg4:word arg5:word -> long
bpf: command attr size:uint
perf_event_open: attr pid cpu:int group_fd:fd flags -> fd | 1+2 3 4
landlock_create_ruleset: attr size flags -> fd
landlock_add_rule: ruleset_fd:fd type:int attr flags | 0 1 3
landlock_restrict_self: ruleset_fd:fd flags
lsm_get_self_attr lsm_set_self_attr: attr:uint context size flags | 0 2 3
lsm_list_modules: ids size flags
init_module: image size params:string | 1 2
finit_module: fd params:string flags
delete_module: name:string flags
kexec_load: entry:address count segments flags | 0 1 3
kexec_file_load: kernel_fd:fd initrd_fd:fd cmdline_size:size cmdline:string flags | 0+1 3 4
reboot: magic:uint magic2:uint command arg
getrandom: buf size flags -> bytes
uname olduname oldolduname: buf
sysinfo: info
syslog: type:int buf size:int
sysfs: option:int arg1:word arg2:word
sethostname setdomainname: name size:int
vhangup:
pciconfig_iobase: which:long bus:word devfn:word
pciconfig_read pciconfig_write: bus:word devfn:word offset:word size:word buf
"""
