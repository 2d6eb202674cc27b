import re

import pytest

from tracer.kinds import CallFlag
from tracer.records import SYSNO_COMPAT, SYSNO_UNKNOWN, SYSNO_URING, SlotKind
from tracer.syscalls.calls_files import FILE_CALLS
from tracer.syscalls.calls_processes import PROCESS_CALLS
from tracer.syscalls.calls_system import SYSTEM_CALLS
from tracer.syscalls.names import base_name, known, number, table_name, tables
from tracer.syscalls.names import name as name_of
from tracer.syscalls.plans import PLAN, plans
from tracer.syscalls.signatures import DEFAULT_SLOTS, KINDS, arguments, decode, descriptions, parse, result, slots

ARCHES = ("x86_64", "aarch64")
TABLES = ("x86_64", "i386", "arm64", "arm")
ALL = [(arch, sysno) for arch in ARCHES for sysno in sorted(known(arch))]  # 1,600 calls: in loops, not as parameters
AT_FDCWD = 0xFFFF_FF9C  # as a register holds it

# Never were more than a number, or are gone from every kernel that ebtrace runs on
EMPTY = {
    "_sysctl", "afs_syscall", "bdflush", "break", "create_module", "epoll_ctl_old", "epoll_wait_old", "ftime", "get_kernel_syms", "getpmsg", "gtty",
    "idle", "lock", "mpx", "nfsservctl", "prof", "profil", "putpmsg", "query_module", "security", "stty", "tuxcall", "ulimit", "vserver",
}


def numbered(arch: str, name: str) -> int:
    sysno = number(arch, name)
    assert sysno is not None
    return sysno


def values(arch: str, name: str, a0: int, a1: int, a2: int) -> dict[str, int]:
    return {argument: value for argument, _, value in decode(arch, numbered(arch, name), a0, a1, a2)}


def kept(plan: bytes, sysno: int, registers: list[int]) -> list[int]:
    """What the probe stores for a call with these registers; string ids are the pointers here."""
    slots = []
    fields = PLAN.unpack_from(plan, sysno * PLAN.size)
    for kind, first, second in (fields[2:5], fields[6:9], fields[10:13]):
        low, high = registers[first] & 0xFFFF_FFFF, registers[second] & 0xFFFF_FFFF
        slots.append(low | high << 32 if kind == SlotKind.PAIR else registers[first])
    return slots


@pytest.mark.parametrize("arch", ARCHES)
def test_every_call_is_described(arch: str) -> None:
    for compat, calls in enumerate(tables(arch)):
        assert set(calls) - set(descriptions(table_name(arch, bool(compat)))) <= EMPTY


def test_every_description_belongs_to_a_call() -> None:
    names = {name for arch in ARCHES for calls in tables(arch) for name in calls}
    for table in TABLES:
        assert set(descriptions(table)) <= names
    owners = re.findall(r"\w@(\w*)", FILE_CALLS + PROCESS_CALLS + SYSTEM_CALLS)
    assert set(owners) <= {"32", *TABLES}


@pytest.mark.parametrize("table", TABLES)
def test_descriptions_are_well_formed(table: str) -> None:
    for name, line in descriptions(table).items():
        given, outcome, chosen = parse(line)
        assert outcome in KINDS, name
        assert len(given) <= 6, name
        assert len({argument for argument, _ in given}) == len(given), name
        assert {kind for _, kind in given} <= set(KINDS) - {"bytes"}, name
        assert len(chosen) <= len(DEFAULT_SLOTS), name
        places = [index for kind, first, second, _ in chosen for index in ((first, second) if kind == SlotKind.PAIR else (first,))]
        assert len(set(places)) == len(places), name
        assert set(places) <= set(range(len(given))), name
        assert sum(kind == SlotKind.STRING for kind, _, _, _ in chosen) <= 2, name


def test_pairs_hold_what_the_kernel_itself_cuts_to_32_bits() -> None:
    pairs = [(arch, sysno, *slot[1:]) for arch, sysno in ALL for slot in slots(arch, sysno) if slot[0] == SlotKind.PAIR]
    assert len(pairs) > 100
    for arch, sysno, first, second, joined in pairs:
        kinds = [arguments(arch, sysno)[index][1] for index in (first, second)]
        if joined:
            assert sysno >= SYSNO_COMPAT
            assert KINDS[kinds[0]][0] == 64
            assert {arguments(arch, sysno)[index][0].removesuffix("_high") for index in (first, second)} == {arguments(arch, sysno)[first][0]}
        else:
            assert sysno >= SYSNO_COMPAT or [KINDS[kind][0] for kind in kinds] == [32, 32]


def test_no_string_is_kept_as_a_mere_address() -> None:
    for arch, sysno in ALL:
        strings = [index for index, (_, kind) in enumerate(arguments(arch, sysno)) if kind in ("path", "string")]
        interned = [first for kind, first, _, _ in slots(arch, sysno) if kind == SlotKind.STRING]
        assert interned == strings[:2], "a record has room for two strings and the numbers beside them"


@pytest.mark.parametrize("arch", ARCHES)
def test_what_the_probe_keeps_is_what_the_reader_tells(arch: str) -> None:
    """Every call, with registers full of different numbers: through the plan into three slots and out of them again."""
    plan = plans(arch, "", 1)
    registers = [0x1111_2222_3333_4440 * (index + 1) % 2**64 + index for index in range(6)]
    for sysno in range(SYSNO_URING):  # the probes fill the slots of operations beyond by themselves
        given = dict(arguments(arch, sysno))
        order = list(given)
        pointed = {order[first] for kind, first, _, _ in slots(arch, sysno) if kind == SlotKind.PEEK}
        told = decode(arch, sysno, *kept(plan, sysno, registers))
        assert [name for name, _, _ in told] == sorted((name for name, _, _ in told), key=order.index)
        for name, kind, value in told:
            assert given[name] == kind
            bits, signed = KINDS[kind]
            full = registers[order.index(name)]
            if f"{name}_high" in given:
                full = full & 0xFFFF_FFFF | (registers[order.index(f"{name}_high")] & 0xFFFF_FFFF) << 32
            elif kind not in ("path", "string", "sockaddr", "fd_pair") and sysno >= SYSNO_COMPAT and name not in pointed:
                bits = 32
            full &= (1 << bits) - 1
            assert value == (full - (1 << bits) if signed and full >> (bits - 1) else full), (name, hex(value), hex(full))


def test_opens() -> None:
    assert decode("x86_64", 257, AT_FDCWD, 77, 0o644 << 32 | 0x241) == [
        ("dirfd", "dirfd", -100), ("path", "path", 77), ("flags", "flags", 0x241), ("mode", "mode", 0o644)]
    assert decode("x86_64", 2, 77, 0o644, 0x241) == [("path", "path", 77), ("flags", "flags", 0x241), ("mode", "mode", 0o644)]
    assert values("x86_64", "openat2", AT_FDCWD, 77, 0x241) == {"dirfd": -100, "path": 77, "flags": 0x241}
    assert result("x86_64", 257) == result("aarch64", 56) == result("x86_64", SYSNO_COMPAT + 295) == "fd"


def test_operations_of_io_uring() -> None:
    assert values("x86_64", "io_uring:read", 1 << 32 | 7, 4096, 99) == {"fd": 7, "registered": 1, "size": 4096, "user_data": 99}
    assert values("x86_64", "io_uring:fsync", 7, 99, 0) == {"fd": 7, "registered": 0, "user_data": 99}
    assert values("x86_64", "io_uring:timeout", 99, 0, 0) == {"user_data": 99}
    assert values("aarch64", "io_uring:openat", 0x241 << 32 | 0xFFFFFF9C, 77, 0) == {"dirfd": -100, "path": 77, "flags": 0x241, "direct": 0}
    assert values("aarch64", "io_uring:renameat", 8 << 32 | 7, 77, 78) == {"olddirfd": 7, "oldpath": 77, "newdirfd": 8, "newpath": 78}
    assert values("x86_64", "io_uring:symlinkat", 8, 77, 78) == {"target": 77, "newdirfd": 8, "linkpath": 78}
    assert values("x86_64", "io_uring:socket", 1 << 32 | 2, 6 << 32 | 0xFFFFFFFF, 99) == {
        "family": 2, "type": 1, "protocol": 6, "direct": 0xFFFFFFFF, "user_data": 99}
    assert values("x86_64", "io_uring:connect", 7, 77, 99) == {"fd": 7, "registered": 0, "addr": 77, "user_data": 99}
    assert [result("x86_64", numbered("x86_64", f"io_uring:{name}")) for name in ("recv", "openat2", "nop")] == ["bytes", "fd", "int"]
    assert result("x86_64", SYSNO_URING + 127) == "int"
    assert [base_name("x86_64", SYSNO_URING + opcode) for opcode in (22, 65, 127)] == ["io_uring:read", None, None]
    assert [name_of("x86_64", SYSNO_URING + opcode) for opcode in (22, 65, 127)] == ["io_uring:read", "io_uring:op65", "io_uring:unknown"]


def test_two_paths() -> None:
    sysno = numbered("x86_64", "renameat2")
    told = decode("x86_64", sysno, 5 << 32 | AT_FDCWD, 77, 88)
    assert told == [("olddirfd", "dirfd", -100), ("oldpath", "path", 77), ("newdirfd", "dirfd", 5), ("newpath", "path", 88)]


def test_reads_and_writes() -> None:
    assert values("x86_64", "read", 3, 0x7FFF_0000, 4096) == {"fd": 3, "buf": 0x7FFF_0000, "count": 4096}
    assert values("x86_64", "pread64", 3, 4096, 2**40) == {"fd": 3, "count": 4096, "offset": 2**40}
    assert values("x86_64", "sendto", 0x4000 << 32 | 3, 4096, 99) == {"fd": 3, "size": 4096, "flags": 0x4000, "addr": 99}
    assert values("x86_64", "recvmsg", 0x4000 << 32 | 3, 99, 0) == {"fd": 3, "flags": 0x4000, "addr": 99}
    assert values("x86_64", "socketpair", 1 << 32 | 1, 0, 4 << 32 | 3) == {"family": 1, "type": 1, "protocol": 0, "fds": 4 << 32 | 3}
    assert values("x86_64", "lseek", 3, 2**64 - 1, 2) == {"fd": 3, "offset": -1, "whence": 2}
    assert result("x86_64", 0) == "bytes"


def test_mmap_tells_the_file() -> None:
    assert values("x86_64", "mmap", 2**33, 0x22 << 32 | 3, 2**64 - 1) == {"length": 2**33, "prot": 3, "flags": 0x22, "fd": -1}
    assert values("x86_64", "mmap", 4096, 2 << 32 | 1, 7)["fd"] == 7
    assert values("x86_64", "mmap2 (32-bit)", 9 << 32 | 4096, 2 << 32 | 1, 7) == {"length": 4096, "prot": 1, "flags": 2, "fd": 7, "page_offset": 9}


def test_64_bits_in_two_registers() -> None:
    assert values("x86_64", "pread64 (32-bit)", 3, 4096, 2**40) == {"fd": 3, "count": 4096, "offset": 2**40}
    assert slots("x86_64", SYSNO_COMPAT + 180)[2] == (SlotKind.PAIR, 3, 4, True)
    assert slots("aarch64", SYSNO_COMPAT + 180)[2] == (SlotKind.PAIR, 4, 5, True)  # aligned to an even register
    assert values("x86_64", "_llseek (32-bit)", 3, 2**64 - 5, 0) == {"fd": 3, "offset": -5, "whence": 0}
    assert slots("x86_64", numbered("x86_64", "_llseek (32-bit)"))[1] == (SlotKind.PAIR, 2, 1, True)  # the high half comes first
    assert values("aarch64", "truncate64 (32-bit)", 77, 2**32, 0) == {"path": 77, "length": 2**32}


def test_upper_halves_of_32_bit_registers_do_not_count() -> None:
    assert values("x86_64", "write (32-bit)", 1 << 40 | 3, 1 << 40 | 0x0804_8000, 1 << 40 | 12) == {"fd": 3, "buf": 0x0804_8000, "count": 12}
    assert values("x86_64", "open (32-bit)", 2**63 + 5, 0, 0)["path"] == 2**63 + 5  # a string's id is no register


def test_order_of_clone() -> None:
    assert [name for name, _ in arguments("x86_64", 56)] == ["flags", "stack", "parent_tid", "child_tid", "tls"]
    assert [name for name, _ in arguments("aarch64", 220)] == ["flags", "stack", "parent_tid", "tls", "child_tid"]
    assert [name for name, _ in arguments("x86_64", SYSNO_COMPAT + 120)] == ["flags", "stack", "parent_tid", "tls", "child_tid"]


@pytest.mark.parametrize("sysno", [SYSNO_UNKNOWN, 500, SYSNO_COMPAT + 500])
def test_calls_nobody_knows(sysno: int) -> None:
    high = 0xFFFF_FFFF if sysno >= SYSNO_COMPAT else 2**64 - 1
    assert decode("x86_64", sysno, 1, 2, 2**64 - 1) == [("arg0", "word", 1), ("arg1", "word", 2), ("arg2", "word", high)]


def test_calls_without_arguments_show_none() -> None:
    assert decode("x86_64", numbered("x86_64", "getppid"), 11, 12, 13) == []
    assert values("x86_64", "close", 2**32 - 1, 12, 13) == {"fd": -1}


@pytest.mark.parametrize("name", ["execve", "execveat", "execve (32-bit)"])
def test_an_exec_that_succeeded_has_the_strings_that_the_probe_kept(name: str) -> None:
    assert decode("x86_64", numbered("x86_64", name), 77, 88, 0, CallFlag.EXECED) == [("path", "path", 77), ("argv", "string", 88)]


def test_an_exec_that_failed() -> None:
    assert values("x86_64", "execve", 77, 0x7FFF_1000, 0x7FFF_2000) == {"path": 77, "argv": 0x7FFF_1000, "envp": 0x7FFF_2000}
    assert values("x86_64", "execveat", AT_FDCWD, 77, 0x1000) == {"dirfd": -100, "path": 77, "flags": 0x1000}
