"""ELF files that lie: whatever is in them, the answer is a `Found`, soon, and within little memory."""

import os
import struct
import subprocess
import tempfile
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.tls_programs import BORING, KINDS, PEEKS, build, headless
from tracer.tls.cache import keep
from tracer.tls.elf import BadElf, Elf, find
from tracer.tls.found import Found, nothing
from tracer.tls.quick import quick
from tracer.tls.search import search

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def library() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.so")
        source = b"int SSL_read(int a) { return a; } int SSL_write(int a) { return a; }"
        subprocess.run(["gcc", "-x", "c", "-fPIC", "-shared", "-Wl,--build-id=0x1122334455667788", "-o", path, "-"], input=source, check=True)
        with open(path, "rb") as file:
            return file.read()


LIBRARY = library()
PROGRAM = build(BORING, *PEEKS["apart"], *KINDS["no unwinding"])[0]
FILES = {"library": LIBRARY, "program": PROGRAM, "unwound": build(BORING, *PEEKS["inside"], *KINDS["pie"])[0]}


def both(data: bytes) -> tuple[Found | None, Found]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return quick(file.name), search(file.name)


def changed(data: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    whole = bytearray(data)
    for at, new in changes:
        at %= len(whole)
        whole[at : at + len(new)] = new[: len(whole) - at]
    return bytes(whole)


numbers = st.sampled_from([0, 1, 0x7F, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
words = st.one_of(st.binary(min_size=1, max_size=8), numbers.map(lambda number: struct.pack("<Q", number)))


@FUZZ
@given(st.sampled_from(sorted(FILES)), st.lists(st.tuples(st.integers(0, 1 << 20), words), max_size=12), st.booleans())
def test_changed_anywhere(name, changes, cut):
    both(changed(headless(FILES[name]) if cut else FILES[name], changes))


@FUZZ
@given(st.sampled_from(sorted(FILES)), st.lists(st.tuples(st.integers(16, 900), words), min_size=1, max_size=6))
def test_changed_in_the_headers(name, changes):
    both(changed(FILES[name], changes))


@FUZZ
@given(st.sampled_from(sorted(FILES)), st.integers(0, 20000))
def test_cut_short(name, length):
    both(FILES[name][:length])


@FUZZ
@given(st.binary(max_size=300))
def test_anything_behind_the_magic(data):
    both(b"\x7fELF\x02\x01" + data)


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n" * 9, "not an ELF file"),
        (b"\x7fELF", "a truncated ELF file"),
        (b"\x7fELF\x01\x01" + bytes(60), "not a 64-bit little-endian program"),
        (LIBRARY[:18] + b"\xf3\0" + LIBRARY[20:], "a program for another machine (ELF machine 243)"),
        (LIBRARY[:16] + b"\x01\0" + LIBRARY[18:], "neither a program nor a library"),
    ],
)
def test_what_is_wrong_is_said(data, note):
    assert both(data) == (nothing(note), nothing(note))


def test_a_table_that_claims_everything_costs_little():
    data = bytearray(LIBRARY)
    shoff, count = struct.unpack_from("<Q", data, 40)[0], struct.unpack_from("<H", data, 60)[0]
    for number in range(count):
        struct.pack_into("<QQ", data, shoff + number * 64 + 24, 0, 1 << 62)
    tracemalloc.start()
    both(bytes(data))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_huge_hole_is_not_read_into_memory(tmp_path):
    path = tmp_path / "hole"
    path.write_bytes(headless(PROGRAM))
    with open(path, "r+b") as file:
        offset, count = struct.unpack_from("<Q", PROGRAM, 32)[0], struct.unpack_from("<H", PROGRAM, 56)[0]
        for number in range(count):
            file.seek(offset + number * 56 + 32)
            file.write(struct.pack("<Q", 64 << 20))
        file.truncate(64 << 20)
    tracemalloc.start()
    quick(str(path))
    search(str(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 24 << 20


def test_code_that_never_ends():
    """A jump to itself, and a program of nothing but nops."""
    for code in (b"\xeb\xfe", b"\x90" * 4000, b"\xe8\0\0\0\0" * 800, b"\x0f\x85\0\0\0\0" * 700):
        at = LIBRARY.find(b"\xf3\x0f\x1e\xfa\x55") if b"\xf3\x0f\x1e\xfa\x55" in LIBRARY else LIBRARY.find(b"\x55\x48\x89\xe5")
        both(LIBRARY[:at] + code + LIBRARY[at + len(code) :])


def test_the_build_id_and_places(tmp_path):
    path = tmp_path / "x.so"
    path.write_bytes(LIBRARY)
    with open(path, "rb") as file:
        elf = Elf(file.fileno())
        assert elf.build_id() == "1122334455667788"
        for segment in elf.loads:
            assert elf.address(segment.offset) == segment.address
            assert elf.offset(segment.address) == segment.offset
            assert elf.offset(segment.address + segment.size - 1) == segment.offset + segment.size - 1
        assert elf.offset(1 << 60) is None
        assert elf.at(1 << 60, 8) == b""


def test_a_file_that_shrinks_meanwhile(tmp_path):
    path = tmp_path / "x.so"
    path.write_bytes(LIBRARY)
    with open(path, "r+b") as file:
        elf = Elf(file.fileno())
        file.truncate(100)
        assert elf.build_id() == ""
        assert list(find(elf, [b"SSL_read"], [(0, 1 << 40)])) == []
        with pytest.raises(BadElf):
            Elf(os.open(os.devnull, os.O_RDONLY))


def test_nothing_is_kept_of_what_is_no_elf(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"text")
    with open(path, "rb") as file:
        keep(file.fileno(), nothing("x"), str(tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()
