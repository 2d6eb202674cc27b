"""How a worker begins that is forked before the front has loaded more than Python does by itself: each half loads what it needs, side by side."""

from __future__ import annotations

import time

__all__ = ("BEGUN_NS", "live_early")

BEGUN_NS = time.monotonic_ns() - time.process_time_ns()  # when this process was started: up to here it has done nothing but compute


def live_early(connection: int) -> int:
    """The worker's life, beginning with what takes longest."""
    from tracer.kernel.early import load_early

    early = load_early(connection)
    from tracer.commands._live import live
    from tracer.worker import serve

    return live(lambda link: serve(link, early), connection)
