"""The scribe's process as the worker starts it: from bytes to blocks, and what becomes of it when things go wrong."""

from __future__ import annotations

import gzip
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brotli
import msgpack
import pytest
import zstandard

from tests.unit.plain_records import RECEIVED, SENT, Kernel, packed
from tests.unit.test_ring import SIZE, FakeKernel
from tracer.session.format import BlockKind
from tracer.stream.scribe import ScribeLink

KEY = bytes(range(32))
ORDER = {"key": KEY, "redact": True, "max_body": 262144}
TOKEN = "sk-proj-Zk3J9aQ2xV7LmN4pR8sT1uW5yB6cD0eF"
GET = b"GET /a HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n"


class Lane:
    """Perf buffers in which records wait."""

    def __init__(self, *records: bytes) -> None:
        self.records = list(records)

    def backlog(self) -> int:
        return sum(map(len, self.records))

    def read(self, limit: int) -> list[bytes]:
        taken, self.records = self.records[:limit], self.records[limit:]
        return taken


class Worker:
    """The worker's side, with what it was given to write."""

    def __init__(self, *records: bytes, ring: tuple[int, int] | None = None, **order: Any) -> None:
        self.lane = Lane(*records)
        self.put: list[tuple[str, Any]] = []
        self.link = ScribeLink(self.lane, ring, ORDER | order, lambda kind, data: self.put.append((kind, data)))  # type: ignore[arg-type]

    @property
    def pid(self) -> int:
        assert self.link._process is not None
        return self.link._process.pid

    def until(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            self.link.step()
            time.sleep(0.001)

    def finish(self) -> list[dict[str, Any]]:
        self.link.finish(lambda: None)
        return self.exchanges()

    def exchanges(self) -> list[dict[str, Any]]:
        blocks = [msgpack.unpackb(data[1], unicode_errors="surrogateescape") for kind, data in self.put
                  if kind == "packed" and data[0] == BlockKind.EXCHANGES]
        return [entry for block in blocks for entry in block["exchanges"]]

    def tls(self) -> dict[str, Any]:
        """The last facts."""
        return [data for kind, data in self.put if kind == "tls"][-1]  # type: ignore[no-any-return]

    def close(self) -> None:
        if self.link._process is not None and self.link._process.returncode is None:
            self.link._end()


@pytest.fixture
def work() -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def make(*records: bytes, **options: Any) -> Worker:
        workers.append(Worker(*records, **options))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


def answer(body: bytes, encoding: str = "identity") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s" % (encoding.encode(), len(body), body)


def talk(kernel: Kernel, sock: int, response: bytes) -> list[bytes]:
    return [kernel.plain(sock, SENT, GET), kernel.plain(sock, RECEIVED, response)]


def shaken(kernel: Kernel, data: bytes) -> list[bytes]:
    """A request in clear from a library, and the answer."""
    return [kernel.tls(9, SENT, GET), kernel.tls(9, RECEIVED, data)]


def test_records_wait_for_the_name_of_their_library(work: Callable[..., Worker]) -> None:
    """The ring is read by the scribe, names come by way of the worker, which may be busy."""
    kernel = Kernel()
    worker = work(*talk(kernel, 0x51, answer(b"first")), *shaken(kernel, answer(b"second")), *talk(kernel, 0x52, answer(b"third")))
    assert worker.link.begin() is not None
    worker.until(worker.exchanges)
    assert [entry.get("library", "") for entry in worker.exchanges()] == [""]
    worker.link.tell({"library": [1, "boringssl"]})
    worker.until(lambda: len(worker.exchanges()) == 3)
    assert [(entry["number"], entry.get("library", "")) for entry in worker.exchanges()] == [(1, ""), (2, "boringssl"), (3, "")]


def test_a_name_that_never_comes_is_not_waited_for_twice(work: Callable[..., Worker]) -> None:
    kernel = Kernel()
    worker = work()
    for number in range(5):
        worker.lane.records += [*shaken(kernel, answer(b"x" * number)), *talk(kernel, 0x60 + number, answer(b"y"))]
    began = time.monotonic()
    assert worker.link.begin() is not None
    worker.until(lambda: len(worker.exchanges()) == 10)
    assert time.monotonic() - began < 4
    assert [entry.get("library", "") for entry in worker.exchanges()] == ["unknown", ""] * 5


def test_at_the_end_nobody_waits(work: Callable[..., Worker]) -> None:
    kernel = Kernel()
    worker = work(*shaken(kernel, answer(b"second")))
    assert [(entry["library"], entry["status"]) for entry in worker.finish()] == [("unknown", 200)]


def test_from_bytes_to_blocks(work: Callable[..., Worker]) -> None:
    kernel = Kernel()
    text = b'{"answer": 42}' * 300
    worker = work()
    worker.link.tell({"library": [1, "openssl"]})
    worker.link.tell({"variables": {"MY_PASSWORD": "tr0ub4dor&3-correct"}})
    assert worker.link.begin() is None  # there is nothing to read
    for number, (packed_text, encoding) in enumerate(
            [(gzip.compress(text), "gzip"), (brotli.compress(text), "br"), (zstandard.compress(text), "zstd"), (text, "identity")]):
        worker.lane.records += talk(kernel, 0x51 + number, answer(packed_text, encoding))
    worker.lane.records += talk(kernel, 0x60, answer(b'{"name": "tr0ub4dor&3-correct", "key": "%s"}' % TOKEN.encode()))
    fd = worker.link.begin()
    assert fd is not None
    assert worker.link.begin() is None  # there is one
    found = worker.finish()
    assert (worker.link.failed, worker.link.records, worker.lane.records) == (False, 10, [])
    assert [(entry["number"], entry["sock"], entry["scheme"], entry["status"]) for entry in found] == [
        (number, sock, "http", 200) for number, sock in enumerate((0x51, 0x52, 0x53, 0x54, 0x60), 1)]
    assert [entry.get("response_length") for entry in found[:4]] == [len(text)] * 4
    assert len({entry["response_body"] for entry in found[:4]}) == 1
    written = b"".join(data[1] for kind, data in worker.put if kind == "packed")
    assert text in written
    assert TOKEN.encode() not in written
    assert b"tr0ub4dor" not in written
    assert [entry["redacted"] for entry in found] == [1, 1, 1, 1, 3]
    assert sum(worker.tls()["redacted"].values()) == 7
    assert worker.tls()["faults"] == 0
    assert worker.link.usage["cpu_s"] > 0


def test_secrets_stay_if_they_are_to(work: Callable[..., Worker]) -> None:
    worker = work(*talk(Kernel(), 3, answer(b"")), redact=False)
    [entry] = worker.finish()
    assert TOKEN in str(entry["request_headers"])
    assert "redacted" not in entry


def test_the_ring_is_read_by_the_scribe(work: Callable[..., Worker]) -> None:
    kernel, ring = Kernel(), FakeKernel()
    try:
        worker = work(b"there is something", ring=(ring.fd, SIZE))
        assert worker.link.begin() is not None
        for sock in range(1, 102):
            for raw in talk(kernel, sock, answer(b"hello")):
                while ring.written + len(raw) + 16 - ring.consumed() > SIZE:
                    worker.link.step()
                ring.send(raw)
        found = worker.finish()
    finally:
        os.close(ring.fd)
    assert [(entry["sock"], entry["status"]) for entry in found] == [(sock, 200) for sock in range(1, 102)]
    assert worker.link.records == 202
    assert worker.link.failed is False


def test_records_of_several_cpus_are_put_in_order(work: Callable[..., Worker]) -> None:
    """Each CPU has a buffer of its own, and a thread may be on one after the other."""
    kernel = Kernel()
    records = [raw for number in range(100) for raw in talk(kernel, 3, answer(b"%d" % number))]
    shuffled = list(records)
    random.Random(7).shuffle(shuffled)
    worker = work(*shuffled)
    found = worker.finish()
    assert [(entry["number"], entry.get("errors")) for entry in found] == [(number, None) for number in range(1, 101)]


def test_a_record_that_turns_up_late_comes_before_younger_ones(work: Callable[..., Worker]) -> None:
    kernel = Kernel()
    kernel.now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) + 10**12
    asked, answered = talk(kernel, 3, answer(b"x"))
    worker = work(answered)
    worker.link.begin()
    worker.until(lambda: not worker.lane.records)
    worker.lane.records.append(asked)
    assert [(entry["status"], entry["method"], entry.get("errors")) for entry in worker.finish()] == [(200, "GET", None)]


def test_hostile_records(work: Callable[..., Worker]) -> None:
    rng = random.Random(11)
    good = Kernel()
    records = [packed(rng.randbytes(rng.randrange(60)))[:rng.randrange(120)] for _ in range(500)]
    records += [rng.randbytes(rng.randrange(200)) for _ in range(500)]
    records += [packed(b"GET / HTTP/1.1\r\n", kept=kept, length=length, kind=kind, sock=9, connection=9)
                for kept in (0, 5, 17, 1 << 20, (1 << 32) - 1) for length in (0, 5, (1 << 32) - 1) for kind in range(8)]
    worker = work(*records)
    worker.link.begin()
    worker.until(lambda: not worker.lane.records)
    worker.lane.records += talk(good, 0x51, answer(b"still there"))
    found = worker.finish()
    assert worker.link.failed is False
    assert any(entry.get("sock") == 0x51 and entry.get("status") == 200 for entry in found)


def test_it_ends_with_its_worker(work: Callable[..., Worker]) -> None:
    worker = work(*talk(Kernel(), 3, answer(b"")))
    worker.link.begin()
    worker.until(worker.exchanges)
    _hang_up(worker)


def test_it_is_told_when_the_scribe_dies(work: Callable[..., Worker]) -> None:
    worker = work(*talk(Kernel(), 3, answer(b"")))
    worker.link.begin()
    worker.until(worker.exchanges)
    os.kill(worker.pid, signal.SIGKILL)
    worker.until(lambda: worker.link.failed)
    worker.link.tell({"library": [1, "openssl"]})
    worker.lane.records += talk(Kernel(), 4, answer(b""))
    worker.link.step()
    assert worker.link.begin() is None
    worker.finish()
    assert worker.link.failed is True


def _status(pid: int) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())}


def test_it_has_given_up_its_rights(work: Callable[..., Worker]) -> None:
    secret = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(secret, True)
    worker = work(*talk(Kernel(), 3, answer(b"")))
    worker.link.begin()
    worker.until(worker.exchanges)
    os.close(secret)
    status = _status(worker.pid)
    assert status["NoNewPrivs"] == "1"
    limits = Path(f"/proc/{worker.pid}/limits").read_text().splitlines()
    values = {line[:26].strip(): line[26:].split()[0] for line in limits[1:]}
    assert (values["Max file size"], values["Max core file size"], values["Max processes"]) == ("0", "0", "0")
    assert values["Max address space"] == str(512 << 20)
    if os.geteuid():
        pytest.skip("whether it becomes nobody is seen only as root")
    assert status["Uid"].split() == status["Gid"].split() == ["65534"] * 4
    assert status["Groups"] == ""
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapInh"], 16) == 0
    assert Path(f"/proc/{worker.pid}/environ").read_bytes() == b""
    assert len(os.listdir(f"/proc/{worker.pid}/fd")) == 4  # three of /dev/null, and the socket


def test_a_worker_that_does_not_read_is_waited_for(work: Callable[..., Worker]) -> None:
    """A full socket: the scribe sleeps, and goes on where it was."""
    kernel = Kernel()
    body = random.Random(3).randbytes(200_000)
    worker = work(*[raw for sock in range(1, 41) for raw in talk(kernel, sock, answer(body + b"%d" % sock))])
    worker.link.begin()
    link = worker.link
    hear, link._hear = link._hear, lambda: None  # type: ignore[method-assign]
    worker.until(lambda: _asleep_in_send(worker.pid))
    before = _cpu_ticks(worker.pid)
    for _ in range(20):
        link.step()
        time.sleep(0.01)
    assert _asleep_in_send(worker.pid)
    assert _cpu_ticks(worker.pid) - before <= 2
    link._hear = hear  # type: ignore[method-assign]
    assert len(worker.finish()) == 40
    assert link.failed is False


def test_a_worker_that_dies_while_the_socket_is_full(work: Callable[..., Worker]) -> None:
    kernel = Kernel()
    body = random.Random(3).randbytes(200_000)
    worker = work(*[raw for sock in range(1, 41) for raw in talk(kernel, sock, answer(body + b"%d" % sock))])
    worker.link.begin()
    worker.link._hear = lambda: None  # type: ignore[method-assign]
    worker.until(lambda: _asleep_in_send(worker.pid))
    _hang_up(worker)


def _hang_up(worker: Worker) -> None:
    """As when the worker dies: the scribe ends, too."""
    assert worker.link._socket is not None
    worker.link._socket.close()
    worker.link._socket = None
    _, status = os.waitpid(worker.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    worker.link._process.returncode = 1  # type: ignore[union-attr]


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _cpu_ticks(pid: int) -> int:
    return int(_stat(pid)[11]) + int(_stat(pid)[12])


def _asleep_in_send(pid: int) -> bool:
    """It sleeps, and there is something that it has sent."""
    try:
        return _stat(pid)[0] == "S" and "sock" in Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return False


def test_nothing_to_read_costs_nothing() -> None:
    """The process is asked by hand: without a first message it waits, with an empty ring it hardly wakes."""
    ours, theirs = socket.socketpair()
    code = f"import sys; sys.path.insert(0, {os.getcwd()!r}); from tracer.scribe.main import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-I", "-c", code, str(theirs.fileno())], pass_fds=[theirs.fileno()], env={})
    theirs.close()
    with ours:
        ours.sendall(msgpack.packb(ORDER | {"ring": None}))
        ours.sendall(msgpack.packb({"nonsense": [1]}) + msgpack.packb({"library": ["x", 7]}) + msgpack.packb({"records": []}))
        unpacker = msgpack.Unpacker(strict_map_key=False)
        told: list[dict[str, Any]] = []
        while not any("tls" in message for message in told):
            assert select.select([ours], [], [], 60)[0]
            unpacker.feed(ours.recv(1 << 16))
            told += list(unpacker)
        assert [set(message) for message in told] == [{"tls", "records"}]
        assert told[0]["records"] == 0
        before = _cpu_ticks(process.pid)
        assert select.select([ours], [], [], 60)[0]
        assert _cpu_ticks(process.pid) - before <= 20
        ours.sendall(msgpack.packb({"end": True}))
        while not any("done" in message for message in told):
            unpacker.feed(ours.recv(1 << 16))
            told += list(unpacker)
        assert process.wait(60) == 0
