"""The records that the probes send, field by field: the Python side of bpf/records.h.

Layouts are plain tuples in NumPy's notation, so that this module imports next to nothing: NumPy costs 100 ms and is loaded
only after the target runs. All integers are little-endian (x86-64, arm64).
"""

from __future__ import annotations

from tracer.members import IntEnum, IntFlag

__all__ = (
    "APARTS", "ARGV_BYTES", "BULK", "BULK_SLOTS", "CALL_SHIFT", "CONTROL", "CensusKind", "DURATION_MASK", "FLAGS_SHIFT", "GATE",
    "GIVEN_LIBRARY", "HISTOGRAM_BUCKETS", "HISTOGRAM_SHIFT", "IMAGE_KEY", "IMAGE_RECORD", "LANES", "LANE_COUNT", "LIFECYCLE_FIELDS", "Lane",
    "MARK", "MapId", "PATH_BYTES", "PAYLOAD_BYTES", "PAYLOAD_FIELDS", "PLAIN_CHUNK", "PLAIN_HEAD", "PLAN", "PlanFlag", "Role", "SAMPLE_FIELDS",
    "SCRATCH_HEAD", "SEEN", "SEEN_BUCKETS", "SOCKET_FIELDS", "SOCKET_RECORD", "SOCK_STATE", "STREAM", "STRING_HEAD", "SYSCALL_FIELDS",
    "SYSNO_COMPAT", "SYSNO_LIMIT", "SYSNO_MASK", "SYSNO_UNKNOWN", "SYSNO_URING", "SlotKind", "StateFlag", "TASK_STATE", "TLS_CALL", "TLS_KEY",
    "TOTALS_FIELDS", "TOTALS_KEY", "Tail", "URING_STATE", "WATCHED",
)

PATH_BYTES = 4096
PAYLOAD_BYTES = 4096
ARGV_BYTES = 16384
HISTOGRAM_BUCKETS = 32
HISTOGRAM_SHIFT = 6  # bucket i holds 2**(i + 6) <= ns < 2**(i + 7); the first and the last are open-ended
SYSNO_LIMIT = 1152
SYSNO_COMPAT = 512
SYSNO_URING = 1024  # and on: operations of io_uring, by opcode
SYSNO_UNKNOWN = 511

# rec_syscall.packed
DURATION_MASK = (1 << 48) - 1
CALL_SHIFT = 48
SYSNO_MASK = 0xFFF
FLAGS_SHIFT = 60

LANES = ("syscalls", "lifecycle", "strings", "sockets", "payload", "plaintext", "images")


class Lane(IntEnum):
    """Index of a lane's counters in MAP_LEDGER."""

    SYSCALLS = 0
    LIFECYCLE = 1
    STRINGS = 2
    SOCKETS = 3
    PAYLOAD = 4
    PLAINTEXT = 5
    IMAGES = 6


class MapId(IntEnum):
    """Numbers by which the probes name their maps."""

    MARKS = 1
    PLANS = 2
    TOTALS = 3
    OVERFLOW = 4
    LEDGER = 5
    CONTROL = 6
    SERIALS = 7
    SCRATCH = 8
    SEEN = 9
    SYSCALLS = 10
    LIFECYCLE = 11
    STRINGS = 12
    SOCKETS = 13
    PAYLOAD = 14
    GATE = 15
    SOCKS = 16
    WATCHED = 17
    TAILS = 18
    URING = 19
    STATES = 20
    CLAIMS = 21
    CROWD = 22
    ROWS = 23
    RETIRED = 24
    PLAINTEXT = 25
    IMAGES = 26
    TLS_CALLS = 27
    TLS_ENDS = 28
    IMAGES_SEEN = 29
    APART = 30
    TLS_TAILS = 31
    BULK = 32


class PlanFlag(IntFlag):
    """What the probes do with one syscall number (struct plan)."""

    TRACED = 1
    BYTES = 2
    SLOTS = 4
    BIRTH = 8
    EXEC = 16
    ALWAYS = 32
    OPEN = 64
    CREAT = 128
    GATED = 256
    SENDS = 512
    VECTOR = 1024
    MESSAGES = 2048
    ADDRESSED = 4096
    MAPS = 8192
    COMMAND = 16384


class Tail(IntEnum):
    """Programs that others go on to."""

    NONE = 0
    SOCKET = 1
    ACCEPT = 2
    PASSED = 3
    MESSAGE = 4
    DATA = 5
    ONE = 6
    STREAM = 7
    PLAIN = 8
    WIRE = 9
    MAPPED = 10
    COPIED = 11
    HANDED = 12
    DESCRIBED = 13
    UNIX = 14
    TCP = 15
    SLOTS = 16
    OPERATED = 17


class SlotKind(IntEnum):
    """What one of a syscall record's three argument slots holds (struct slot)."""

    VALUE = 0
    STRING = 1
    PAIR = 2
    ADDRESS = 3
    ADDRESS_AT = 4
    MESSAGE = 5
    PEEK = 6


class StateFlag(IntFlag):
    """Where a traced thread stands (struct task_state.flags)."""

    OPEN = 1
    NEWBORN = 2
    ANNOUNCED = 4
    EXECED = 8
    ASLEEP = 16
    HELD = 32
    MIDWAY = 64
    RESOLVER = 128


class CensusKind(IntFlag):
    """What reading the census does (struct control.census)."""

    CHILDREN = 1
    BOUND = 2
    ALIVE = 4


class Role(IntEnum):
    """How a function of a TLS library is called, and what it returns."""

    READ = 0
    WRITE = 1
    READ_EX = 2
    WRITE_EX = 3
    FREE = 4
    GO_READ = 5
    GO_WRITE = 6
    READ_INNER = 7
    WRITE_INNER = 8

    @property
    def given(self) -> int:
        """What a probe on such a function is attached with (enum given), without the library."""
        sends = self in (Role.WRITE, Role.WRITE_EX, Role.GO_WRITE, Role.WRITE_INNER)
        return self | _SENDS * sends | _GO * (self in (Role.GO_READ, Role.GO_WRITE))


_SENDS, _GO, GIVEN_LIBRARY = 0x40, 0x80, 0x100

# struct rec_syscall: 56 bytes
SYSCALL_FIELDS = [
    ("start_ns", "<u8"), ("packed", "<u8"), ("proc", "<u4"), ("tid", "<u4"), ("ret", "<i8"),
    ("a0", "<u8"), ("a1", "<u8"), ("a2", "<u8"),
]

# struct rec_lifecycle: 120 bytes
LIFECYCLE_FIELDS = [
    ("at_ns", "<u8"), ("kind", "<u2"), ("shares", "<u2"), ("proc", "<u4"), ("tgid", "<u4"), ("tid", "<u4"), ("parent_proc", "<u4"),
    ("parent_tgid", "<u4"), ("uid", "<u4"), ("euid", "<u4"), ("gid", "<u4"), ("exit_code", "<u4"), ("process_ended", "<u4"), ("old_tid", "<u4"),
    ("start_ns", "<u8"), ("filename_id", "<u8"), ("interp_id", "<u8"), ("argv_id", "<u8"), ("cpu_ns", "<u8"),
    ("peak_rss_bytes", "<u8"), ("comm", "S16"),
]

# struct rec_socket without what fills it up: 248 bytes; name, type, and the shape of one item
SOCKET_FIELDS: list[tuple[str, str, tuple[int, ...]]] = [
    *((name, "<u8", ()) for name in (
        "at_ns", "sock", "peer", "file", "inode", "name_id", "peer_name_id", "bytes_sent", "bytes_acked", "bytes_received")),
    ("kind", "<u4", ()), ("proc", "<u4", ()), ("tid", "<u4", ()), ("fd", "<i4", ()),
    *((name, "<u4", ()) for name in (
        "netns", "srtt_us", "rttvar_us", "min_rtt_us", "cwnd", "mss", "retransmits", "segments_out", "segments_in", "dev", "call")),
    ("result", "<i4", ()),
    *((name, "<u2", ()) for name in ("mode", "family", "type", "protocol", "local_port", "remote_port")),
    ("old_state", "|u1", ()), ("new_state", "|u1", ()), ("local", "|u1", (16,)), ("remote", "|u1", (16,)),
]
SOCKET_RECORD = 248

# struct rec_payload, the part before the bytes
PAYLOAD_FIELDS: list[tuple[str, str, tuple[int, ...]]] = [
    ("at_ns", "<u8", ()), ("sock", "<u8", ()), ("proc", "<u4", ()), ("tid", "<u4", ()), ("fd", "<i4", ()), ("length", "<u4", ()),
    ("kept", "<u2", ()), ("flags", "<u2", ()), ("family", "<u2", ()), ("port", "<u2", ()), ("address", "|u1", (16,)),
]

# struct rec_image: at_ns, inode, generation, dev, proc, tgid, tid
IMAGE_RECORD = "<QQQIIII"

# What /proc said of a living process: CPU time and memory of all its threads
SAMPLE_FIELDS = [
    ("at_ns", "<u8"), ("proc", "<u4"), ("tgid", "<u4"), ("cpu_ns", "<u8"), ("rss_bytes", "<u8"), ("peak_rss_bytes", "<u8"), ("threads", "<u4"),
]

# struct rec_string, the part before the bytes, in struct's notation: id, length, kept, flags
STRING_HEAD = "<QIHH"

# struct task_state: enter_ns, tid, sysno, flags, proc, sent, exec_file, exec_argv, regs
TASK_STATE = "<QIHHIIQQQ"
STATE_SLOT = TASK_STATE + "Q"  # struct state_slot: crowd comes last
STATE_SLOTS = 1 << 15
SEEN_BUCKETS = 1 << 15

# struct mark: flags
MARK = "<Q"

# struct plan: flags, keep_one_in, three slots of (kind, a, b, pad), tail
PLAN = "<II12BI"

# struct control: seed, slow_ns, census, bulk, over
CONTROL = "<QQQQQ"

# struct gate: one byte for each remainder of a descriptor
GATE = "<1024B"

# struct seen: ids
SEEN = "<QQ"

# struct sock_state: sock, proc, told
SOCK_STATE = "<QII"

# struct rec_plain, the part before the bytes, in struct's notation: at_ns, start_ns, connection, sock, position, proc, tid, length, kept, fd, kind,
# flags, library, pad
PLAIN_HEAD = "<QQQQQIIIIiHHII"
PLAIN_CHUNK, APARTS = 16384, 4

# struct stream: position, bulk, head, had, left, quiet, frames, salt for each direction, turn, flags
STREAM = "QQQIIQII" * 2 + "II"

# struct watched: sock, kind, looks, stream
WATCHED = "<QII" + STREAM

# struct bulk: key, bytes
BULK, BULK_SLOTS = "<QQ", 4096

# struct tls_call: object, buffer, moved, start_ns, left, kept, span, runs, key, head; struct tls_key: object, proc, pad
# struct image_key: inode, dev, generation
TLS_CALL, TLS_KEY, IMAGE_KEY = "<QQQQQQQQQII" + PLAIN_HEAD[1:], "<QII", "<QII"

# struct uring_state: start_ns, ring, request, user_data, proc, tid, three slots, sysno, flags, tgid
URING_STATE = "<QQQQIIQQQHHI"

# struct scratch before `nothing`: sent_once, sent
SCRATCH_HEAD = "<QQ"

# struct totals_key: proc, sysno, cpu
TOTALS_KEY = "<IHH"

# struct lane_count: counted, sampled_out, lost
LANE_COUNT = "<QQQ"

# struct totals: 304 bytes
TOTALS_FIELDS = [
    ("calls", "<u8"), ("errors", "<u8"), ("unfinished", "<u8"), ("bytes", "<u8"), ("total_ns", "<u8"), ("max_ns", "<u8"),
    ("histogram", "<u8", (HISTOGRAM_BUCKETS,)),
]
