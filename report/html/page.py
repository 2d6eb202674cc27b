"""The report as one HTML file: the template of report/web/, the bundle made from it, and the data, under a policy that allows nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from report.calls import arch_of
from report.exchanges import read_exchanges
from report.html.bodies import Bodies
from report.html.events import Events, events_of
from report.html.facts import compact, head_of, tables_of
from report.html.gate import Gate, Redactor
from report.html.kinds import CLASSES
from report.html.packing import deflated
from report.html.spoken import spoken
from report.html.story import story, warnings
from report.html.texts import shown, shown_all, typed
from report.syscalls import latency_histograms
from report.text import count, duration, size
from report.totals import Totals, document, totals_of
from report.trail import Trail
from tracer import __version__
from tracer.errors import EbtraceError
from tracer.session.reader import Session
from tracer.syscalls.errnos import errno_name

__all__ = ("MAX_EVENTS", "page")

MAX_EVENTS = 2_000_000
"""Calls that a report holds one by one unless asked otherwise: up to 20 MB, which browsers open in two seconds."""

_WEB = Path(__file__).parent.parent / "web"
_BUILT = _WEB / "built"
_LAST_ERRNO = 4095
_FAST = 3  # zlib: nine tenths of what 6 saves in a third of the time
_COMMAND = 280  # signs of the command at the head of the page


@dataclass(frozen=True)
class _Bundle:
    """What the front end is built to (report/web/bundle.py)."""

    script: str
    worker: str
    style: str


def page(session: Session, title: str | None = None, max_events: int = MAX_EVENTS, *, bodies: bool = True,
         redactor: Redactor | None = None) -> Iterator[str]:
    """The whole file, in pieces. ``title`` takes the place of the command line; without ``bodies`` headers and sizes of HTTP stay; ``redactor``
    looks through all that the traced program has said. EbtraceError if the front end has not been built."""
    bundle = _bundle()
    gate = Gate(redactor)
    trail = Trail(arch_of(session), max_events)
    exchanges = read_exchanges(session)
    for exchange in exchanges.told:
        gate.exchange(exchange)
    packed = Bodies(exchanges.told) if bodies else None  # while the totals are summed up
    totals = totals_of(session, trail=trail, exchanges=exchanges)
    told = gate.document(document(totals))
    facts = told["session"]
    if not bodies:
        told["llm"] = [{**row, "error": row["error"] and "failed"} for row in told["llm"]]  # what a server says of an error stands in a body
    said, left_out = spoken(exchanges.told, told, int(session.meta["started_ns"]), packed)
    events = events_of(session, trail, round(totals.session.duration_s * 1e9), max_events, gate)
    head = head_of(told)
    name = shown(title) if title else typed(facts["command"]) or "(no command)"
    head |= {"title": name, "chart": events.levels.chart, "span_ns": events.levels.width_ns * events.levels.pieces, "classes": CLASSES,
             "calls": events.survey.calls, "held": events.held, "every": events.choice.every, "bodies": bodies, "notes": left_out}
    environment = Environment(loader=FileSystemLoader(_WEB), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"count": count, "duration": duration, "size": size, "shown": shown}
    yield from environment.get_template("report.html.j2").generate(
        title=name, policy=_policy(bundle), style=Markup(bundle.style), script=Markup(bundle.script), worker=Markup(bundle.worker),
        version=__version__, facts=facts,
        command=typed(facts["command"], _COMMAND), story=story(told),
        warnings=[*warnings(told), *_aggregated(events), *left_out], ledger=head["ledger"], cost=totals.tracer, verdict=_verdict(totals),
        head=Markup(_embedded(head)),
        about=Markup(deflated(compact(_about_calls(told, events)), _FAST)),
        tables=Markup(deflated(compact({**tables_of(told, exchanges.told), "histograms": shown_all(latency_histograms(session))}), _FAST)),
        texts=Markup(deflated("\n".join(events.texts).encode(), _FAST)), levels=Markup(events.levels.columns.base64),
        events=Markup(events.columns.base64), spoken=Markup(said), bodies=Markup(packed.base64 if packed else ""))


def _bundle() -> _Bundle:
    try:
        texts = [(_BUILT / name).read_text("utf-8") for name in ("report.js", "worker.js", "report.css")]
    except OSError as error:
        raise EbtraceError("the front end of reports has not been built", "in a checkout: make setup; else install ebtrace again") from error
    return _Bundle(*texts)


def _policy(bundle: _Bundle) -> str:
    """Nothing from anywhere; the worker is made of a part of this file."""
    script, style = (f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in (bundle.script, bundle.style))
    return (f"default-src 'none'; script-src {script}; style-src {style}; worker-src blob:; base-uri 'none'; form-action 'none'")


def _embedded(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends that, whatever the texts hold."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII only: no U+2028 either
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _about_calls(told: dict[str, Any], events: Events) -> dict[str, Any]:
    """How the embedded columns are to be read: apart from the tables, so that this can begin while those are still being parsed."""
    known = {process["proc"]: process for process in told["processes"]}
    return {
        "kinds": [shown_all(kind.as_plain()) for kind in events.kinds],
        "threads": {"proc": [proc for proc, _ in events.threads], "tid": [tid for _, tid in events.threads],
                    "title": [shown(known[proc]["title"]) if proc in known else "?" for proc, _ in events.threads],
                    "pid": [known[proc]["pid"] if proc in known else None for proc, _ in events.threads]},
        "columns": events.columns.directory,
        "levels": {"width_ns": events.levels.width_ns, "pieces": events.levels.pieces, "columns": events.levels.columns.directory},
        "errnos": {number: name for number in range(1, _LAST_ERRNO + 1) if (name := errno_name(number)).isupper()},
    }


def _aggregated(events: Events) -> list[str]:
    choice = events.choice
    if choice.every == 1:
        return []
    slow = f"all calls of {duration(choice.slow_ns)} and more, " if choice.slow_ns else ""
    failed = "all that failed" if choice.failed_every == 1 else f"one in {count(choice.failed_every)} of those that failed"
    return [f"The session has {count(events.survey.calls)} calls, too many for one page. It holds {count(events.held)} of them one by one: "
            f"{slow}{failed}, and one in {count(choice.every)} of the others. Charts, totals and tables count all of them; "
            "what descriptors stood for is not told call by call."]


def _verdict(totals: Totals) -> tuple[str, str]:
    """Whether anything was lost, and how bad that is."""
    lanes = totals.ledger.values()
    lost, unaccounted = sum(lane.lost for lane in lanes), sum(abs(lane.unaccounted) for lane in lanes)
    if lost or unaccounted:
        return f"{count(lost + unaccounted)} records are missing", "bad"
    if totals.session.missed_tasks or not totals.session.complete:
        return "Nothing counted is missing, but the trace is not whole", "poor"
    return "Nothing was lost", "good"
