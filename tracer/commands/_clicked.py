"""`run` and `attach` as click has them: made of the same options that the quick parser reads, for what that one leaves over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from tracer.commands._options import OPTIONS, Choice, Number, Option, Seconds, Size

__all__ = ("clicked",)


def clicked(name: str, function: Callable[..., int]) -> click.Command:
    """The command that parses the words for ``function``, "run" or "attach" by ``name``, and says in its help what its docstring says."""
    parameters: list[click.Parameter] = [_option(option) for option in OPTIONS[name]]
    if name == "run":
        parameters.append(click.Argument(["words"], metavar="CMD...", nargs=-1, type=click.UNPROCESSED))
    make = click.command(params=parameters, context_settings={"allow_interspersed_args": name != "run"})
    return make(click.pass_obj(function))


def _option(option: Option) -> click.Option:
    return click.Option([*option.names, option.dest], help=option.explanation, hidden=option.hidden, expose_value=option.exposed, **_kind(option))


def _kind(option: Option) -> dict[str, Any]:
    """What click is told of the value."""
    kind = option.kind
    if kind is None:
        # Not with a flag_value of False: whether a default of True then stands for True depends on the version of click (8.3.0 to 8.3.2: no).
        return {"is_flag": True} if option.given else {"is_flag": True, "callback": lambda _context, _parameter, given: not given}
    told: dict[str, Any] = {"metavar": option.metavar, "multiple": option.repeated, "show_default": option.show_default}
    if option.default is not None:
        told["default"] = option.default
    if isinstance(kind, Choice):
        told["type"] = click.Choice(kind.words)
    elif isinstance(kind, Number):
        told["type"] = click.IntRange(kind.least, kind.most)
    elif isinstance(kind, Seconds):
        told["type"] = click.FloatRange(0, min_open=True)
    elif isinstance(kind, Size):
        told["callback"] = lambda _context, _parameter, text: _bytes(kind, text)
    return told


def _bytes(kind: Size, text: str) -> int:
    try:
        number: int = kind.read(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return number
