"""The kernel's own types, as its own tools or facts that never change tell them."""

from __future__ import annotations

import pytest

from tracer.errors import KernelTooOld
from tracer.kernel.btf import KernelBtf


@pytest.fixture(scope="module")
def btf() -> KernelBtf:
    return KernelBtf()


def test_what_is_there_is_found_each_time(btf: KernelBtf) -> None:
    for _ in range(2):
        assert btf.tracepoint("sys_enter")
        assert btf.arguments("sys_enter") == 2  # struct pt_regs *, long
        assert btf.first_tracepoint("no_such_point|sys_exit") == "sys_exit"
        assert btf.function("bpf_iter_task")
        assert btf.structure("task_struct") != btf.structure("file")


def test_what_is_not_there_is_not_found_each_time(btf: KernelBtf) -> None:
    for _ in range(2):
        assert btf.tracepoint("no_such_point") is None
        assert btf.first_tracepoint("no_such_point|nor_this") is None
        assert btf.arguments("no_such_point") == 0
        assert btf.function("no_such_function") is None
        assert btf.structure("no_such_structure") is None
        assert btf.size("no_such_structure") is None
        with pytest.raises(KernelTooOld, match="no field pid in struct no_such_structure"):
            btf.field("no_such_structure", "pid")
        with pytest.raises(KernelTooOld, match="no field no_such_field in struct task_struct"):
            btf.field("task_struct", "no_such_field")


def test_fields_lie_where_the_uapi_says(btf: KernelBtf) -> None:
    """struct sockaddr_in and struct iovec are the same for every kernel and program."""
    lies = {path: (field.offset, field.size) for path in ("sin_family", "sin_port", "sin_addr") for field in [btf.field("sockaddr_in", path)]}
    assert lies == {"sin_family": (0, 2), "sin_port": (2, 2), "sin_addr": (4, 4)}
    assert btf.field("sockaddr_in", "sin_addr.s_addr").offset == 4
    assert (btf.field("iovec", "iov_base").offset, btf.field("iovec", "iov_len").offset) == (0, 8)


def test_fields_of_nameless_parts_are_fields_of_the_whole(btf: KernelBtf) -> None:
    """struct page is a word and unions of structures, none of which has a name."""
    word = btf.field("page", "flags").size
    assert (btf.field("page", "flags").offset, btf.field("page", "lru").offset) == (0, word)
    assert btf.field("page", "mapping").offset >= word
    assert btf.field("page", "lru.next").offset == btf.field("page", "lru").offset
