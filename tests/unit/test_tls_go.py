"""crypto/tls in Go programs, by the function table of each of its four forms."""

import os
import shutil
import struct
import subprocess

import pytest

from tests.unit.tls_elf import CODE, TEXTS, made_up
from tests.unit.tls_programs import headless
from tracer.tls.elf import Elf
from tracer.tls.found import Found
from tracer.tls.quick import quick
from tracer.tls.search import search

CHECK = b"\x49\x3b\x66\x10"  # cmp rsp, [r14 + 16]
FUNCTIONS = {
    "runtime.text": b"\xc3",
    "crypto/tls.(*Conn).Write": CHECK + b"\x76\x03\x90\x90\xc3\xe8\0\0\0\0\xeb\xf0",  # jbe +3; nop; nop; ret; call; jmp to the start
    "crypto/tls.(*Conn).Read": CHECK + b"\x90\xc3\x90\xc3",  # what stands behind a return is reached after a panic
    "crypto/tls.(*Conn).ReadFrom": b"\xc3",
}
PLACES = (0, 32, 64, 96)


def pclntab(magic: int, *, quantum: int = 1, text: int | None = CODE) -> bytes:
    names, records, rows = b"", b"", []
    old = magic in (0xFFFFFFFB, 0xFFFFFFFA)
    count = len(FUNCTIONS)
    words = {0xFFFFFFFB: 1, 0xFFFFFFFA: 7}.get(magic, 8)
    width = 8 if old else 4
    base = 8 + words * 8
    sizes = sum(len(name) + 1 for name in FUNCTIONS) + 1
    names_at, table_at = base, base + (sizes + 7 & ~7)
    if magic == 0xFFFFFFFB:
        table_at, names_at = 16, 16 + (2 * count + 1) * 8 + count * 16
    origin = 0 if magic == 0xFFFFFFFB else table_at
    name_origin = 0 if magic == 0xFFFFFFFB else names_at
    names = b"\0"
    first = table_at - origin + (2 * count + 1) * width
    for place, name in zip(PLACES, FUNCTIONS):
        start = place + (CODE if old else 0)
        rows += [start, first + len(records)]
        records += struct.pack("<Q" if old else "<I", start) + struct.pack("<I", names_at - name_origin + len(names))
        records += bytes(4 if old else 8)
        names += name.encode() + b"\0"
    rows.append(128 + (CODE if old else 0))
    table = struct.pack(f"<{len(rows)}{'Q' if old else 'I'}", *rows) + records
    header = struct.pack("<IHBB", magic, 0, quantum, 8) + struct.pack("<Q", count)
    if magic == 0xFFFFFFFB:
        return header + table + names
    header += struct.pack("<Q", 0)
    if not old:
        header += struct.pack("<Q", CODE if text is None else text)
    end = names_at + len(names)
    header += struct.pack("<5Q", names_at, end, end, end, table_at)
    return header + names.ljust(table_at - base, b"\0") + table


def program(magic: int, **options) -> bytes:
    code = b"".join(code.ljust(32, b"\xcc") for code in FUNCTIONS.values())
    info = b"\xff Go buildinf:\x08\x02" + bytes(16) + b"\x08go1.99.3"
    return made_up(code, info.ljust(64, b"\0") + pclntab(magic, **options), relocatable=False)


def found_in(tmp_path, data: bytes) -> Found:
    path = tmp_path / "program"
    path.write_bytes(data)
    return search(str(path))


@pytest.mark.parametrize("magic", [0xFFFFFFFB, 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1], ids=["1.2", "1.16", "1.18", "1.20"])
def test_every_form_of_the_table(tmp_path, magic):
    data = program(magic)
    found = found_in(tmp_path, data)
    assert (found.library, found.how, found.version, found.note) == ("go", "pclntab", "go1.99.3", "")
    code = len(data) - 128
    functions = {function.role: (function.entry - code, [offset - code for offset in function.returns]) for function in found.functions}
    assert functions == {"go_read": (64, [69, 71]), "go_write": (32, [40])}


@pytest.mark.parametrize("text", [0, 0x7777], ids=["nothing", "something wrong"])
def test_where_code_starts_may_be_left_to_the_loader(tmp_path, text):
    data = program(0xFFFFFFF1, text=text)
    assert [function.entry - (len(data) - 128) for function in found_in(tmp_path, data).functions] == [64, 32]


def test_a_program_without_crypto_tls(tmp_path):
    found = found_in(tmp_path, program(0xFFFFFFF1).replace(b"crypto/tls", b"crypto/xxx"))
    assert found == Found("", note="a Go program without crypto/tls")


@pytest.mark.parametrize("at", range(8, 80, 4))
def test_a_table_that_lies(tmp_path, at):
    data = bytearray(program(0xFFFFFFF1))
    start = data.find(b"\xf1\xff\xff\xff")
    for value in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"):
        data[start + at : start + at + 4] = value
        assert found_in(tmp_path, bytes(data)).library in ("", "go")


@pytest.fixture(scope="module")
def go_program(tmp_path_factory):
    if not shutil.which("go"):
        pytest.skip("needs the Go compiler")
    folder = tmp_path_factory.mktemp("go")
    (folder / "go.mod").write_text("module x\n")
    (folder / "main.go").write_text(
        'package main\nimport "crypto/tls"\nfunc main() { c, err := tls.Dial("tcp", "", nil); if err == nil { c.Read(nil); c.Write(nil) } }\n'
    )
    environment = os.environ | {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "CGO_ENABLED": "0", "GOCACHE": str(folder / "cache")}

    def build(*options: str) -> str:
        subprocess.run(["go", "build", "-o", "program", *options, "."], cwd=folder, env=environment, check=True)
        return str(folder / "program")

    return build


@pytest.mark.slow
def test_real_programs(go_program, tmp_path):
    path = go_program()
    assert quick(path) is None
    found = search(path)
    names = subprocess.run(["nm", path], capture_output=True, check=True).stdout.decode().splitlines()
    wanted = {row.split(" ", 2)[2]: int(row.split()[0], 16) for row in names if row[17:18] in "Tt" and row[:1] == "0"}
    with open(path, "rb") as file:
        elf = Elf(file.fileno())
        assert [elf.address(function.entry) for function in found.functions] == [wanted[f"crypto/tls.(*Conn).{name}"] for name in ("Read", "Write")]
    assert all(len(function.returns) > 2 for function in found.functions)
    stripped = go_program("-ldflags=-s -w")
    with open(stripped, "rb") as file:
        data = file.read()
    assert [function.role for function in search(stripped).functions] == ["go_read", "go_write"]
    assert found_in(tmp_path, headless(data)) == search(stripped)
    assert TEXTS < CODE
