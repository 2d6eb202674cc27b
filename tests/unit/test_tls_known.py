"""What is remembered of files that were looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tracer.kernel.image import read_trusted, write_trusted
from tracer.tls import known as module
from tracer.tls.found import Found, Function, nothing
from tracer.tls.known import Known

LIBRARY = Found("openssl", "3", "symbols", (Function("read", 64), Function("write", 128, (160, 192))))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Opens a file of this name, with something in it."""
    fds: list[int] = []

    def open_it(name: str) -> int:
        path = tmp_path / name
        if not path.exists():
            path.write_text(name)
        fds.append(os.open(path, os.O_RDONLY))
        return fds[-1]

    yield open_it
    for fd in fds:
        os.close(fd)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "cache")


def remembered(folder: str, *, returns: bool = False) -> Known:
    return Known(returns=returns, folder=folder)


def test_it_is_there_the_next_time(opened: Callable[[str], int], folder: str) -> None:
    first = remembered(folder)
    assert first.get(opened("libssl.so")) is None
    first.add(opened("libssl.so"), LIBRARY)
    first.add(opened("libm.so"), nothing())
    first.add(opened("odd.so"), nothing("the search for TLS functions failed"))
    assert first.get(opened("libssl.so")) == LIBRARY
    first.save()
    second = remembered(folder)
    assert second.get(opened("libssl.so")) == LIBRARY
    assert second.get(opened("libm.so")) == nothing()
    assert second.get(opened("odd.so")) is None  # it may not fail the next time
    assert second.get(opened("libc.so")) is None
    assert remembered(folder, returns=True).get(opened("libssl.so")) is None  # without its ways out it is not what is asked for


def test_a_file_that_was_changed_is_another_one(opened: Callable[[str], int], folder: str, tmp_path: Path) -> None:
    memory = remembered(folder)
    memory.add(opened("libssl.so"), LIBRARY)
    before = os.stat(tmp_path / "libssl.so")
    with open(tmp_path / "libssl.so", "r+") as file:
        file.write("L")
    os.utime(tmp_path / "libssl.so", ns=(before.st_atime_ns, before.st_mtime_ns))  # as somebody would who wants to be taken for the other
    assert memory.get(opened("libssl.so")) is None


def test_nothing_new_is_nothing_to_write(folder: str) -> None:
    remembered(folder).save()
    assert not os.path.exists(folder)


def test_the_oldest_go(opened: Callable[[str], int], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 3)
    memory = remembered(folder)
    for name in "abcde":
        memory.add(opened(name), LIBRARY)
    memory.save()
    assert [remembered(folder).get(opened(name)) is not None for name in "abcde"] == [False, False, True, True, True]


@pytest.mark.parametrize("forge", [
    lambda value: value | {"identity": "of another version"},
    lambda value: value | {"files": dict.fromkeys(value["files"], 7)},
    lambda value: value | {"files": {name: what | {"functions": [["read", -1, []]]} for name, what in value["files"].items()}},
    lambda value: {"identity": value["identity"]},
    lambda value: value | {"files": [1, 2]},
])
def test_what_it_did_not_write_itself_is_not_believed(
        forge: Callable[[dict[str, object]], dict[str, object]], opened: Callable[[str], int], folder: str) -> None:
    memory = remembered(folder)
    memory.add(opened("libssl.so"), LIBRARY)
    memory.save()
    path = os.path.join(folder, "files.known")
    value = read_trusted(path, memory._identity)
    assert value is not None
    write_trusted(path, forge(value))
    assert remembered(folder).get(opened("libssl.so")) is None
