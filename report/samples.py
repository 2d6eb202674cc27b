"""What was seen of living processes now and then: CPU time and memory as they grew."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from report.order import take
from report.types import Columns
from tracer.session.format import BlockKind
from tracer.session.reader import Session

__all__ = ("highest", "samples_of")

_MASK, _LIMIT = (1 << 64) - 1, (1 << 63) - 1


def samples_of(session: Session, ends: Mapping[int, int]) -> Columns:
    """All samples by process, and of each in the order of time; ``at_ns`` is ns after the start of the session.

    ``ends`` says when processes ended, by our number. A sample taken later is another's, which has the pid now, and is left out.
    """
    tables = list(session.tables(BlockKind.SAMPLES))
    if not tables:
        return {}
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    columns["at_ns"] = (columns["at_ns"] - np.uint64(session.meta["started_ns"] & _MASK)).astype(np.int64)
    procs = np.array(sorted(ends), np.int64)
    if len(procs):
        at = np.minimum(np.searchsorted(procs, columns["proc"]), len(procs) - 1)
        ended = np.array([min(max(ends[proc], -_LIMIT), _LIMIT) for proc in procs.tolist()], np.int64)
        late = (procs[at] == columns["proc"]) & (columns["at_ns"] > ended[at])
        columns = take(columns, ~late)
    return take(columns, np.lexsort((columns["at_ns"], columns["proc"])))


def highest(session: Session, ends: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """The most CPU time (ns) and the largest peak (bytes) that were seen of each process, by our number."""
    samples = samples_of(session, ends)
    if not samples or not len(samples["proc"]):
        return {}
    procs, first = np.unique(samples["proc"], return_index=True)
    most = (np.maximum.reduceat(samples[name], first).tolist() for name in ("cpu_ns", "peak_rss_bytes"))
    return dict(zip(procs.tolist(), zip(*most, strict=True), strict=True))
