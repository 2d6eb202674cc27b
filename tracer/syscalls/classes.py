"""strace's classes of system calls, and its syntax for choosing calls with -e.

What a class holds is what strace 6.1 puts there, measured by letting it trace every call once
(tests/unit/test_syscalls_strace.py does it again), and what its manual says for calls that are younger. The two large
classes follow from the arguments: %file has the calls that take a path, %desc those that take or return a descriptor
and are not %network.
"""

from __future__ import annotations

from functools import cache

from tracer.errors import UsageError
from tracer.records import SYSNO_COMPAT, SYSNO_LIMIT, SYSNO_UNKNOWN, SYSNO_URING
from tracer.syscalls.names import known, table_name, tables
from tracer.syscalls.signatures import descriptions, parse
from tracer.syscalls.uring import OPERATION_CLASSES, OPERATIONS, PREFIX

__all__ = ("CLASSES", "members", "select")

_LISTED = {
    "process": "clone clone3 execve execveat exit exit_group fork kill pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo tgkill tkill vfork "
               "wait4 waitid waitpid",
    "network": "accept accept4 bind connect getpeername getpmsg getsockname getsockopt listen putpmsg recv recvfrom recvmmsg recvmmsg_time64 recvmsg "
               "send sendfile sendfile64 sendmmsg sendmsg sendto setsockopt shutdown socket socketcall socketpair",
    "signal": "io_uring_enter kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
              "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sgetmask sigaction sigaltstack signal signalfd signalfd4 sigpending "
              "sigprocmask sigreturn sigsuspend ssetmask tgkill tkill",
    "ipc": "ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget",
    "memory": "break brk get_mempolicy io_destroy io_setup io_uring_register madvise map_shadow_stack mbind migrate_pages mincore mlock mlock2 "
              "mlockall mmap mmap2 move_pages mprotect mremap mseal msync munlock munlockall munmap pkey_mprotect remap_file_pages set_mempolicy "
              "set_mempolicy_home_node shmat shmdt",
    "creds": "capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 getresuid getresuid32 "
             "getuid getuid32 prctl setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid "
             "setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32",
    "stat": "oldstat stat stat64",
    "lstat": "lstat lstat64 oldlstat",
    "fstat": "fstat fstat64 fstatat64 newfstatat oldfstat statx",
    "statfs": "statfs statfs64",
    "fstatfs": "fstatfs fstatfs64",
    "clock": "adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_settime clock_settime64 "
             "gettimeofday settimeofday time",
    "pure": "getegid getegid32 geteuid geteuid32 getgid getgid32 getpgrp getpid getppid gettid getuid getuid32",
}
_MEMBERS = {name: frozenset(calls.split()) for name, calls in _LISTED.items()}
_MEMBERS["%stat"] = _MEMBERS["stat"] | _MEMBERS["lstat"] | _MEMBERS["fstat"]
_MEMBERS["%statfs"] = _MEMBERS["statfs"] | _MEMBERS["fstatfs"] | {"ustat"}
_MEMBERS["net"] = _MEMBERS["network"]

# What the arguments alone do not say: fsconfig's value may be a path, getcwd answers with one; descriptors in arrays, sets and structs
_MORE_FILE = frozenset(("fsconfig", "getcwd"))
_MORE_DESC = frozenset((
    "bpf", "mmap", "pipe", "pipe2", "select", "_newselect", "pselect6", "pselect6_time64", "poll", "ppoll", "ppoll_time64", "socketcall",
    "sendfile", "sendfile64",
))

CLASSES = ("file", "desc", *_MEMBERS, "io_uring")  # without the leading %
_UNMARKED = ("file", "desc", "process", "network", "signal", "ipc", "memory")  # may also be written without it, as in old straces


@cache
def members(name: str, table: str) -> frozenset[str]:
    """Calls of class `name` (one of CLASSES) in one of the four tables of tracer/syscalls/names.py."""
    if name not in ("file", "desc"):
        return _MEMBERS.get(name, frozenset())  # operations of io_uring are in no table of calls
    more, marks = (_MORE_FILE, {"path"}) if name == "file" else (_MORE_DESC, {"fd", "dirfd"})
    found = set(more)
    for call, line in descriptions(table).items():
        arguments, result, _ = parse(line)
        if marks & {result, *(kind for _, kind in arguments)}:
            found.add(call)
    return frozenset(found if name == "file" else found - (_MEMBERS["network"] - _MORE_DESC))


def select(expression: str, arch: str) -> frozenset[int]:
    """The numbers that `expression` chooses, native and 32-bit; SYSNO_UNKNOWN and nameless numbers are in "all" and in "!...".

    The words of several -e are joined by ";": the last one counts, as in strace, but all must be right. "" chooses all.
    Raises UsageError.
    """
    chosen = frozenset(range(SYSNO_LIMIT))
    for words in expression.split(";") if expression else ():
        chosen = _set(words.strip(), arch)
    return chosen


def _set(words: str, arch: str) -> frozenset[int]:
    """One -e: [trace=|t=][!...]value[,value]..."""
    qualifier, found, values = words.partition("=")
    if found and qualifier.replace("-", "").isalpha():  # a regular expression may have "=" too
        if qualifier not in ("trace", "t"):
            raise UsageError(f"-e {words} is not supported: -e chooses system calls, and nothing else",
                             "write -e trace=LIST, as in: -e trace=%file,%network,execve")
        words = values
    every = frozenset(range(SYSNO_LIMIT))
    plain = words.lstrip("!")
    inverted = (len(words) - len(plain)) % 2 == 1
    if plain == "none":
        chosen: set[int] | frozenset[int] = set()
    else:
        values_given = [value for value in plain.split(",") if value]
        if not values_given:
            raise UsageError("-e names no system call", "write -e trace=LIST, as in: -e trace=%file,%network,execve")
        chosen = set().union(*(_value(value, arch) for value in values_given))
    return every - chosen if inverted else frozenset(chosen)


def _value(value: str, arch: str) -> set[int]:
    """[?]name, [?]number, [?]%class, [?]/regex or all, perhaps followed by @64 or @32."""
    word = value.lstrip("?")
    bare, marked, personality = word.rpartition("@")
    if not marked:
        bare, personality = word, ""
    elif personality not in ("64", "32"):
        raise UsageError(f"-e {value}: there is no personality @{personality}", "write @64 for native calls or @32 for 32-bit ones")
    chosen = _operations(bare) if not personality else set()
    for compat in (False, True):
        if personality in ("", "32" if compat else "64"):
            chosen |= {number + SYSNO_COMPAT * compat for number in _numbers(bare, arch, compat)}
    if not chosen and not value.startswith("?") and _class_of(bare) is None:
        raise _unknown(value, bare, arch)
    return chosen


def _operations(word: str) -> set[int]:
    """Operations of io_uring that a word chooses: all, a class, or one by its name."""
    if word == "all" or _class_of(word) == "io_uring":
        return set(range(SYSNO_URING, SYSNO_LIMIT))
    group = OPERATION_CLASSES.get(_class_of(word) or "", ())
    return {SYSNO_URING + opcode for opcode, name in enumerate(OPERATIONS) if word == f"{PREFIX}{name}" or name in group}


def _numbers(word: str, arch: str, compat: bool) -> set[int]:
    """Numbers below SYSNO_COMPAT of what a word without its marks chooses among native or 32-bit calls."""
    if word == "all":
        return set(range(SYSNO_COMPAT))
    calls = tables(arch)[compat]
    if word.isascii() and word.isdigit():
        return {int(word)} if int(word) < SYSNO_UNKNOWN else set()
    if word.startswith("/"):
        import re  # few need it
        import warnings

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", FutureWarning)  # [[:alpha:]] is not what strace takes it for
                pattern = re.compile(word[1:])
        except (re.error, FutureWarning) as error:
            raise UsageError(f"-e {word}: {error}", "write a regular expression after the slash, as in: -e trace=/^(.*_)?statv?fs") from None
        return {number for name, number in calls.items() if pattern.search(name)}
    group = _class_of(word)
    if group is None:
        return {calls[word]} if word in calls else set()
    return {calls[name] for name in members(group, table_name(arch, compat)) if name in calls}


def _class_of(word: str) -> str | None:
    """The class that a word means."""
    if word.startswith("%"):
        return word[1:] if word[1:] in CLASSES else None
    return word if word in _UNMARKED else None


def _unknown(value: str, word: str, arch: str) -> UsageError:
    """What to say about a word that chooses nothing: what else there is, or that another machine has it."""
    if word.startswith("/"):
        return UsageError(f"no system call matches -e {value}", f"write ?{value} if that is no mistake")
    from difflib import get_close_matches

    other = "aarch64" if table_name(arch) == "x86_64" else "x86_64"
    if any(word in calls for machine in (arch, other) for calls in tables(machine)):
        return UsageError(f"{arch} has no system call {value}", f"write ?{value} to allow for that")
    candidates = [f"%{name}" for name in CLASSES] if word.startswith("%") else list({name.split()[0]: None for name in known(arch).values()})
    near = get_close_matches(word, candidates, 3, 0.6)
    what = "class of system calls" if word.startswith("%") else "system call"
    remedy = f"did you mean {' or '.join(near)}?" if near else "names and classes are those of strace: man 1 strace, man 2 syscalls"
    return UsageError(f"there is no {what} {value}", remedy)
