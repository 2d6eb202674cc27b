"""Every way ebtrace can fail, each with one sentence for the user, a remedy and an exit status.

    EbtraceError                  1  something failed
    |-- UsageError                2  the command line asks for something that cannot be
    |-- HostError                 3  the host lacks a permission or a kernel ability
    |   |-- PermissionMissing
    |   |-- KernelTooOld
    |   |-- CompilerMissing
    |-- TargetError               1  the program to trace is not there or cannot be started
    |-- OutputError               1  the session or report cannot be written
    `-- SessionError              4  a session file cannot be read
        |-- NotASession
        |-- NewerSession
        `-- DamagedSession
"""

from __future__ import annotations

__all__ = (
    "CompilerMissing", "DamagedSession", "EbtraceError", "HostError", "KernelTooOld", "NewerSession", "NotASession",
    "OutputError", "PermissionMissing", "SessionError", "TargetError", "UsageError",
)


class EbtraceError(Exception):
    """A failure told to the user as one line of what happened and one line of what to do.

    ``remedy`` may be given by whoever raises; else the class's own is used.
    """

    status: int = 1
    default_remedy: str = ""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = self.default_remedy if remedy is None else remedy


class UsageError(EbtraceError):
    """The command line asks for something that cannot be."""

    status = 2
    default_remedy = "see: ebtrace --help"


class HostError(EbtraceError):
    """The host lacks a permission or a kernel ability."""

    status = 3
    default_remedy = "see what this host can do: ebtrace doctor"


class PermissionMissing(HostError):
    """The kernel refused for want of rights."""

    default_remedy = "run it as root: sudo ebtrace ... (or see: ebtrace doctor)"


class KernelTooOld(HostError):
    """The kernel lacks something that nothing else can stand in for."""


class CompilerMissing(HostError):
    """BCC, which compiles the probes at first use, is not installed."""

    default_remedy = "install it: apt install python3-bpfcc"


class TargetError(EbtraceError):
    """The program to trace is not there, or cannot be started."""


class OutputError(EbtraceError):
    """A file cannot be written."""


class SessionError(EbtraceError):
    """A session file cannot be read."""

    status = 4


class NotASession(SessionError):
    """The file does not start as an ebtrace session does."""

    default_remedy = "give a file that `ebtrace run` or `ebtrace attach` wrote (*.ebt)"


class NewerSession(SessionError):
    """The file was written by a later ebtrace with a format this one does not know."""

    default_remedy = "read it with a newer ebtrace"


class DamagedSession(SessionError):
    """Not one whole block could be read."""
