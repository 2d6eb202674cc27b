"""The options that `run` and `attach` share: how to trace and where to write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import click

from tracer.errors import UsageError

__all__ = ("Settings", "settings", "tracing_options")

_F = TypeVar("_F", bound=Callable[..., Any])


class Settings(NamedTuple):
    """How to trace, as the command line says it."""

    output: str | None
    force: bool
    mode: str  # "full", "summary" (exact totals only) or "counts" (without latency)
    expression: str  # the -e words, joined by ";"
    transport: str
    sample: int  # keeps one call in so many
    max_body: int  # bytes of a message's body that are kept
    redact: bool  # take secrets out before anything is written
    ring_mb: int | None
    quiet: bool
    ready_file: str | None


_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}
_MAX_BODY = 32 << 20  # what one body may be in a session


def _bytes(_: click.Context, __: click.Parameter, text: str) -> int:
    """A number of bytes: 4096, 256k, 2M. Raises click's BadParameter."""
    word = text.strip().lower().removesuffix("b")
    number, unit = (word[:-1], word[-1:]) if word[-1:] in ("k", "m") else (word, "")
    if not (number.isdigit() and number.isascii() and len(number) < 12) or int(number) * _UNITS[unit] > _MAX_BODY:
        raise click.BadParameter(f"{text!r} is no size up to 32M, such as 0, 4096, 256k or 2M")
    return int(number) * _UNITS[unit]


def tracing_options(command: _F) -> _F:
    """Adds the options that say how to trace; `settings` takes them in."""
    options = (
        click.option("-o", "--output", metavar="FILE", help="Write the session here (default: ebtrace-NAME.PID.ebt)."),
        click.option("--force", is_flag=True, help="Overwrite an existing file."),
        click.option("-e", "expressions", metavar="EXPR", multiple=True, help="What to trace, in strace's words: trace=%file,openat."),
        click.option("--summary", is_flag=True, help="Exact totals and latencies only, no single events."),
        click.option("--counts", is_flag=True, help="Call counts only, without latency: the cheapest."),
        click.option("--transport", type=click.Choice(["ring", "perf"]), default="ring", show_default=True, help="Kernel buffers to use."),
        click.option("--ring-mb", type=click.IntRange(1, 1024), metavar="N", help="Size of the kernel buffer for events."),
        click.option("--sample", type=click.IntRange(1), default=1, metavar="N", help="Keep one call in N (totals stay exact)."),
        click.option("--max-body", callback=_bytes, default="256k", show_default=True, metavar="SIZE",
                     help="Of a message's body over HTTP keep so much; 0: headers only."),
        click.option("--no-redact", "redact", is_flag=True, flag_value=False, default=True,
                     help="Keep secrets (keys, tokens, cookies) in what is written."),
        click.option("-q", "--quiet", is_flag=True, help="No summary at the end."),
        click.option("-f", "follow", is_flag=True, hidden=True, expose_value=False, help="Always on; strace's users type it."),
        click.option("--ready-file", hidden=True, metavar="PATH", help="Write the process id here when the probes are live."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def settings(
    output: str | None, force: bool, expressions: Sequence[str], summary: bool, counts: bool, transport: str, ring_mb: int | None,
    sample: int, max_body: int, redact: bool, quiet: bool, ready_file: str | None,
) -> Settings:
    """The values of `tracing_options` in one piece. Raises UsageError for those that exclude each other."""
    if summary and counts:
        raise UsageError("--summary and --counts exclude each other", "--summary measures latencies too; --counts costs less")
    mode = "summary" if summary else "counts" if counts else "full"
    return Settings(output, force, mode, ";".join(expressions), transport, sample, max_body, redact, ring_mb, quiet, ready_file)
