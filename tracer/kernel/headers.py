"""The handful of header files that BCC insists on, in place of a kernel's 60 MB of headers.

BCC forces ``-include ./include/linux/kconfig.h`` and its helpers.h includes the rest. It carries its own copy of the UAPI
bpf.h, so the one here has to be empty.
"""

from __future__ import annotations

import pathlib

__all__ = ("write_headers",)

_TYPES = """#pragma once
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
typedef signed char s8; typedef short s16; typedef int s32; typedef long long s64;
typedef u8 __u8; typedef u16 __u16; typedef u32 __u32; typedef u64 __u64;
typedef s8 __s8; typedef s16 __s16; typedef s32 __s32; typedef s64 __s64;
typedef u16 __le16, __be16, __sum16; typedef u32 __be32, __wsum; typedef u64 __be64;
typedef unsigned long size_t, uintptr_t; typedef _Bool bool; typedef int pid_t;
#define __aligned_u64 __u64 __attribute__((aligned(8)))
"""
_HEADERS = {
    "include/linux/kconfig.h": "#define CONFIG_BPF_SYSCALL 1\n",
    "include/linux/types.h": _TYPES,
    "include/linux/version.h": "#define KERNEL_VERSION(a,b,c) (((a)<<16)+((b)<<8)+(c))\n#define LINUX_VERSION_CODE 0\n",
    "include/linux/bpf_common.h": "",
    "include/linux/log2.h": "",
    "include/asm/page.h": "#define PAGE_SIZE 4096\n",
    "include/uapi/linux/bpf.h": "",
    "include/uapi/linux/if_packet.h": "#include <linux/types.h>\n",
    "include/uapi/linux/ptrace.h": "#pragma once\nstruct pt_regs;\n",
}


def write_headers(folder: pathlib.Path, shapes: str) -> None:
    """Fills ``folder`` so that BCC takes it for a kernel source tree (BCC_KERNEL_SOURCE)."""
    for name, text in (_HEADERS | {"include/shapes.h": shapes}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
