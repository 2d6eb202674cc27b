"""The order of the examination: first what the host is, then what its kernel can do, last the whole way through."""

from __future__ import annotations

from tracer.doctor import host
from tracer.doctor.abilities import abilities
from tracer.doctor.checks import Check
from tracer.doctor.selftest import probes_cached, self_test

__all__ = ("examine",)


def examine() -> list[Check]:
    """Every check there is; takes a quarter of a second, and a second more where the probes have to be compiled."""
    return [
        host.kernel(), host.rights(), host.sudo(), host.others(), host.namespace(), host.settings(),
        *abilities(),
        host.bcc(probes_cached()),
        *self_test(),
    ]
