"""The cache of images: what it keeps, whose files it believes, and where programs are filled in."""

from __future__ import annotations

import marshal
import os
import struct
import zlib
from pathlib import Path

import pytest

from tracer.errors import HostError
from tracer.kernel import image as module
from tracer.kernel.blanks import blanks, calling, filled
from tracer.kernel.image import read_trusted, write_trusted

VALUE = {"identity": "this kernel", "programs": {"on_exit": bytes(range(256))}, "blanks": {"on_exit": ((4, 20), [])}, "ns": 0.5, "none": None}
NUMBER = 0x65627472616365AB


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = str(tmp_path / "cache" / "full.image")
    write_trusted(path, VALUE)
    return path


def test_what_was_written_is_read(path: str) -> None:
    assert read_trusted(path, "this kernel") == VALUE
    assert os.listdir(os.path.dirname(path)) == ["full.image"]


def test_what_is_of_another_kernel_is_not(path: str) -> None:
    assert read_trusted(path, "another kernel") is None


def test_what_another_python_wrote_does_not_get_as_far_as_marshal(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BEGIN", zlib.crc32(b"cpython-399"))
    monkeypatch.setattr(marshal, "loads", lambda _: pytest.fail("it was believed"))
    assert read_trusted(path, "this kernel") is None


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o602])
@pytest.mark.parametrize("which", ["folder", "file"])
def test_what_others_can_get_at_is_not_believed(path: str, which: str, mode: int) -> None:
    os.chmod(path if which == "file" else os.path.dirname(path), mode | 0o100)
    assert read_trusted(path, "this kernel") is None


def test_what_a_link_leads_to_is_not_believed(path: str, tmp_path: Path) -> None:
    os.rename(path, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path)
    assert read_trusted(path, "this kernel") is None


@pytest.mark.parametrize("stored", [b"", b"\0", b"\0" * 4, b"{}", marshal.dumps(VALUE)])
def test_what_is_damaged_is_not_there(path: str, stored: bytes) -> None:
    Path(path).write_bytes(stored)
    assert read_trusted(path, "this kernel") is None


@pytest.mark.parametrize("stored", [b"", b"{", marshal.dumps(VALUE)[:-9], b"?" * 40, marshal.dumps([1]), marshal.dumps({"other": 1})])
def test_nor_what_was_written_damaged(path: str, stored: bytes) -> None:
    Path(path).write_bytes(zlib.crc32(stored, module._BEGIN).to_bytes(4, "little") + stored)
    assert read_trusted(path, "this kernel") is None


def test_a_folder_of_others_is_not_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    write_trusted(str(tmp_path / "full.image"), VALUE)
    assert list(tmp_path.iterdir()) == []


def wide(number: int, registers: int = 0x02) -> bytes:
    """ld_imm64; the registers are source << 4 | destination."""
    return struct.pack("<BBHI4xI", 0x18, registers, 0, number & 0xFFFFFFFF, number >> 32)


def test_the_oldest_make_room_for_new_ones(path: str) -> None:
    folder = Path(path).parent
    write_trusted(str(folder / "kept.cost"), VALUE)
    for age in range(7, 0, -1):
        write_trusted(str(folder / f"{age}.image"), VALUE)
        os.utime(folder / f"{age}.image", ns=(0, 10**18 - age))
    write_trusted(str(folder / "new.image"), VALUE, 4)
    assert sorted(os.listdir(folder)) == ["1.image", "2.image", "full.image", "kept.cost", "new.image"]


def test_programs_are_filled_in() -> None:
    move = struct.pack("<BBhi", 0xB7, 0, 0, 0x18)
    inner = wide(0x1118 << 32 | 0x1118)  # a number, whatever it looks like
    code = wide(7, 0x11) + move + inner + wide(NUMBER) + wide(NUMBER + 1) + wide(3, 0x12) + move
    places = blanks(code)
    assert places == ([4, 76], [44])
    ready = filled(code, places, {3: 1000, 7: 5}, 0x1122334455)
    assert ready == wide(5, 0x11) + move + inner + wide(0x1122334455) + wide(NUMBER + 1) + wide(1000, 0x12) + move
    assert filled(move, ((), ()), {}) == move


def test_what_looks_like_a_helper_becomes_one_of_the_kernels_functions() -> None:
    def call(source: int, number: int) -> bytes:
        return struct.pack("<BBhi", 0x85, source << 4, 0, number)

    wide = struct.pack("<BBhiBBhi", 0x18, 2, 0, 113, 0, 0, 0, 65504)
    assert calling(wide + call(0, 65504) + call(0, 113) + call(0, 65504), 65504) == wide + call(2, 65504) + call(0, 113) + call(2, 65504)


def _refuses(mode: str, transport: str) -> dict[str, str]:
    os.system("echo clang says something")
    return {"message": "no type information", "remedy": "another kernel"}


def _breaks(mode: str, transport: str) -> None:
    raise RuntimeError("of its own")


def _dies(mode: str, transport: str) -> None:
    os.kill(os.getpid(), 9)


@pytest.mark.parametrize(("main", "told"), [
    (_refuses, ("clang says something\nno type information", "another kernel")),
    (_breaks, ("compiling the probes failed: RuntimeError: of its own", None)),
    (_dies, ("compiling the probes failed: the compiler ended without a word", None)),
])
def test_what_kept_the_compiler_is_told(main: object, told: tuple[str, str | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tracer.kernel.build.main", main)
    monkeypatch.setattr(module, "cache_folder", lambda: str(tmp_path))
    with pytest.raises(HostError) as refused:
        module.image("full", "ring")
    assert (refused.value.message, refused.value.remedy) == (told[0], told[1] or HostError.default_remedy)
    assert os.listdir(tmp_path) == []


def test_what_was_compiled_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def makes(mode: str, transport: str) -> dict[str, object]:
        print("a library prints something")
        return {"mode": mode, "transport": transport, "programs": {"on_exit": bytes(1 << 20)}}

    monkeypatch.setattr("tracer.kernel.build.main", makes)
    monkeypatch.setattr(module, "cache_folder", lambda: str(tmp_path / "cache"))
    first, again = module.image("full", "ring"), module.image("full", "ring")
    assert (first[1], again[1]) == (False, True)
    assert first[0] == again[0]
    assert first[0]["programs"] == {"on_exit": bytes(1 << 20)}
