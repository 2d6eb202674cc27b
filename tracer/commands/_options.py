"""The options of `run` and `attach`, as data for both who read a command line: the quick parser (_quick.py), and click (_clicked.py).

The quick one takes what is plainly right. For all else, and for every text that the user gets to see, there is click.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, which takes longer to load than a command line to parse
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ("OPTIONS", "Choice", "Number", "Option", "Seconds", "Size", "Text")

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}
_MAX_BODY = 32 << 20  # what one body may be in a session


class Text:
    """The value of an option: any text."""

    def read(self, text: str) -> Any:
        """The value. Raises ValueError for what is wrong, and for what is so unusual that click should decide."""
        return text


class Choice(Text):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, text: str) -> Any:
        if text not in self.words:
            raise ValueError(text)
        return text


class Number(Text):
    """A whole number from ``least`` to ``most``; None: without an upper limit."""

    def __init__(self, least: int, most: int | None = None) -> None:
        self.least, self.most = least, most

    def read(self, text: str) -> Any:
        number = int(text) if text.isascii() and text.isdigit() else -1
        if number < self.least or (self.most is not None and number > self.most):
            raise ValueError(text)
        return number


class Seconds(Text):
    """A time in seconds, longer than none."""

    def read(self, text: str) -> Any:
        seconds = float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else 0.0
        if not seconds > 0:
            raise ValueError(text)
        return seconds


class Size(Text):
    """A number of bytes: 4096, 256k, 2M. What `read` raises is the message for the user; click asks it too."""

    def read(self, text: str) -> Any:
        word = text.strip().lower().removesuffix("b")
        number, unit = (word[:-1], word[-1:]) if word[-1:] in ("k", "m") else (word, "")
        if not (number.isdigit() and number.isascii() and len(number) < 12) or int(number) * _UNITS[unit] > _MAX_BODY:
            raise ValueError(f"{text!r} is no size up to 32M, such as 0, 4096, 256k or 2M")
        return int(number) * _UNITS[unit]


class Option:
    """One option: how it is typed, and the parameter ``dest`` of the command that gets its value.

    Without a ``kind`` it is a flag, and stands for ``given``. ``default`` is what one could have typed; ``repeated`` ones collect a tuple.
    Not ``exposed``: it is taken, and that is all.
    """

    def __init__(
        self, names: Sequence[str], dest: str, kind: Text | None, explanation: str, *, metavar: str | None = None, default: str | None = None,
        show_default: bool = False, given: bool = True, repeated: bool = False, hidden: bool = False, exposed: bool = True,
    ) -> None:
        self.names, self.dest, self.kind = names, dest, kind
        self.explanation, self.metavar, self.default, self.show_default, self.hidden = explanation, metavar, default, show_default, hidden
        self.given, self.repeated, self.exposed = given, repeated, exposed

    def unset(self) -> Any:
        """The value where the option is not given."""
        if self.kind is None:
            return not self.given
        if self.repeated:
            return ()
        return None if self.default is None else self.kind.read(self.default)


_TRACING = (  # how to trace and where to write; Settings takes them in
    Option(("-o", "--output"), "output", Text(), "Write the session here (default: ebtrace-NAME.PID.ebt).", metavar="FILE"),
    Option(("--force",), "force", None, "Overwrite an existing file."),
    Option(("-e",), "expressions", Text(), "What to trace, in strace's words: trace=%file,openat.", metavar="EXPR", repeated=True),
    Option(("--summary",), "summary", None, "Exact totals and latencies only, no single events."),
    Option(("--counts",), "counts", None, "Call counts only, without latency: the cheapest."),
    Option(("--transport",), "transport", Choice("ring", "perf"), "Kernel buffers to use.", default="ring", show_default=True),
    Option(("--ring-mb",), "ring_mb", Number(1, 1024), "Size of the kernel buffer for events.", metavar="N"),
    Option(("--sample",), "sample", Number(1), "Keep one call in N (totals stay exact).", metavar="N", default="1"),
    Option(("--max-body",), "max_body", Size(), "Of a message's body over HTTP keep so much; 0: headers only.",
           metavar="SIZE", default="256k", show_default=True),
    Option(("--no-redact",), "redact", None, "Keep secrets (keys, tokens, cookies) in what is written.", given=False),
    Option(("-q", "--quiet"), "quiet", None, "No summary at the end."),
    Option(("-f",), "follow", None, "Always on; strace's users type it.", hidden=True, exposed=False),
    Option(("--ready-file",), "ready_file", Text(), "Write the process id here when the probes are live.", metavar="PATH", hidden=True),
)
OPTIONS = {
    "run": (
        *_TRACING,
        Option(("--as-root",), "as_root", None, "Under sudo: run CMD as root, not as the user who called sudo."),
    ),
    "attach": (
        Option(("-p", "--pid"), "words", Text(), "The process to trace; several are allowed, as in strace.", metavar="PID", repeated=True),
        Option(("--no-children",), "no_children", None, "Leave out the children the process has now."),
        Option(("--duration",), "duration", Seconds(), "Stop after S seconds.", metavar="S"),
        *_TRACING,
    ),
}
