"""tracer/link.py: messages, descriptors and the other side's death."""

import marshal
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tracer.link import Link, peer


@pytest.fixture(params=["of one user", "of another"])
def ends(request, monkeypatch):
    if request.param == "of another":
        monkeypatch.setattr("tracer.link.peer", lambda connection: (1, os.geteuid() + 1))
        monkeypatch.setattr("tracer.link.marshal", None)
    ours, theirs = (Link(end) for end in socket.socketpair())
    yield ours, theirs
    ours.close()
    theirs.close()


def test_messages_arrive_whole_and_in_order(ends):
    ours, theirs = ends
    sent = [{"n": n, "text": "\n\"é\udcff" * n} for n in range(50)]
    for message in sent:
        assert ours.send(message)
    assert theirs.poll() == sent
    assert theirs.poll() == []


def test_a_message_in_pieces_is_one_message():
    raw, end = socket.socketpair()
    with raw:
        link = Link(end)
        first, second = (len(packed).to_bytes(4, "little") + packed for packed in map(marshal.dumps, ({"a": 1}, {"b": 2})))
        raw.sendall(first + second[:2])
        assert link.wait(5) == {"a": 1}
        assert link.wait(0.01) is None
        assert not link.ended
        for part in second[2:6], second[6:]:
            assert not link.poll()
            raw.sendall(part)
        assert link.wait(5) == {"b": 2}
        link.close()


def test_descriptors_stay_with_their_messages(ends, tmp_path):
    ours, theirs = ends
    for name in ("one", "two"):
        with open(tmp_path / name, "w") as file:
            ours.send({"plain": name})
            ours.send({"name": name}, file.fileno())
    messages = theirs.poll()
    assert [message.get("name", message.get("plain")) for message in messages] == ["one", "one", "two", "two"]
    for message in messages[1::2]:
        assert os.readlink(f"/proc/self/fd/{message['fd']}") == str(tmp_path / message["name"])
        assert not os.get_inheritable(message["fd"])
        os.close(message["fd"])


def test_a_message_larger_than_the_socket_goes_with_its_descriptor():
    ours, theirs = socket.socketpair()
    script = "import sys; sys.path.insert(0, sys.argv[1]); import socket, os; from tracer.link import Link\n" \
             "m = Link(socket.socket(fileno=int(sys.argv[2]))).wait(10); print(len(m['words']), os.fstat(m['fd']).st_ino)"
    root = str(Path(__file__).parents[2])
    with open(__file__) as file, subprocess.Popen(
            [sys.executable, "-c", script, root, str(theirs.fileno())], pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, text=True) as reader:
        theirs.close()
        Link(ours).send({"words": ["x" * 100_000] * 20}, file.fileno())
        assert reader.communicate(timeout=20)[0].split() == ["20", str(os.stat(__file__).st_ino)]
    ours.close()


def test_what_was_said_before_death_is_heard(ends):
    ours, theirs = ends
    theirs.send({"never": "read"})
    ours.send({"is": "failed"})
    ours.close()  # with a message unread: the kernel says ECONNRESET, not end of file
    assert theirs.wait(5) == {"is": "failed"}
    assert theirs.wait(5) is None
    assert theirs.ended
    assert theirs.send({"is": "late"}) is False


def test_progress_is_dropped_rather_than_waited_for(ends):
    ours, theirs = ends
    for n in range(20_000):
        assert ours.send({"is": "progress", "n": n}, droppable=True)
    numbers = [message["n"] for message in theirs.poll()]
    assert 0 < len(numbers) < 20_000
    assert numbers == sorted(numbers)


def test_waiting_has_a_limit(ends):
    since = time.monotonic()
    assert ends[0].wait(0.05) is None
    assert 0.05 <= time.monotonic() - since < 2
    assert not ends[0].ended


def test_the_kernel_names_the_peer():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer(ours) == (os.getpid(), os.getuid())
