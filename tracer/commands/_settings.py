"""What `run` and `attach` are told alike by their options: how to trace and where to write."""

from __future__ import annotations

from tracer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("Settings",)


class Settings:
    """How to trace, as the command line says it. Raises UsageError for options that exclude each other."""

    def __init__(
        self, output: str | None, force: bool, expressions: Sequence[str], summary: bool, counts: bool, transport: str, ring_mb: int | None,
        sample: int, max_body: int, redact: bool, quiet: bool, ready_file: str | None,
    ) -> None:
        if summary and counts:
            raise UsageError("--summary and --counts exclude each other", "--summary measures latencies too; --counts costs less")
        self.output = output
        self.force = force
        self.mode = "summary" if summary else "counts" if counts else "full"  # exact totals only, the same without latency, or everything
        self.expression = ";".join(expressions)
        self.transport = transport
        self.sample = sample  # keeps one call in so many
        self.max_body = max_body  # bytes of a message's body that are kept
        self.redact = redact  # take secrets out before anything is written
        self.ring_mb = ring_mb
        self.quiet = quiet
        self.ready_file = ready_file
