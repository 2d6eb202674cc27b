"""One tracing session inside the kernel: its maps, its probes, the traced set. Several may run side by side."""

from __future__ import annotations

import os
import struct
import time

from tracer.bare import Thread, suppress
from tracer.errors import HostError, TargetError
from tracer.kernel.blanks import filled
from tracer.kernel.loading import UPROBE_MULTI, Loading, attach, load, load_uprobe, on_two_threads, read_census, recursion_misses, refusal
from tracer.kernel.maps import BpfMap, create, map_plans
from tracer.kernel.probes import CENSUS, HELD, LATE, SOCKET_CENSUS, TAILS, TWINS, UNFINISHED, UPROBES, WITHOUT
from tracer.kernel.sys import lift_limits, membarrier
from tracer.records import CONTROL, LANE_COUNT, LANES, MARK, CensusKind, Lane, MapId, StateFlag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ("Tracing",)


class Tracing:
    """Maps and probes of one session. Everything hangs on file descriptors: when the process dies, the kernel removes it all."""

    def __init__(self, image: dict[str, Any], ring_bytes: Mapping[str, int]) -> None:
        """Makes the maps. `load` is due next. Raises HostError."""
        self.cpus: int = image["cpus"]
        self.perf: bool = image["transport"] == "perf"
        self.uprobe_multi: bool = image["features"]["uprobe_multi"]
        self._detail: bool = image["mode"] == "full"
        self._task_storage: bool = image["features"]["task_storage"]
        self._links: list[int] = []
        self._seed = os.urandom(8)
        self._slow_ns = self._bulk = self._over = 0
        self._found_again = 0  # births that were lost while the census was taken, and then found by it
        lift_limits()  # the target's, which may leave no room for maps and probes
        self.maps: dict[MapId, BpfMap] = {}
        self._programs: dict[str, int] = {}
        self._begun: Loading | None = None
        self._loading: Thread | None = None
        self.problems: list[str] = []
        self._image = image
        plans = map_plans(self.cpus, task_storage=self._task_storage, perf=self.perf, ring_bytes=dict(ring_bytes))

        def make(map_id: MapId) -> None:
            try:
                self.maps[map_id] = create(map_id, plans[map_id], self.cpus)
            except OSError as error:
                raise refusal(error, "create a BPF map") from error

        on_two_threads(make, sorted(plans, key=lambda map_id: -plans[map_id].entries))  # large rings first: the kernel zeroes their pages
        self._fds: dict[int, int] = {map_id: made.fd for map_id, made in self.maps.items()}

    def begin_to_load(self) -> None:
        """Begins to load the programs, on a thread."""
        image = self._image
        now = {name: self._code(name) for name in image["programs"] if name not in UPROBES and name not in (*LATE, CENSUS)}
        self._begun = Loading(now, image["places"])

    def load(self) -> None:
        """Loads the programs, or helps where that has begun. Raises HostError."""
        if self._begun is None:
            self.begin_to_load()
        assert self._begun is not None
        self._programs, self._begun = self._begun.finish(), None
        for name in TAILS.keys() & self._programs.keys():
            for place in TAILS[name]:
                self.maps[MapId.TAILS].update(struct.pack("<I", place), struct.pack("<i", self._programs[name]))

    def load_late(self) -> None:
        """Begins to load the programs that are needed later, on a thread."""
        self._loading = Thread(self._load_late)

    def _load_late(self) -> None:
        with suppress(HostError):  # whoever needs one meets it again
            for name in LATE:
                self._program(name)

    def _late(self, name: str) -> int | None:
        """A program that is needed now; None if this kernel has no place for it, or does not take it any more."""
        if self._loading is not None:
            self._loading.join()
            self._loading = None
        try:
            return self._program(name)
        except HostError as error:
            problem = f"Nothing is told of {WITHOUT[name]}: {error}."
            if problem not in self.problems:
                self.problems.append(problem)
            return None

    def _program(self, name: str) -> int | None:
        if name not in self._programs and name in self._image["programs"]:
            self._programs[name] = load(name, self._code(name), self._image["places"][name])
        return self._programs.get(name)

    def _code(self, name: str, given: int = 0) -> bytes:
        return filled(self._image["programs"][name], self._image["blanks"][name], self._fds, given)

    def uprobe(self, name: str, given: int) -> int:
        """Loads a program for uprobes, which is ``given`` a number; the descriptor is the caller's to close. Raises HostError."""
        return load_uprobe(name, self._code(name, given), UPROBE_MULTI if self.uprobe_multi else 0)

    def plan(self, plans: bytes, slow_ns: int, bulk: int = 0) -> None:
        """Says what the probes do with each syscall, from how many ns on a call is never sampled out, and how many bytes in large pieces
        are kept of one message."""
        self._slow_ns, self._bulk = slow_ns, bulk
        self._control(CensusKind(0))
        table = self.maps[MapId.PLANS]
        try:
            table.update_all(plans)
        except OSError:  # array batches came with Linux 5.6 but not to every map of every kernel since
            size = table.plan.value
            for sysno in range(table.plan.entries):
                table.update(struct.pack("<I", sysno), plans[sysno * size : (sysno + 1) * size])

    def _control(self, census: CensusKind) -> None:
        seed = int.from_bytes(self._seed, "little")
        self.maps[MapId.CONTROL].update(bytes(4), struct.pack(CONTROL, seed, self._slow_ns, census, self._bulk, self._over))

    def attach(self) -> None:
        """Makes the probes live. Nothing is recorded before a process is marked."""
        self._links = attach(self._programs, self._image["places"])

    def mark(self, pid: int, *, held: bool) -> None:
        """Has `adopt` take the main thread of ``pid`` into the traced set; ``held``: from its next exec on. Raises TargetError if it is gone."""
        flags = StateFlag.ASLEEP | (StateFlag.HELD if held else 0)
        marked = struct.pack(MARK, flags)
        try:
            if not self._task_storage:
                os.kill(pid, 0)
                self.maps[MapId.MARKS].update(struct.pack("<I", pid), marked)
                return
            task = os.pidfd_open(pid)
            try:
                self.maps[MapId.MARKS].update(struct.pack("<i", task), marked)
            finally:
                os.close(task)
        except ProcessLookupError as error:
            raise TargetError(f"process {pid} has ended", "give the pid of a running process") from error
        except OSError as error:
            raise refusal(error, f"mark process {pid}") from error

    def adopt_held(self) -> bytes:
        """Takes in a target that is held before its exec, and has neither threads nor children; returns its LIFE_FOUND record."""
        return read_census(self._programs[HELD])

    def adopt(self, *, children: bool) -> bytes:
        """Takes in all threads of the marked processes, and their descendants; returns their LIFE_FOUND records.

        A task can be born behind the walk's back, so it is repeated until it finds nobody new: from then on every birth has a
        traced parent, and the fork probe sees it.
        """
        self._control(CensusKind.CHILDREN if children else CensusKind(0))
        found, census = b"", self._program(CENSUS)
        assert census is not None, "no image is made without it"
        while True:
            lost = self._lost_births()
            new = read_census(census)
            found += new
            # Task storage is busy for a moment while we walk: a birth that fell into it was counted as lost, and is found by walking again.
            if not new and self._lost_births() == lost:
                self._found_again = lost
                return found

    def _lost_births(self) -> int:
        return sum(lost for _, _, lost in self._ledger(Lane.LIFECYCLE))

    def detach(self) -> bytes:
        """Takes the probes off and accounts for calls still open; returns their syscall records (none unless details are on)."""
        unfinished = self._late(UNFINISHED)
        for link in self._links:
            os.close(link)
        self._links, self._over = [], 1
        self._control(CensusKind(0))
        membarrier()
        from tracer.kernel.pending import count_pending, pending  # not before a target runs, which waits for nothing that can wait

        still_open = b"" if unfinished is None else read_census(unfinished)
        operations, counts = pending(self.maps[MapId.URING], time.clock_gettime_ns(time.CLOCK_MONOTONIC))
        count_pending(counts, self.maps, self.cpus)
        return still_open + operations if self._detail else still_open

    def sockets(self, kind: CensusKind) -> bytes:
        """Records of the sockets that traced processes have open: all (BOUND), or TCP's with their last figures (ALIVE)."""
        program = self._late(SOCKET_CENSUS)
        if program is None:
            return b""
        self._control(kind)
        return read_census(program)

    def lane_counts(self) -> dict[str, tuple[int, int, int]]:
        """(counted, sampled out, lost) of each lane, summed over the CPUs."""
        counts = {}
        for number, lane in enumerate(LANES):
            rows = self._ledger(number)
            counts[lane] = (sum(r[0] for r in rows), sum(r[1] for r in rows), sum(r[2] for r in rows))
        births = self._found_again  # counted once more when they were found
        counted, sampled_out, lost = counts["lifecycle"]
        return counts | {"lifecycle": (counted - births, sampled_out, lost - births)}

    def _ledger(self, number: int) -> list[tuple[int, int, int]]:
        """(counted, sampled out, lost) of a lane on each CPU."""
        value = self.maps[MapId.LEDGER].lookup(struct.pack("<I", number)) or b""
        return [struct.unpack_from(LANE_COUNT, value, at) for at in range(0, len(value), struct.calcsize(LANE_COUNT))]

    def ring_fds(self) -> list[int]:
        """Descriptors that a poll can wait on (BPF ring buffers only)."""
        return [self.maps[MapId[lane.upper()]].fd for lane in LANES]

    def overflowed(self) -> int:
        """Calls that were counted in the overflow rows, because the process had no row of its own."""
        return sum(counted for counted, _, _ in self._ledger(len(LANES)))

    def crowded(self) -> int:
        """Operations of io_uring that had no room in their map: when they began is not known, and nothing of those that never ended."""
        return sum(lost for _, _, lost in self._ledger(len(LANES)))

    def missed(self) -> int:
        """Probe runs that the kernel skipped because the probe was already running on that CPU; it does not say whose calls they were.

        Where there are two of a probe, the other one has run.
        """
        doubled = {*TWINS, *TWINS.values()}
        return sum(recursion_misses(program) for name, program in self._programs.items() if name not in doubled)

    def close(self) -> None:
        """Gives everything back to the kernel."""
        if self._begun is not None:
            self._begun.discard()
        for fd in [*self._links, *self._programs.values(), *(m.fd for m in self.maps.values())]:
            os.close(fd)
        self._links, self._programs, self.maps = [], {}, {}
