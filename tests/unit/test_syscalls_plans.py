import pytest

from tracer.errors import HostError, UsageError
from tracer.records import SYSNO_COMPAT, SYSNO_LIMIT, SYSNO_UNKNOWN, PlanFlag, SlotKind, Tail
from tracer.syscalls.names import base_name, number, tables
from tracer.syscalls.plans import PLAN, plans

ARCHES = ("x86_64", "aarch64")
SLOTLESS = (0, 0, 0, 0, 0, 1, 1, 0, 0, 2, 2, 0)


def entry(plan: bytes, sysno: int) -> tuple[PlanFlag, int, tuple[int, ...]]:
    flags, keep, *slots, tail = PLAN.unpack_from(plan, sysno * PLAN.size)
    assert tail in set(Tail)
    return PlanFlag(flags), keep, tuple(slots)


def flags_of(plan: bytes, name: str, arch: str = "x86_64") -> PlanFlag:
    sysno = number(arch, name)
    assert sysno is not None
    return entry(plan, sysno)[0]


def named(plan: bytes, arch: str, flag: PlanFlag) -> set[str]:
    return {base_name(arch, sysno) or str(sysno) for sysno in range(SYSNO_LIMIT) if entry(plan, sysno)[0] & flag}


def test_one_plan_is_a_struct_plan() -> None:
    assert PLAN.size == 24
    assert len(plans("x86_64", "", 1)) == SYSNO_LIMIT * 24
    openat = plans("x86_64", "", 7)[257 * 24:258 * 24]
    assert openat == bytes.fromhex("65000000" "01000000" "00000000" "01010100" "02020300" "00000000")


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("expression", ["", "all", "trace=all", "!none"])
def test_everything_is_traced_even_what_has_no_name(arch: str, expression: str) -> None:
    """All but the ways by which uprobes come back to the kernel: a program does not make those calls."""
    plan = plans(arch, expression, 1)
    silent = {sysno for sysno in (*range(SYSNO_LIMIT), SYSNO_UNKNOWN) if not entry(plan, sysno)[0] & PlanFlag.TRACED}
    assert silent == ({335, 336} if arch == "x86_64" else set())
    assert plan == plans(arch, "", 1)


def test_only_what_is_chosen_is_traced_and_all_else_stays() -> None:
    every, some = plans("x86_64", "", 1), plans("x86_64", "openat,getppid", 1, names=False)
    assert named(some, "x86_64", PlanFlag.TRACED) == {"openat", "getppid"}
    for sysno in range(SYSNO_LIMIT):
        assert entry(every, sysno)[0] & ~PlanFlag.TRACED == entry(some, sysno)[0] & ~PlanFlag.TRACED
        assert entry(every, sysno)[1:] == entry(some, sysno)[1:]
    assert not entry(some, SYSNO_UNKNOWN)[0] & PlanFlag.TRACED


def test_calls_that_name_descriptors_are_traced_in_any_case() -> None:
    some = plans("x86_64", "read", 1)
    assert named(some, "x86_64", PlanFlag.TRACED) == {"read"} | named(some, "x86_64", PlanFlag.ALWAYS)


def test_what_the_probe_goes_on_to() -> None:
    plan = plans("x86_64", "", 1)

    def tail(name: str) -> int:
        sysno = number("x86_64", name)
        assert sysno is not None
        return int(PLAN.unpack_from(plan, sysno * PLAN.size)[-1])

    assert [tail(name) for name in ("connect", "accept4", "pidfd_getfd", "recvmsg", "write", "getppid", "read (32-bit)")] == [
        Tail.SOCKET, Tail.ACCEPT, Tail.PASSED, Tail.MESSAGE, Tail.DATA, Tail.NONE, Tail.NONE]
    assert flags_of(plan, "sendmmsg") & PlanFlag.SENDS
    assert not flags_of(plan, "recvmmsg") & PlanFlag.SENDS
    assert named(plan, "x86_64", PlanFlag.OPEN) == {"open", "openat", "openat2"}


def test_calls_that_move_bytes() -> None:
    moving = {name for name in named(plans("x86_64", "", 1), "x86_64", PlanFlag.BYTES) if not name.startswith("io_uring:")}
    assert moving == {
        "read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2", "sendfile", "sendfile64",
        "splice", "tee", "vmsplice", "copy_file_range", "sendto", "recvfrom", "sendmsg", "recvmsg", "process_vm_readv",
        "process_vm_writev", "msgrcv", "mq_timedreceive", "mq_timedreceive_time64", "getrandom", "getdents", "getdents64", "readlink",
        "readlinkat",
    }
    assert flags_of(plans("aarch64", "", 1), "recv (32-bit)", "aarch64") & PlanFlag.BYTES
    assert flags_of(plans("aarch64", "", 1), "io_uring:recv", "aarch64") & PlanFlag.BYTES


@pytest.mark.parametrize("arch", ARCHES)
def test_births_and_execs(arch: str) -> None:
    plan = plans(arch, "read", 1)
    assert named(plan, arch, PlanFlag.BIRTH) == {"fork", "vfork", "clone", "clone3"}
    assert named(plan, arch, PlanFlag.EXEC) == {"execve", "execveat"}
    for compat, calls in enumerate(tables(arch)):
        assert entry(plan, calls["execve"] + SYSNO_COMPAT * compat)[0] == PlanFlag.EXEC | PlanFlag.SLOTS


def test_calls_that_name_descriptors_are_never_sampled_out() -> None:
    plan = plans("x86_64", "", 100)
    always = named(plan, "x86_64", PlanFlag.ALWAYS)
    assert always >= {
        "open", "openat", "openat2", "creat", "open_by_handle_at", "open_tree", "socket", "socketpair", "accept", "accept4", "connect",
        "bind", "pipe", "pipe2", "dup", "dup2", "dup3", "fcntl", "close", "close_range", "chdir", "fchdir", "rename", "renameat",
        "renameat2", "memfd_create", "eventfd", "eventfd2", "epoll_create", "epoll_create1", "timerfd_create", "signalfd", "signalfd4",
        "inotify_init", "inotify_init1", "pidfd_open", "pidfd_getfd", "io_uring_setup", "userfaultfd", "perf_event_open", "fsopen",
        "fsmount", "socketcall", "fcntl64", "listen", "unlink", "unshare",
    }
    assert not always & {"read", "write", "recvmsg", "stat", "poll", "epoll_wait", "futex", "ioctl", "mmap"}
    for sysno in range(SYSNO_LIMIT):
        flags, keep, _ = entry(plan, sysno)
        assert keep == (1 if flags & PlanFlag.ALWAYS else 100)


@pytest.mark.parametrize("arch", ARCHES)
def test_slots_are_marked_exactly_where_they_differ(arch: str) -> None:
    plan = plans(arch, "", 1)
    for sysno in range(SYSNO_LIMIT):
        flags, _, slots = entry(plan, sysno)
        assert bool(flags & PlanFlag.SLOTS) == (slots != SLOTLESS)
        assert set(slots[0::4]) <= set(SlotKind)
        assert max(*slots[1::4], *slots[2::4]) <= 5
    for name in ("read", "write", "close", "ioctl", "fstat", "lseek", "futex", "readv", "writev"):
        assert not flags_of(plan, name, arch) & PlanFlag.SLOTS, f"{name} is frequent: the cheap way through the probe"


def test_free_slots_repeat_a_kept_value() -> None:
    plan = plans("x86_64", "", 1)
    assert entry(plan, 80)[2] == (SlotKind.STRING, 0, 0, 0, SlotKind.VALUE, 0, 0, 0, SlotKind.VALUE, 0, 0, 0)  # chdir
    assert entry(plan, 89)[2] == (SlotKind.STRING, 0, 0, 0, SlotKind.VALUE, 2, 2, 0, SlotKind.VALUE, 2, 2, 0)  # readlink: no buffer


@pytest.mark.parametrize("keep", [0, -1, 2**32])
def test_sampling_out_of_range(keep: int) -> None:
    with pytest.raises(ValueError, match="keep_one_in"):
        plans("x86_64", "", keep)


def test_errors_pass_through() -> None:
    with pytest.raises(UsageError):
        plans("x86_64", "opnat", 1)
    with pytest.raises(HostError):
        plans("sparc64", "", 1)
