"""Sockets with their two ends, who used them, what they moved, and how TCP fared; sockets that talk to many have a row for each of them.

Bytes and calls are those of the traced processes, from the detail records; addresses, states and TCP's figures are the kernel's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from report.activity import Activity
from report.addresses import host_of, protocol_name, sockaddr
from report.dns import Lookup
from report.plain import entries, integer, text
from report.sockstories import STATES, SockStory, stories_of
from report.strings import Strings
from report.things import Kind, Thing
from report.traffic import NONE, Traffic, by_address, by_socket, pids_of
from report.types import Columns
from tracer.session.format import BlockKind
from tracer.session.reader import Session
from tracer.syscalls.errnos import errno_name

__all__ = ("Connection", "connections_of")


@dataclass(frozen=True)
class Connection:
    """One connection, or one socket with one other end. None is what is not known. Times: ns after the start of the session."""

    protocol: str  # tcp, udp, unix, netlink, vsock, ...
    local: str
    remote: str
    name: str | None = None  # under which the remote address had been looked up
    opened_ns: int | None = None
    closed_ns: int | None = None  # by TCP; other sockets just fall silent
    sent_bytes: int | None = None  # by the calls of traced processes
    received_bytes: int | None = None
    pid: int | None = None
    fd: int | None = None
    state: str | None = None  # of TCP, the last: LISTEN, ESTABLISHED, ...
    direction: str | None = None  # out, in, listen
    sends: int = 0
    receives: int = 0
    errors: int = 0  # sends and receives that failed: EAGAIN, too
    time_ns: int = 0  # in sends and receives
    first_ns: int | None = None  # use
    last_ns: int | None = None
    pids: tuple[int, ...] = ()  # of processes that used it, the first eight
    connected_ns: int | None = None
    connect_ms: float | None = None  # from the first SYN to the answer
    error: str | None = None  # with which connect(2) failed
    rtt_ms: float | None = None  # smoothed, the last
    rtt_var_ms: float | None = None
    min_rtt_ms: float | None = None
    retransmits: int | None = None  # segments that were sent again
    resets_sent: int = 0
    resets_received: int = 0
    wire_bytes: int | None = None  # sent by TCP, retransmissions among them
    segments_out: int | None = None
    segments_in: int | None = None
    sock: int = 0  # the kernel's socket (rec_socket.sock); 0 if it is not known. A socket that talks to many has a row for each
    tls: str | None = None  # the TLS library through which it was used
    sni: str | None = None  # the name that TLS asked for


def connections_of(session: Session, strings: Strings, activity: Activity, sockets: Columns, lookups: Iterable[Lookup]) -> tuple[Connection, ...]:
    """All sockets that were used, or that TCP had something to tell of; those that moved most come first."""
    stories = stories_of(sockets, strings, activity.descriptors.names)
    origin = int(session.meta["started_ns"])
    names = _Names(lookups)
    rows = list(_rows(activity, strings, stories, names, origin))
    if not sockets:
        rows += _found(session)
    rows.sort(key=lambda row: (-(row.sent_bytes or 0) - (row.received_bytes or 0), -row.sends - row.receives, row.opened_ns or 0, row.remote))
    return tuple(rows)


class _Names:
    """Names by the addresses that their look-ups gave, as of a moment."""

    def __init__(self, lookups: Iterable[Lookup]) -> None:
        self._known: dict[str, list[tuple[int, str]]] = {}
        for lookup in sorted(lookups, key=lambda row: row.answered_ns or row.at_ns):
            for address in lookup.addresses:
                self._known.setdefault(address, []).append((lookup.answered_ns or lookup.at_ns, lookup.question))

    def of(self, remote: str, at_ns: int) -> str | None:
        """The last name that was answered with this address before that."""
        known = self._known.get(host_of(remote), [])
        place = bisect_right(known, at_ns, key=lambda entry: entry[0])
        return known[place - 1][1] if place else None


def _rows(activity: Activity, strings: Strings, stories: dict[int, SockStory], names: _Names, origin: int) -> Iterator[Connection]:
    sums, named, pids = by_socket(activity), by_address(activity), pids_of(activity)
    for index, thing in enumerate(activity.things):
        if thing.kind is not Kind.SOCKET:
            continue
        story = stories.get(thing.sock) or SockStory()
        rest = sums.get(index, NONE)
        if rest == NONE and not (story.remote or story.direction or thing.asked):
            continue
        story.remote = story.remote or sockaddr(strings.data(thing.asked) or b"")
        parts: dict[str, Traffic] = {}
        for address, some in named.get(index, ()):
            end = sockaddr(strings.data(address) or b"") or story.remote
            parts[end] = parts.get(end, NONE).plus(some)
            rest = rest.minus(some)
        if not parts or rest.is_any:
            parts[story.remote] = parts.get(story.remote, NONE).plus(rest)
        base = _row(thing, story, origin, pids.get(index, ()), activity.pids)
        for end, some in parts.items():
            row = replace(base, remote=end, **some._asdict())
            when = next((at for at in (row.last_ns, row.connected_ns, row.opened_ns) if at is not None), 0)
            yield replace(row, name=names.of(end, origin + when)) if story.direction != "in" else row


def _row(thing: Thing, story: SockStory, origin: int, pids: tuple[int, ...], known: dict[int, int]) -> Connection:
    def since(at: int | None) -> int | None:
        return None if at is None else at - origin

    own = known.get(story.proc)
    pids = pids or (() if own is None else (own,))
    row = Connection(
        protocol_name(story.family or thing.family, story.type or thing.type, story.protocol or thing.protocol), story.local, story.remote,
        opened_ns=since(story.opened_ns), closed_ns=since(story.closed_ns), pid=pids[0] if pids else None, pids=pids,
        fd=story.fd if story.fd >= 0 else None, direction=story.direction, connected_ns=since(story.connected_ns),
        error=_error(story), sock=thing.sock,
    )
    if not story.is_tcp:
        return row
    began, done = story.connecting_ns, story.connected_ns
    return replace(
        row, state=STATES.get(story.state), connect_ms=(done - began) / 1e6 if began is not None and done is not None and done >= began else None,
        rtt_ms=_ms(story.rtt_us), rtt_var_ms=_ms(story.rtt_var_us) if story.rtt_us else None, min_rtt_ms=_ms(story.min_rtt_us),
        retransmits=story.retransmits, resets_sent=story.resets_sent, resets_received=story.resets_received,
        wire_bytes=story.wire_bytes, segments_out=story.segments_out, segments_in=story.segments_in,
    )


def _error(story: SockStory) -> str | None:
    if story.error:
        return errno_name(story.error)
    refused = story.connecting_ns is not None and story.connected_ns is None and story.resets_received
    return "ECONNREFUSED" if refused else None  # a program that does not wait for its connect(2) is told later


def _ms(microseconds: int) -> float | None:
    return microseconds / 1000 if microseconds else None


def _found(session: Session) -> Iterator[Connection]:
    """What /proc told when the trace began: all there is where the kernel's sockets could not be read."""
    for found in entries(session, BlockKind.SNAPSHOT, "connections"):
        pid = integer(found.get("pid"))
        yield Connection(text(found.get("protocol")), text(found.get("local")), text(found.get("remote")), pid=pid, fd=integer(found.get("fd")),
                         state=text(found.get("state")) or None, pids=() if pid is None else (pid,))
