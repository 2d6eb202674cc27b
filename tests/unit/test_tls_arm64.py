"""arm64: the same rules on made-up code, word by word."""

import struct

import pytest

from tests.unit.tls_elf import CODE, TEXTS, made_up
from tracer.tls.elf import Elf
from tracer.tls.search import search
from tracer.tls.text import calls_into, references

RET, NOP, BRK = 0xD65F03C0, 0xD503201F, 0xD4200000
FILE = b"../ssl/ssl_lib.cc\0"


def bl(at: int, to: int) -> int:
    return 0x94000000 | (to - at >> 2) & 0x3FFFFFF


def mov(register: int, value: int) -> int:
    return 0x52800000 | value << 5 | register


def adrp(register: int, at: int, to: int) -> int:
    page = (to >> 12) - (at >> 12)
    return 0x90000000 | (page & 3) << 29 | (page >> 2 & 0x7FFFF) << 5 | register


def add(register: int, value: int) -> int:
    return 0x91000000 | value << 10 | register << 5 | register


def cbz(at: int, to: int) -> int:
    return 0xB4000000 | (to - at >> 2 & 0x7FFFF) << 5


STORE = 0xF9000001  # str x1, [x0]


class Assembler:
    def __init__(self) -> None:
        self.words: list[int] = []

    @property
    def at(self) -> int:
        return CODE + 4 * len(self.words)

    def put(self, *words: int) -> None:
        self.words += words

    def site(self, reason: int, text: int) -> None:
        """put_error(16, 0, reason, file, line)"""
        self.put(mov(0, 16), mov(2, reason), mov(4, 999))
        self.put(adrp(3, self.at, text), NOP, add(3, text & 0xFFF), bl(self.at + 12, CODE))

    def data(self) -> bytes:
        return struct.pack(f"<{len(self.words)}I", *self.words)


@pytest.mark.parametrize("inlined", [False, True])
def test_boringssl(tmp_path, inlined):
    texts = b"x\0" * 100 + b"\0" + FILE
    text = TEXTS + 201
    code = Assembler()
    code.put(RET, NOP)  # put_error
    impl = code.at
    code.site(226, text)
    code.site(215, text)
    code.put(RET)
    read = code.at
    code.put(cbz(code.at, code.at + 16), bl(code.at + 4, impl), STORE if inlined else NOP, RET)
    code.site(66, text)
    code.put(RET)
    peek = read
    if not inlined:  # what stands there is SSL_peek; this is SSL_read
        read = code.at
        code.put(bl(code.at, peek), STORE, RET)
    write = code.at
    for reason in (66, 226, 215, 111):
        code.site(reason, text)
    code.put(NOP, RET)
    code.put(bl(code.at, read), bl(code.at + 4, write), bl(code.at + 8, impl), bl(code.at + 12, peek), RET)
    path = tmp_path / "program"
    data = made_up(code.data(), texts, machine=183)
    path.write_bytes(data)
    found = search(str(path))
    start = len(data) - len(code.data()) - CODE
    assert (found.library, found.note) == ("boringssl", "")
    assert {function.role: function.entry - start for function in found.functions} == {"read": read, "write": write}
    for function in found.functions:
        assert function.returns
        assert all(data[offset : offset + 4] == struct.pack("<I", RET) for offset in function.returns)


@pytest.mark.parametrize("distance", [1, 2, 3, 4])
@pytest.mark.parametrize("place", [0, 0xFF8, 0x1238])
def test_pairs_of_instructions_that_name_an_address(tmp_path, distance, place):
    code = Assembler()
    code.put(NOP, NOP, adrp(5, CODE + 8, TEXTS + place), *[NOP] * (distance - 1), add(5, TEXTS + place & 0xFFF), RET, NOP, NOP, NOP)
    path = tmp_path / "program"
    path.write_bytes(made_up(code.data(), bytes(0x2000), machine=183))
    with open(path, "rb") as file:
        elf = Elf(file.fileno())
        assert references(elf, [TEXTS + place, TEXTS + place + 4]) == [CODE + 8 + 4 * distance]
        assert references(elf, [TEXTS + place + 8]) == []


def test_calls_forwards_and_backwards(tmp_path):
    code = Assembler()
    code.put(NOP, bl(CODE + 4, CODE), bl(CODE + 8, CODE + 20), NOP, NOP, RET, NOP)
    path = tmp_path / "program"
    path.write_bytes(made_up(code.data(), b"x", machine=183))
    with open(path, "rb") as file:
        sources, targets = calls_into(Elf(file.fileno()), CODE, CODE + 24)
    assert sources.tolist() == [CODE + 4, CODE + 8]
    assert targets.tolist() == [CODE, CODE + 20]
