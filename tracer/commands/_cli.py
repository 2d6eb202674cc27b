"""The click group: which subcommands there are and where they live. A subcommand's module is imported when it is called, not before."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import click

from tracer import __version__
from tracer.commands._clicked import clicked
from tracer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.commands._workers import StartWorker

__all__ = ("run_command",)

# name: (module with `command`, a click command or the function for one; line that --help shows)
_COMMANDS = {
    "run": ("tracer.commands.run", "Start a program and trace it and its children."),
    "attach": ("tracer.commands.attach", "Trace running processes (short: ebtrace -p PID)."),
    "stats": ("tracer.commands.stats", "Totals, syscalls, files and the loss ledger of a session."),
    "report": ("tracer.commands.report", "The HTML report of a session: one file, for any browser."),
    "export": ("tracer.commands.export", "Every event of a session, one JSON object a line."),
    "doctor": ("tracer.commands.doctor", "What this host can do, tested live."),
    "bench": ("tracer.commands.bench", "Measure here what tracing costs."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(_COMMANDS[cmd_name][0]).command
        return command if isinstance(command, click.Command) else clicked(cmd_name, command)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS:
            raise UsageError(f"there is no command {args[0]!r}", f"to trace a program: ebtrace run -- {args[0]}   (all commands: ebtrace --help)")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="ebtrace %(version)s")
@click.pass_context
def _ebtrace(context: click.Context) -> None:
    """Shows what a program really does, from the kernel: every syscall with its latency, files and sockets by name, every process."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(UsageError.status)


def run_command(words: Sequence[str], start: StartWorker | None) -> int:
    """Runs one command line and returns the exit status; click's own complaints become UsageError."""
    try:
        status = _ebtrace.main(list(words), "ebtrace", standalone_mode=False, obj=start)
    except click.UsageError as error:
        topic = f"ebtrace {words[0]}" if words and words[0] in _COMMANDS else "ebtrace"
        raise UsageError(_sentence(error.format_message()), f"see: {topic} --help") from None
    except click.ClickException as error:
        raise UsageError(_sentence(error.format_message())) from None
    except click.Abort:
        raise KeyboardInterrupt from None
    return status if isinstance(status, int) else 0


def _sentence(text: str) -> str:
    """click's "No such option: -x." in our form, which starts small after "ebtrace: " and has no full stop."""
    return (text[:1].lower() + text[1:]).rstrip(".")
