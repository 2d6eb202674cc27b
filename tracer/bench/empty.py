"""The unit of cost: two programs that do nothing, on sys_enter and on sys_exit. Nobody can trace every call for less."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tracer.kernel.loading import attach_one, refusal
from tracer.kernel.probes import TRACEPOINTS
from tracer.kernel.trying import LEAVE, instructions, load_one

__all__ = ("empty_probes",)


@contextmanager
def empty_probes() -> Iterator[None]:
    """Within it both are attached. Raises HostError."""
    with ExitStack() as stack:
        try:
            for probe in ("on_sys_exit", "on_sys_enter"):
                program = load_one("empty", instructions(*LEAVE))
                stack.callback(os.close, program)
                stack.callback(os.close, attach_one(program, TRACEPOINTS[probe]))
        except OSError as error:
            raise refusal(error, "load an empty probe") from error
        yield
