"""Writes shapes.h: this kernel's structures, reduced to the fields that the probes read, each at its true offset.

Compiling 100 lines instead of a whole vmlinux.h keeps the first use of ebtrace under a second, and needs no kernel headers.
A dotted path becomes one flat field: ``thread_info.status`` is ``thread_info_status``. Behind a bar stands the name in older kernels.
"""

from __future__ import annotations

from tracer.errors import KernelTooOld
from tracer.kernel.btf import Field, KernelBtf

__all__ = ("FIELDS", "GROUPS", "shapes")

FIELDS: dict[str, tuple[str, ...]] = {
    "task_struct": (
        "pid", "tgid", "comm", "mm", "signal", "group_leader", "real_parent", "cred", "real_cred", "exit_code", "flags", "start_time",
        "se.sum_exec_runtime", "__state|state", "pending.signal.sig", "files", "fs", "nsproxy",
    ),
    "nsproxy": ("mnt_ns",),
    "files_struct": ("fdt",),
    "fdtable": ("max_fds", "fd"),
    "file": ("f_inode", "f_mode", "private_data"),
    "inode": ("i_ino", "i_mode", "i_sb", "i_generation"),
    "super_block": ("s_dev",),
    "signal_struct": ("live.counter", "flags", "group_exit_code", "sum_sched_runtime", "maxrss"),
    "cred": ("uid.val", "gid.val", "euid.val"),
    "mm_struct": ("arg_start", "arg_end"),
    "linux_binprm": ("filename", "interp", "file"),
}
# Groups that a kernel may be built without: HAVE_<group> says whether all their structures are there.
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "SOCKETS": {
        "socket": ("sk", "file"),
        "sock": (
            "__sk_common.skc_family", "__sk_common.skc_state", "__sk_common.skc_num", "__sk_common.skc_dport", "__sk_common.skc_rcv_saddr",
            "__sk_common.skc_daddr", "__sk_common.skc_v6_rcv_saddr", "__sk_common.skc_v6_daddr", "__sk_common.skc_net.net", "sk_type",
            "sk_protocol", "sk_socket",
        ),
        "net": ("ns.inum",),
        "tcp_sock": (
            "srtt_us", "mdev_us", "rtt_min", "snd_cwnd", "mss_cache", "total_retrans", "data_segs_out", "data_segs_in", "bytes_sent", "bytes_acked",
            "bytes_received",
        ),
        "unix_sock": ("addr", "peer"),
        "unix_address": ("len", "name"),
    },
    "URING": {
        "io_kiocb": ("opcode", "flags", "cqe.user_data", "cqe.res", "cqe.fd", "ctx", "file"),
        "io_open": ("dfd", "filename", "how.flags", "file_slot"),
        "io_close": ("fd", "file_slot"),
        "io_statx": ("dfd", "filename", "flags"),
        "io_unlink": ("dfd", "filename", "flags"),
        "io_mkdir": ("dfd", "filename", "mode"),
        "io_rename": ("old_dfd", "new_dfd", "oldpath", "newpath"),
        "io_link": ("old_dfd", "new_dfd", "oldpath", "newpath"),
        "io_rw": ("len",),
        "io_sr_msg": ("len",),
        "io_accept": ("file_slot",),
        "io_socket": ("domain", "type", "protocol", "file_slot"),
        "io_connect": ("addr", "addr_len"),
        "io_uring_sqe": ("opcode", "fd", "user_data"),
        "filename": ("name",),
    },
}
_FIELDS_OF_ARCH: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": {
        "task_struct": ("thread_info.status", "stack"),
        "pt_regs": ("di", "si", "dx", "r10", "r8", "r9", "bx", "cx", "bp", "ax", "r14", "orig_ax"),
    },
    "aarch64": {"pt_regs": ("regs", "orig_x0", "syscallno", "pstate")},
}


def _field(btf: KernelBtf, structure: str, path: str) -> Field:
    now, _, before = path.partition("|")
    try:
        return btf.field(structure, now)
    except KernelTooOld:
        if not before:
            raise
        return btf.field(structure, before)


def _structure(btf: KernelBtf, name: str, paths: tuple[str, ...]) -> str:
    fields = sorted(((_field(btf, name, path), path.partition("|")[0].replace(".", "_")) for path in paths), key=lambda pair: pair[0].offset)
    lines, checks, at = [f"struct {name} {{"], [], 0
    for field, flat in fields:
        if field.offset > at:
            lines.append(f"\tchar pad_{at}[{field.offset - at}];")
        lines.append(f"\t{field.declare % flat};")
        checks.append(f'_Static_assert(__builtin_offsetof(struct {name}, {flat}) == {field.offset}, "{name}.{flat}");')
        at = field.offset + field.size
    return "\n".join([*lines, "};", *checks])


def _stack(btf: KernelBtf, arch: str) -> str:
    """Sizes of a thread's kernel stack and of the registers at its end. The first is in no type, but x86-64's interrupt stack has it, too."""
    stack, registers = btf.size("irq_stack"), btf.size("pt_regs")
    return f"#define STACK_BYTES {stack}\n#define REGISTERS_BYTES {registers}\n" if arch == "x86_64" and stack else ""


def shapes(btf: KernelBtf, arch: str) -> str:
    """The text of shapes.h. Raises KernelTooOld, naming the field, where this kernel lacks one."""
    extra = _FIELDS_OF_ARCH[arch]
    wanted = {name: FIELDS.get(name, ()) + extra.get(name, ()) for name in {**FIELDS, **extra}}
    parts = ["#pragma once", *(_structure(btf, name, paths) for name, paths in wanted.items())]
    for group, structures in GROUPS.items():
        try:
            parts += [_structure(btf, name, paths) for name, paths in structures.items()]
            parts.append(f"#define HAVE_{group} 1")
        except KernelTooOld:
            parts.append(f"#define HAVE_{group} 0")
    return "\n".join(parts) + "\n" + _stack(btf, arch)
