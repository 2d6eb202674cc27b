"""What became of each socket, from the records of the kernel's sockets: its ends, its life, and TCP's own figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from report.addresses import AF_UNIX, endpoint, protocol_name, unix_name
from report.strings import Strings
from report.types import Columns
from tracer.kinds import SocketKind
from tracer.records import SYSNO_LIMIT

__all__ = ("STATES", "SockStory", "label", "stories_of")

# include/net/tcp_states.h
STATES = {1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT", 7: "CLOSE", 8: "CLOSE_WAIT",
          9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "NEW_SYN_RECV"}
_ESTABLISHED, _SYN_SENT, _CLOSE, _LISTEN = 1, 2, 7, 10
_TCP = 6
_INET = (2, 10)
_EINPROGRESS = -115
_FIELDS = ("at_ns", "kind", "sock", "fd", "call", "result", "family", "type", "protocol", "local_port", "remote_port", "old_state", "new_state",
           "name_id", "peer_name_id", "srtt_us", "rttvar_us", "min_rtt_us", "retransmits", "proc", "bytes_sent", "segments_out", "segments_in")


@dataclass(slots=True)
class SockStory:
    """One socket. Times: CLOCK_MONOTONIC, ns; None is what was not seen."""

    family: int = 0
    type: int = 0
    protocol: int = 0
    local: str = ""
    remote: str = ""
    fd: int = -1
    proc: int = 0
    direction: str | None = None  # out, in, listen
    opened_ns: int | None = None
    connecting_ns: int | None = None
    connected_ns: int | None = None
    closed_ns: int | None = None
    state: int = 0  # of TCP: the last
    error: int = 0  # errno with which connect(2) failed
    rtt_us: int = 0  # smoothed; and its mean deviation, and the least; 0: not measured
    rtt_var_us: int = 0
    min_rtt_us: int = 0
    retransmits: int = 0  # segments sent again during the trace
    resets_sent: int = 0
    resets_received: int = 0
    wire_bytes: int = 0  # TCP: sent during the trace, those that were sent again among them
    segments_out: int = 0
    segments_in: int = 0

    @property
    def is_tcp(self) -> bool:
        """Whether the kernel keeps figures of it."""
        return self.family in _INET and self.protocol == _TCP


def label(story: SockStory) -> str:
    """A socket in a few words: tcp 192.0.2.1:40000->198.51.100.7:443."""
    ends = f"{story.local}->{story.remote}" if story.remote else story.local
    return f"{protocol_name(story.family, story.type, story.protocol)} {ends}".rstrip() + (" (listening)" if story.direction == "listen" else "")


def stories_of(sockets: Columns, strings: Strings, calls: Mapping[int, str]) -> dict[int, SockStory]:
    """The stories, by rec_socket.sock. ``sockets`` is in the order of time; ``calls`` are the names of calls by number."""
    stories: dict[int, SockStory] = {}
    if not sockets:
        return stories
    bases: dict[int, tuple[int, ...]] = {}
    ends = zip(map(bytes, sockets["local"]), map(bytes, sockets["remote"]), strict=True)
    for values, (local, remote) in zip(zip(*(sockets[name].tolist() for name in _FIELDS), strict=True), ends, strict=True):
        row = dict(zip(_FIELDS, values, strict=True))
        if not row["sock"]:
            continue
        story = stories.get(row["sock"])
        if story is None:
            story = stories[row["sock"]] = SockStory()
        _tell(story, row, calls)
        _ends(story, row, local, remote, strings)
        if story.is_tcp:
            _figures(story, row, bases)
    return stories


def _tell(story: SockStory, row: dict[str, int], calls: Mapping[int, str]) -> None:
    kind = row["kind"]
    story.family, story.type, story.protocol = row["family"] or story.family, row["type"] or story.type, row["protocol"] or story.protocol
    story.proc = story.proc or row["proc"]
    if row["fd"] >= 0:
        story.fd = row["fd"]
    if kind == SocketKind.BOUND:
        call = calls.get(row["call"], "").removeprefix("io_uring:")
        if row["call"] != SYSNO_LIMIT and story.opened_ns is None and call in ("socket", "socketpair", "accept", "accept4"):
            story.opened_ns = row["at_ns"]
        if call.startswith("accept"):
            story.direction, story.connected_ns = "in", story.connected_ns or row["at_ns"]
        elif call == "connect":
            story.direction = "out"
            story.error = -row["result"] if row["result"] < 0 and row["result"] != _EINPROGRESS else 0
        elif call == "listen":
            story.direction = "listen"
    elif kind == SocketKind.RESET_SENT:
        story.resets_sent += 1
    elif kind == SocketKind.RESET_RECEIVED:
        story.resets_received += 1
    elif kind == SocketKind.ENDED:
        story.closed_ns = story.closed_ns or row["at_ns"]
    if not story.is_tcp:
        return
    if kind == SocketKind.STATE:
        _turn(story, row)
    story.state = row["new_state"] or story.state
    if story.state == _LISTEN:
        story.direction = "listen"


def _turn(story: SockStory, row: dict[str, int]) -> None:
    """TCP went from one state to another."""
    at, now = row["at_ns"], row["new_state"]
    if now == _SYN_SENT:
        story.direction, story.connecting_ns, story.closed_ns = "out", at, None
    elif now == _ESTABLISHED:
        story.connected_ns = at
    elif now == _CLOSE and row["old_state"] != _SYN_SENT:
        story.closed_ns = at
    elif now == _CLOSE:
        story.closed_ns = None  # it was refused; the socket may try again


def _ends(story: SockStory, row: dict[str, int], local: bytes, remote: bytes, strings: Strings) -> None:
    """What was known last: a closed socket has no port any more."""
    if story.family == AF_UNIX:
        for number, name in ((row["name_id"], "local"), (row["peer_name_id"], "remote")):
            if text := unix_name(strings.data(number) or b""):
                setattr(story, name, text)
        return
    if row["local_port"] or not story.local:
        story.local = endpoint(story.family, local, row["local_port"]) or story.local
    if row["remote_port"] or not story.remote:
        story.remote = endpoint(story.family, remote, row["remote_port"]) or story.remote


def _figures(story: SockStory, row: dict[str, int], bases: dict[int, tuple[int, ...]]) -> None:
    """The kernel's counters run from the beginning of the connection, which may have been long before the trace."""
    counters = tuple(row[name] for name in ("retransmits", "bytes_sent", "segments_out", "segments_in"))
    base = bases.setdefault(row["sock"], counters if row["call"] == SYSNO_LIMIT and row["kind"] == SocketKind.BOUND else (0,) * len(counters))
    since = [max(0, now - before) for now, before in zip(counters, base, strict=True)]
    told = (story.retransmits, story.wire_bytes, story.segments_out, story.segments_in)
    story.retransmits, story.wire_bytes, story.segments_out, story.segments_in = map(max, told, since)
    story.rtt_us, story.rtt_var_us = row["srtt_us"] or story.rtt_us, row["rttvar_us"] or story.rtt_var_us
    story.min_rtt_us = row["min_rtt_us"] or story.min_rtt_us
