"""Which calls the user asked for with -e. Others are in a session, too: those that give descriptors their names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from report.calls import arch_of
from tracer.errors import EbtraceError
from tracer.records import SYSNO_LIMIT
from tracer.session.format import BlockKind
from tracer.session.reader import Session
from tracer.syscalls.classes import select

__all__ = ("calls_for_names", "selected")


def selected(session: Session) -> NDArray[np.bool_]:
    """By number, whether the call was asked for; all of them where nothing, or nothing that can be understood, was asked for.

    One more entry than there are numbers: what no table can hold counts as asked for.
    """
    everything = np.ones(SYSNO_LIMIT + 1, np.bool_)
    arch = arch_of(session)
    if not session.meta["expression"] or not arch:
        return everything
    try:
        chosen = select(session.meta["expression"], arch)
    except EbtraceError:  # written by an ebtrace that knew more words, or forged
        return everything
    everything[:SYSNO_LIMIT] = np.isin(np.arange(SYSNO_LIMIT), list(chosen))
    return everything


def calls_for_names(session: Session) -> int:
    """How many calls were counted though nobody asked for them."""
    wanted = selected(session)
    if wanted.all():
        return 0
    return sum(int(table["calls"][~wanted[np.minimum(table["sysno"], SYSNO_LIMIT)]].sum()) for table in session.tables(BlockKind.TOTALS))
