"""Arguments of the calls on files, paths, descriptors and mounts.

One line describes calls that take the same arguments; tracer/syscalls/signatures.py reads it:

    NAMES: ARGUMENT... -> RESULT | SLOT...

An argument is NAME:KIND, a kind alone (it names itself), or a name alone (a pointer, of which nothing is told but
its value). The result is int (0 or an error) unless said. The slots say which arguments a record keeps: `3` by value, or the string if
its kind is path or string; `2+3` two arguments of 32 bits in one slot; `3:4` one argument of 64 bits that comes in
two registers, low half in 3; `1/2` the socket address at 1, 2 bytes long, as a string; `4//5` the same, with the length at
address 5; `@1` the socket address of the struct msghdr at 1; `*1` the 64 bits at address 1.
Without slots the first three are kept, which costs the probe least: the slots of
read and write stay so, though the buffer's address tells little. A name ends in @i386, @arm, @32 (both) or
@x86_64 where an architecture has an order of its own: arm passes 64 bits in an even and the next register.
"""

from __future__ import annotations

__all__ = ("FILE_CALLS",)

FILE_CALLS = """
read write: fd buf count:size -> bytes
readv writev: fd vec vlen:count -> bytes
pread64 pwrite64: fd buf count:size offset -> bytes | 0 2 3
pread64@i386 pwrite64@i386: fd buf count:size offset offset_high -> bytes | 0 2 3:4
pread64@arm pwrite64@arm: fd buf count:size pad offset offset_high -> bytes | 0 2 4:5
preadv pwritev: fd vec vlen:count offset -> bytes | 0 2 3
preadv@32 pwritev@32: fd vec vlen:count offset offset_high -> bytes | 0 2 3:4
preadv2 pwritev2: fd vec vlen:count offset unused:word flags -> bytes | 0+5 2 3
preadv2@32 pwritev2@32: fd vec vlen:count offset offset_high flags -> bytes | 0+5 2 3:4
sendfile sendfile64: out_fd:fd in_fd:fd position count:size -> bytes | 0+1 2 3
splice copy_file_range: fd_in:fd off_in fd_out:fd off_out size flags -> bytes | 0+2 4 5
tee: fd_in:fd fd_out:fd size flags -> bytes | 0+1 2 3
vmsplice: fd vec vlen:count flags -> bytes | 0 2 3
lseek: fd offset whence:uint -> offset
_llseek: fd offset_high offset result whence:uint | 0 2:1 4
getdents getdents64: fd entries count:size -> bytes
readdir: fd entry count:uint
fsync fdatasync syncfs: fd
sync:
sync_file_range: fd offset length:offset flags | 0+3 1 2
sync_file_range@i386: fd offset offset_high length:offset length_high flags | 0+5 1:2 3:4

sync_file_range2@arm: fd flags offset offset_high length:offset length_high | 0+1 2:3 4:5
fallocate: fd mode:flags offset length:offset | 0+1 2 3
fallocate@32: fd mode:flags offset offset_high length:offset length_high | 0+1 2:3 4:5
fadvise64: fd offset length:size advice:int | 0+3 1 2
fadvise64@i386: fd offset offset_high length:size advice:int | 0+4 1:2 3
fadvise64_64: fd offset offset_high length:offset length_high advice:int | 0+5 1:2 3:4
arm_fadvise64_64: fd advice:int offset offset_high length:offset length_high | 0+1 2:3 4:5
readahead: fd offset count:size
readahead@i386: fd offset offset_high count:size | 0 1:2 3
readahead@arm: fd pad offset offset_high count:size | 0 2:3 4
cachestat: fd range stat flags | 0 3
truncate: path length:offset
truncate64: path length:offset length_high | 0 1:2
truncate64@arm: path pad length:offset length_high | 0 2:3
ftruncate: fd length:offset
ftruncate64: fd length:offset length_high | 0 1:2
ftruncate64@arm: fd pad length:offset length_high | 0 2:3

open: path flags mode -> fd | 0 2 1
creat: path mode -> fd
openat: dirfd path flags mode -> fd | 0 1 2+3
openat2: dirfd path flags size -> fd | 0 1 *2
open_by_handle_at: mount_fd:fd handle flags -> fd | 0 2
name_to_handle_at: dirfd path handle mount_id flags | 0 1 4
close: fd
close_range: first:uint last:uint flags
dup: oldfd:fd -> fd
dup2: oldfd:fd newfd:fd -> fd
dup3: oldfd:fd newfd:fd flags -> fd
fcntl fcntl64: fd command arg:word
ioctl: fd command arg:word
flock: fd command
pipe: fds:fd_pair | *0
pipe2: fds:fd_pair flags | *0 1
memfd_create: name:string flags -> fd
memfd_secret: flags -> fd

stat lstat stat64 lstat64 oldstat oldlstat: path statbuf
fstat fstat64 oldfstat: fd statbuf
newfstatat fstatat64: dirfd path statbuf flags | 0 1 3
statx: dirfd path flags mask:flags statxbuf | 0 1 2+3
statfs: path buf
statfs64: path size buf
fstatfs: fd buf
fstatfs64: fd size buf
ustat: dev:uint buf
access: path mode
faccessat: dirfd path mode
faccessat2 fchmodat2: dirfd path mode flags | 0 1 2+3
readlink: path buf size -> bytes | 0 2
readlinkat: dirfd path buf size -> bytes | 0 1 3
getcwd: buf size -> size
chdir chroot rmdir unlink acct swapoff umount uselib: path
fchdir: fd
mkdir: path mode
mkdirat: dirfd path mode
mknod: path mode dev:uint
mknodat: dirfd path mode dev:uint | 0 1 2+3
rename link: oldpath:path newpath:path
symlink: target:path linkpath:path
symlinkat: target:path newdirfd:dirfd linkpath:path
renameat: olddirfd:dirfd oldpath:path newdirfd:dirfd newpath:path | 0+2 1 3
renameat2 linkat: olddirfd:dirfd oldpath:path newdirfd:dirfd newpath:path flags | 0+2 1 3
unlinkat: dirfd path flags
chmod: path mode
fchmod: fd mode
fchmodat: dirfd path mode
chown lchown chown32 lchown32: path owner:uid group:gid
fchown fchown32: fd owner:uid group:gid
fchownat: dirfd path owner:uid group:gid flags | 0+4 1 2+3
utime utimes: path times
futimesat: dirfd path times
utimensat utimensat_time64: dirfd path times flags | 0 1 3
umask: mode -> mode

setxattr lsetxattr: path name:string value size flags | 0 1 3
fsetxattr: fd name:string value size flags | 0+4 1 3
getxattr lgetxattr: path name:string value size -> size | 0 1 3
fgetxattr: fd name:string value size -> size | 0 1 3
listxattr llistxattr: path list size -> size | 0 2
flistxattr: fd list size -> size
removexattr lremovexattr: path name:string
fremovexattr: fd name:string
setxattrat: dirfd path at_flags:flags name:string args size | 0+2 1 3
getxattrat: dirfd path at_flags:flags name:string args size -> size | 0+2 1 3
listxattrat: dirfd path at_flags:flags list size -> size | 0+2 1 4
removexattrat: dirfd path at_flags:flags name:string | 0+2 1 3
file_getattr file_setattr: dirfd path attr size at_flags:flags | 0 1 4

inotify_init: -> fd
inotify_init1: flags -> fd
inotify_add_watch: fd path mask:flags
inotify_rm_watch: fd watch:int
fanotify_init: flags event_flags:flags -> fd
fanotify_mark: fd flags mask:flags dirfd path | 0+3 1+2 4
fanotify_mark@32: fd flags mask:flags mask_high dirfd path | 0+4 1+2 5

mount: source:string target:path type:string flags data | 0 1 3
umount2: path flags
pivot_root: new_root:path put_old:path
swapon: path flags
quotactl: command special:path id:int addr
quotactl_fd: fd command id:int addr
open_tree: dirfd path flags -> fd
open_tree_attr: dirfd path flags attr size -> fd
move_mount: from_dirfd:dirfd from_path:path to_dirfd:dirfd to_path:path flags | 0+2 1 3
mount_setattr: dirfd path flags attr size
fsopen: fsname:string flags -> fd
fspick: dirfd path flags -> fd
fsconfig: fd command key:string value aux:int | 0+1 2 4
fsmount: fd flags attr_flags:flags -> fd
statmount: request buf size flags | 2 3
listmount listns: request ids count flags -> count | 2 3
lookup_dcookie: cookie:word buf size -> size
lookup_dcookie@32: cookie:word cookie_high buf size -> size | 0:1 3

select _newselect: nfds:int readfds writefds exceptfds timeout -> count
select@i386: args -> count
pselect6 pselect6_time64: nfds:int readfds writefds exceptfds timeout sigmask -> count
poll: fds nfds:uint timeout:int -> count
ppoll ppoll_time64: fds nfds:uint timeout sigmask setsize:size -> count
epoll_create: size:int -> fd
epoll_create1: flags -> fd
epoll_ctl: epfd:fd command fd event
epoll_wait: epfd:fd events maxevents:int timeout:int -> count | 0 2 3
epoll_pwait: epfd:fd events maxevents:int timeout:int sigmask setsize:size -> count | 0 2 3
epoll_pwait2: epfd:fd events maxevents:int timeout sigmask setsize:size -> count | 0 2
eventfd: initval:uint -> fd
eventfd2: initval:uint flags -> fd
signalfd: fd mask size -> fd
signalfd4: fd mask size flags -> fd | 0 3
timerfd_create: clock:int flags -> fd
timerfd_settime timerfd_settime64: fd flags new_value old_value
timerfd_gettime timerfd_gettime64: fd value
userfaultfd: flags -> fd
io_uring_setup: entries:uint params -> fd
io_uring_enter: fd to_submit:uint min_complete:uint flags sigmask size -> count | 0 1+2 3
io_uring_register: fd opcode:command arg nr_args:uint | 0 1 3
io_setup: nr_events:uint context
io_destroy: context:word
io_submit: context:word nr:long requests -> count
io_cancel: context:word request result
io_getevents: context:word min_nr:long nr:long events timeout -> count
io_pgetevents io_pgetevents_time64: context:word min_nr:long nr:long events timeout sigmask -> count
"""
