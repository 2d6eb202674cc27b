"""The Python side of every record must agree with what the C compiler makes of bpf/records.h."""

from __future__ import annotations

import pathlib
import shutil
import struct
import subprocess

import numpy as np
import pytest

import tracer
from tracer import kinds, records
from tracer.kernel.maps import map_plans
from tracer.stream.lanes import LIFECYCLE_RECORD, SYSCALL_RECORD

HEADER = pathlib.Path(tracer.__file__).resolve().parent.parent / "bpf" / "records.h"
TYPES = """
#include <stdio.h>
#include <stddef.h>
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
typedef int s32; typedef long long s64;
"""


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory):
    """Evaluates C expressions over records.h with the host's compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.fail("a C compiler is needed: make setup-dev installs gcc")
    folder = tmp_path_factory.mktemp("records")

    def evaluate(expressions: list[str]) -> list[int]:
        source = folder / "ask.c"
        prints = "\n".join(f'printf("%lld\\n", (long long)({e}));' for e in expressions)
        source.write_text(f'{TYPES}#include "{HEADER}"\nint main(void) {{ {prints} return 0; }}\n')
        subprocess.run([compiler, "-o", folder / "ask", source], check=True)
        return [int(line) for line in subprocess.run([folder / "ask"], check=True, capture_output=True, text=True).stdout.split()]

    return evaluate


@pytest.mark.parametrize(
    ("structure", "fields"),
    [("rec_syscall", records.SYSCALL_FIELDS), ("rec_lifecycle", records.LIFECYCLE_FIELDS), ("totals", records.TOTALS_FIELDS),
     ("rec_payload", records.PAYLOAD_FIELDS)],
)
def test_fields_lie_where_the_compiler_puts_them(ask, structure: str, fields: list[tuple]) -> None:
    layout = np.dtype(fields)
    names = [name for name in layout.names if name not in ("a0", "a1", "a2")]
    expected = ask([f"sizeof(struct {structure})", *(f"offsetof(struct {structure}, {name})" for name in names)])
    assert [layout.itemsize, *(layout.fields[name][1] for name in names)] == expected


def test_a_socket_record_is_filled_up_to_its_slots(ask) -> None:
    layout = np.dtype(records.SOCKET_FIELDS)
    offsets = ask([f"offsetof(struct rec_socket, {name})" for name in layout.names])
    assert [layout.fields[name][1] for name in layout.names] == offsets
    assert [layout.itemsize, records.SOCKET_RECORD] == ask(["offsetof(struct rec_socket, pad)", "sizeof(struct rec_socket)"])


def test_argument_slots_lie_in_a_row(ask) -> None:
    layout = np.dtype(records.SYSCALL_FIELDS)
    assert [layout.fields[name][1] for name in ("a0", "a1", "a2")] == ask([f"offsetof(struct rec_syscall, slots[{i}])" for i in range(3)])


@pytest.mark.parametrize(
    ("structure", "notation"),
    [("task_state", records.TASK_STATE), ("state_slot", records.STATE_SLOT), ("mark", records.MARK), ("plan", records.PLAN),
     ("control", records.CONTROL), ("lane_count", records.LANE_COUNT),
     ("rec_string", records.STRING_HEAD), ("totals_key", records.TOTALS_KEY), ("gate", records.GATE),
     ("sock_state", records.SOCK_STATE), ("watched", records.WATCHED), ("uring_state", records.URING_STATE),
     ("rec_plain", records.PLAIN_HEAD), ("rec_image", records.IMAGE_RECORD), ("stream", "<" + records.STREAM), ("tls_call", records.TLS_CALL),
     ("tls_key", records.TLS_KEY), ("bulk", records.BULK), ("image_key", records.IMAGE_KEY)],
)
def test_packed_structures_have_the_compilers_size(ask, structure: str, notation: str) -> None:
    assert ask([f"sizeof(struct {structure})"]) == [struct.calcsize(notation)]


@pytest.mark.parametrize(
    ("prefix", "enum"),
    [("MAP", records.MapId), ("PLAN", records.PlanFlag), ("SLOT", records.SlotKind), ("STATE", records.StateFlag), ("CENSUS", records.CensusKind),
     ("CALL", kinds.CallFlag), ("LIFE", kinds.LifeKind), ("STRING", kinds.StringFlag), ("LANE", records.Lane), ("TAIL", records.Tail),
     ("SHARES", kinds.ShareFlag), ("SOCK", kinds.SocketKind), ("PAYLOAD", kinds.PayloadFlag),
     ("PLAIN", kinds.PlainKind), ("PLAIN", kinds.PlainFlag), ("WATCH", kinds.WatchKind), ("ROLE", records.Role)],
)
def test_enumerations_agree(ask, prefix: str, enum) -> None:
    assert [int(member) for member in enum] == ask([f"{prefix}_{member.name}" for member in enum])


def test_constants_agree(ask) -> None:
    names = ["PATH_BYTES", "ARGV_BYTES", "HISTOGRAM_BUCKETS", "HISTOGRAM_SHIFT", "SYSNO_LIMIT", "SYSNO_COMPAT", "SYSNO_UNKNOWN",
             "SYSNO_URING", "PAYLOAD_BYTES", "STATE_SLOTS", "PLAIN_CHUNK", "APARTS", "BULK_SLOTS"]
    assert [getattr(records, name) for name in names] == ask(names)
    assert [len(records.LANES)] == ask(["LANES"])
    assert ask(["sizeof(struct rec_syscall)", "sizeof(struct rec_lifecycle)"]) == [SYSCALL_RECORD, LIFECYCLE_RECORD]


def test_what_probes_of_functions_are_attached_with(ask) -> None:
    role, sends, go, library = ask(["GIVEN_ROLE", "GIVEN_SENDS", "GIVEN_GO", "GIVEN_LIBRARY"])
    assert library == records.GIVEN_LIBRARY > max(role, sends, go)
    for one in records.Role:
        assert one.given & role == one
        assert bool(one.given & sends) == ("WRITE" in one.name)
        assert bool(one.given & go) == one.name.startswith("GO_")


def test_maps_have_room_for_their_values(ask) -> None:
    plans = map_plans(4, task_storage=True, perf=False, ring_bytes=dict.fromkeys(records.LANES, 4096))
    pairs = {
        "MARKS": "mark", "STATES": "state_slot", "PLANS": "plan", "ROWS": "totals_row", "RETIRED": "totals_key",
        "TOTALS": "totals", "OVERFLOW": "totals", "LEDGER": "lane_count", "CONTROL": "control",
        "SCRATCH": "scratch", "GATE": "gate", "SOCKS": "sock_state", "WATCHED": "watched", "URING": "uring_state",
        "TLS_CALLS": "tls_call", "TLS_ENDS": "stream", "BULK": "bulk", "APART": "apart",
    }
    assert [plans[records.MapId[name]].value for name in pairs] == ask([f"sizeof(struct {structure})" for structure in pairs.values()])


def test_a_record_and_its_header_divide_every_ring(ask) -> None:
    """No slot may wrap around the end of a ring: SlotRing maps the data once."""
    assert (SYSCALL_RECORD + 8, LIFECYCLE_RECORD + 8, records.SOCKET_RECORD + 8) == (64, 128, 256)
