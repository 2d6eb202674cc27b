"""A capability of the host, and how it was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ("Capability", "Check", "as_map", "lacking")


@dataclass(frozen=True)
class Check:
    """What was found. ``tested`` is False where rights, or another capability, were missing to try it."""

    name: str
    purpose: str
    required: bool
    ok: bool
    detail: str
    remedy: str = ""
    tested: bool = True

    @property
    def status(self) -> str:
        """ok, or what it means that it is not: missing, optional, untested."""
        if self.ok:
            return "ok"
        if not self.tested:
            return "untested"
        return "missing" if self.required else "optional"


@dataclass(frozen=True)
class Capability:
    """Something that ebtrace uses, and what for; without a ``required`` one nothing can be traced."""

    name: str
    purpose: str
    required: bool = True

    def found(self, detail: str) -> Check:
        """It is there."""
        return Check(self.name, self.purpose, self.required, True, detail)

    def missing(self, detail: str, remedy: str) -> Check:
        """It is not there."""
        return Check(self.name, self.purpose, self.required, False, detail, remedy)

    def untested(self, detail: str, remedy: str) -> Check:
        """It may be there."""
        return Check(self.name, self.purpose, self.required, False, detail, remedy, tested=False)


def lacking(checks: list[Check]) -> list[Check]:
    """Those without which nothing can be traced."""
    return [check for check in checks if check.required and not check.ok]


def as_map(checks: list[Check]) -> dict[str, Any]:
    """The document that `ebtrace doctor --json` prints."""
    rows = [
        {"name": check.name, "ok": check.ok, "required": check.required, "detail": check.detail, "remedy": check.remedy,
         "status": check.status, "purpose": check.purpose}
        for check in checks
    ]
    return {"ok": not lacking(checks), "checks": rows}
