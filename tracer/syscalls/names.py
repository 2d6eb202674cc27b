"""Names and numbers of the system calls of x86-64 and arm64, native and 32-bit.

The tables come from the package system-calls, which its author generates from the kernel's own. A session numbers
calls as the probes do: native ones as they are, 32-bit ones (i386 on x86-64, EABI on arm64) plus SYSNO_COMPAT, and
whatever fits nowhere (x32, arm's private 0xf0000 range) as SYSNO_UNKNOWN. Operations of io_uring come after them.

An architecture is named as `uname -m` does: "x86_64" or "aarch64" ("arm64" is taken too).
"""

from __future__ import annotations

from functools import cache
from importlib.machinery import PathFinder

from tracer.errors import HostError
from tracer.records import SYSNO_COMPAT, SYSNO_UNKNOWN, SYSNO_URING
from tracer.syscalls.uring import OPERATIONS, PREFIX, opcode_name

__all__ = ("COMPAT_SUFFIX", "base_name", "known", "name", "number", "table_name", "tables")

COMPAT_SUFFIX = " (32-bit)"

# Machine -> tables of its native and of its 32-bit calls
_MACHINES = {"x86_64": ("x86_64", "i386"), "aarch64": ("arm64", "arm"), "arm64": ("arm64", "arm")}

# Calls that the package leaves out because the kernel has retired them. Programs still try them, and of some an older
# kernel still has the code (uselib).
_RETIRED = {
    "x86_64": "uselib 134 _sysctl 156 create_module 174 get_kernel_syms 177 query_module 178 nfsservctl 180 getpmsg 181 putpmsg 182 "
              "afs_syscall 183 tuxcall 184 security 185 vserver 236",
    "i386": "break 17 stty 31 gtty 32 ftime 35 prof 44 lock 53 mpx 56 ulimit 58 uselib 86 profil 98 idle 112 create_module 127 "
            "get_kernel_syms 130 bdflush 134 afs_syscall 137 _sysctl 149 query_module 167 nfsservctl 169 getpmsg 188 putpmsg 189 vserver 273",
    "arm64": "nfsservctl 42",
    "arm": "uselib 86 bdflush 134 _sysctl 149 nfsservctl 169 vserver 313",
}


def table_name(arch: str, compat: bool = False) -> str:
    """The table that holds the calls of machine `arch`: "x86_64", "arm64", or with `compat` "i386", "arm".

    Raises HostError for a machine that ebtrace does not know.
    """
    try:
        return _MACHINES[arch][compat]
    except KeyError:
        raise HostError(f"ebtrace knows the system calls of x86_64 and aarch64, not of {arch}", "trace on one of these two machines") from None


@cache
def tables(arch: str) -> tuple[dict[str, int], dict[str, int]]:
    """Name -> number of the native and of the 32-bit calls of `arch`, each by its own numbers (no SYSNO_COMPAT)."""
    return _table(table_name(arch)), _table(table_name(arch, compat=True))


@cache
def known(arch: str) -> dict[int, str]:
    """Number -> name of every call of `arch`, as sessions number and show them; not to be changed."""
    native, compat = tables(arch)
    names = {number: name for name, number in native.items()}
    names.update((SYSNO_COMPAT + number, name + COMPAT_SUFFIX) for name, number in compat.items())
    names.update((SYSNO_URING + opcode, opcode_name(SYSNO_URING + opcode)) for opcode in range(len(OPERATIONS)))
    return names


def name(arch: str, sysno: int) -> str:
    """What to call `sysno`: "openat", "openat (32-bit)", "syscall_500" if it has no name, "unknown" for SYSNO_UNKNOWN."""
    if sysno == SYSNO_UNKNOWN:
        return "unknown"
    found = known(arch).get(sysno)
    if found is not None:
        return found
    if sysno >= SYSNO_URING:
        return opcode_name(sysno)
    return f"syscall_{sysno}" if sysno < SYSNO_COMPAT else f"syscall_{sysno - SYSNO_COMPAT}{COMPAT_SUFFIX}"


def number(arch: str, name: str) -> int | None:
    """The `sysno` of a name as `name` gives it, or None."""
    native, compat = tables(arch)
    if name.startswith(PREFIX):
        operation = name[len(PREFIX):]
        return SYSNO_URING + OPERATIONS.index(operation) if operation in OPERATIONS else None
    if name.endswith(COMPAT_SUFFIX):
        found = compat.get(name[: -len(COMPAT_SUFFIX)])
        return None if found is None else SYSNO_COMPAT + found
    return native.get(name)


def base_name(arch: str, sysno: int) -> str | None:
    """The name without the 32-bit mark; None for a number without a name."""
    found = known(arch).get(sysno)
    return found.removesuffix(COMPAT_SUFFIX) if found is not None else None


def _table(table: str) -> dict[str, int]:
    """Load one table without importing the package, which would cost 8 ms: it imports typing, among others."""
    package = PathFinder.find_spec("system_calls")
    places = [f"{place}/tables" for place in package.submodule_search_locations or ()] if package else []
    module = f"system_calls.tables.{table}"
    spec = PathFinder.find_spec(module, places)
    code = spec.loader.get_code(module) if spec and spec.loader and hasattr(spec.loader, "get_code") else None
    if code is None:
        raise HostError("the Python package system-calls, which knows the names of system calls, is missing", "pip install system-calls")
    namespace: dict[str, dict[str, int]] = {}
    exec(code, namespace)  # the package's own generated module
    calls = {name: number for name, number in namespace[f"syscalls_{table}"].items() if number < SYSNO_UNKNOWN}
    retired = _RETIRED[table].split()
    for old, number in zip(retired[::2], retired[1::2]):
        calls.setdefault(old, int(number))
    return calls
