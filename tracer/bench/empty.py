"""The unit of cost: two programs that do nothing, on sys_enter and on sys_exit. Nobody can trace every call for less."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tracer.kernel.loading import attach_one, refusal
from tracer.kernel.trying import LEAVE, instructions, load_one

__all__ = ("empty_probes",)


@contextmanager
def empty_probes(image: dict[str, Any]) -> Iterator[None]:
    """Within it both are attached. The ids of the tracepoints are taken from ``image``. Raises HostError."""
    with ExitStack() as stack:
        try:
            for probe in ("on_sys_exit", "on_sys_enter"):
                program = load_one("empty", instructions(*LEAVE), image["places"][probe])
                stack.callback(os.close, program)
                stack.callback(os.close, attach_one(program))
        except OSError as error:
            raise refusal(error, "load an empty probe") from error
        yield
