"""The lanes of one session, whichever transport carries them: the readers of their rings."""

from __future__ import annotations

from tracer.errors import PermissionMissing
from tracer.http.limits import READABLE
from tracer.kernel.ring import WIDE, SlotRing, StringRing
from tracer.kernel.tracing import Tracing
from tracer.records import SOCKET_RECORD, MapId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.kernel.perf import PerfSlots, PerfStrings

__all__ = ("LIFECYCLE_RECORD", "SYSCALL_RECORD", "Lanes", "bulk_bytes", "open_lanes")

SYSCALL_RECORD, LIFECYCLE_RECORD = 56, 120
_HEADS = 1 << 16  # bytes that leave the kernel in any case: the heads of messages


def bulk_bytes(max_body: int) -> int:
    """Bytes of one message that leave the kernel in large pieces: as much as is kept of any kind of body."""
    return max(READABLE * max_body, _HEADS)


class Lanes:
    """Readers. ``drained`` are those that the drain thread alone uses; ``plaintext`` is the scribe's, and ``images`` the TLS watch's."""

    def __init__(
        self, syscalls: SlotRing | PerfSlots, lifecycle: SlotRing | PerfSlots, strings: StringRing | PerfStrings, sockets: SlotRing | PerfSlots,
        payload: StringRing | PerfStrings, plaintext: StringRing | PerfStrings, images: StringRing | PerfStrings,
    ) -> None:
        self.syscalls, self.lifecycle, self.strings, self.sockets, self.payload = self.drained = syscalls, lifecycle, strings, sockets, payload
        self.plaintext, self.images = plaintext, images

    def close(self) -> None:
        """Gives their memory back."""
        for lane in (*self.drained, self.plaintext, self.images):
            lane.close()


def open_lanes(tracing: Tracing, sizes: dict[str, int]) -> Lanes:
    """Maps the rings of ``tracing``. Raises HostError."""
    maps = tracing.maps
    if tracing.perf:
        from tracer.kernel.perf import PerfSlots, PerfStrings

        try:
            return Lanes(
                PerfSlots(maps[MapId.SYSCALLS], sizes["syscalls"], SYSCALL_RECORD),
                PerfSlots(maps[MapId.LIFECYCLE], sizes["lifecycle"], LIFECYCLE_RECORD),
                PerfStrings(maps[MapId.STRINGS], sizes["strings"]),
                PerfSlots(maps[MapId.SOCKETS], sizes["sockets"], SOCKET_RECORD),
                *(PerfStrings(maps[MapId[lane.upper()]], sizes[lane]) for lane in ("payload", "plaintext", "images")),
            )
        except OSError as error:
            raise PermissionMissing(
                f"the kernel does not let this user have perf buffers of {sizes['syscalls'] >> 20} MB ({error.strerror})",
                "make them smaller (--ring-mb 1), add CAP_IPC_LOCK, or leave out --transport perf",
            ) from error
    return Lanes(
        SlotRing(maps[MapId.SYSCALLS].fd, sizes["syscalls"], SYSCALL_RECORD, WIDE),
        SlotRing(maps[MapId.LIFECYCLE].fd, sizes["lifecycle"], LIFECYCLE_RECORD),
        StringRing(maps[MapId.STRINGS].fd, sizes["strings"]),
        SlotRing(maps[MapId.SOCKETS].fd, sizes["sockets"], SOCKET_RECORD),
        *(StringRing(maps[MapId[lane.upper()]].fd, sizes[lane]) for lane in ("payload", "plaintext", "images")),
    )
