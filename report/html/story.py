"""What happened, in a few sentences. All numbers are those of the document of `ebtrace stats --json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from report.html.coverage import sentences
from report.html.texts import shown
from report.llm.facts import facts_of
from report.text import count, duration, size

__all__ = ("Part", "Sentence", "story", "warnings")

_NAMES_TOLD = 3
_ON_THIS_MACHINE = ("unix", "netlink", "socket")  # they lead to no host


class Part(NamedTuple):
    """A piece of a sentence."""

    text: str
    link: str = ""  # of the view that tells more, as the page's address names it
    code: bool = False  # something of the traced program's


Sentence = list[Part]


def story(document: Mapping[str, Any]) -> list[Sentence]:
    """The sentences, the most important first; what did not happen has none."""
    tellers: tuple[Callable[[Mapping[str, Any]], Sentence], ...] = (
        _run, _processes, _calls, _files, _changes, _searches, _llm, _http, _network, _names)
    return [sentence for sentence in (teller(document) for teller in tellers) if sentence]


def warnings(document: Mapping[str, Any]) -> list[str]:
    """What is not whole, as sentences."""
    told = [shown(problem) for problem in document["session"]["problems"]]
    lanes = document["ledger"]
    for lane, account in lanes.items():
        if account["lost"]:
            told.append(f"Lost: {count(account['lost'])} of {count(account['counted'])} records of {shown(lane)}. Totals are exact all the same.")
        if account["unaccounted"]:
            told.append(f"Unaccounted for: {count(abs(account['unaccounted']))} records of {shown(lane)}.")
    sampled = sum(account["sampled_out"] for account in lanes.values())
    if sampled:
        told.append(f"Left out as asked: {count(sampled)} records. Totals count them; lists of calls, and what is told of files, do not.")
    if not document["session"]["complete"] and document["session"]["reason"] is None:
        told.append("The session has no end: what happened after its last block is in no count.")
    return [*told, *map(shown, sentences(document))]


def _run(document: Mapping[str, Any]) -> Sentence:
    session = document["session"]
    lasted = duration(session["duration_s"] * 1e9)
    if session["kind"] == "attach":
        pid = session["pid"]
        return [Part(f"Process {pid} was" if pid else "Running processes were"), Part(f" watched for {lasted}.")]
    status = session["exit_status"]
    end = "; how it ended was not seen." if status is None else " and was killed by a signal, exit status " if status > 128 else " and exited with "
    return [Part("The program ran for "), Part(lasted), Part(end),
            *([] if status is None else [Part(str(status)), Part(".")])]


def _processes(document: Mapping[str, Any]) -> Sentence:
    processes = document["processes"]
    if len(processes) < 2:
        return []
    busiest = max(processes, key=lambda row: row["calls"])
    seen = "It started " if document["session"]["kind"] == "run" else "There were "
    number = len(processes) - (document["session"]["kind"] == "run")
    return [Part(seen), Part(_many(number, "process", "processes"), "processes"), Part("; the busiest was "),
            Part(_short(shown(busiest["title"])), code=True), Part(f" with {_many(busiest['calls'], 'call')}.")]


def _calls(document: Mapping[str, Any]) -> Sentence:
    syscalls = document["syscalls"]
    calls, errors = (sum(row[field] for row in syscalls) for field in ("calls", "errors"))
    if not calls:
        return []
    most = max(syscalls, key=lambda row: row["total_ns"])
    spent = [Part(" Most time went to "), Part(shown(most["name"]), f"syscalls?sel=syscall:{most['name']}", code=True),
             Part(f" ({duration(most['total_ns'])}).")] if most["total_ns"] else []
    failed = [Part("; "), Part(f"{count(errors)} of them", "events?q=error:*"), Part(" failed.")] if errors else [Part("; none failed.")]
    return [Part("It made "), Part(_many(calls, "system call"), "syscalls"), *failed, *spent]


def _files(document: Mapping[str, Any]) -> Sentence:
    files = [row for row in document["files"] if row["kind"] == "file"]
    sentence: Sentence = []
    for field, verb in (("read_bytes", "read"), ("written_bytes", "wrote")):
        used = [row for row in files if row[field]]
        if used:
            folders = len({row["path"].rpartition("/")[0] for row in used})
            moved, where = size(sum(row[field] for row in used)), "from" if verb == "read" else "to"
            first = " and" if sentence else "It"
            sentence += [Part(f"{first} {verb} {moved} {where} "), Part(_many(len(used), "file"), "files"),
                         Part(f" in {_many(folders, 'folder')}")]
    return [*sentence, Part(".")] if sentence else []


def _changes(document: Mapping[str, Any]) -> Sentence:
    counts = [(sum(bool(row[field]) for row in document["files"]), verb) for field, verb in (("created", "created"), ("deleted", "deleted"))]
    parts = [f"{verb} {_many(number, 'file')}" for number, verb in counts if number]
    return [Part("It "), Part(" and ".join(parts), "files?q=is:changed"), Part(".")] if parts else []


def _searches(document: Mapping[str, Any]) -> Sentence:
    missing = [row for row in document["searches"] if row["error"] == "ENOENT" and row["found"] is None]
    if not missing:
        return []
    return [Part("It looked in vain for "), Part(_many(len(missing), "name"), "files?q=is:missing"), Part(", most often for "),
            Part(_short(shown(missing[0]["name"])), code=True), Part(f" ({_many(missing[0]['tries'], 'try', 'tries')}).")]


def _llm(document: Mapping[str, Any]) -> Sentence:
    facts = facts_of(document["llm"])
    if not facts.calls:
        return []
    known = facts.input_tokens + facts.output_tokens > 0
    tokens = f"; {count(facts.input_tokens)} tokens went in and {count(facts.output_tokens)} came out" if known else ""
    return [Part("It made "), Part(_many(facts.calls, "LLM call"), "http"), Part(" to "), *_listed(facts.models),
            Part(f", {duration(facts.waiting_ns)} of {duration(document['session']['duration_s'] * 1e9)} waiting for the model{tokens}"),
            *([Part("; "), Part(f"{count(facts.failed)} of them", "http?q=is:llm+is:failed"), Part(" failed")] if facts.failed else []), Part(".")]


def _http(document: Mapping[str, Any]) -> Sentence:
    sides = [[row for row in document["http"] if row["side"] == side] for side in ("client", "server")]
    told: Sentence = []
    for rows, verb in zip(sides, ("sent", "answered"), strict=True):
        if not rows:
            continue
        failed = sum(row["status"] is None or row["status"] >= 400 for row in rows)
        told += [Part(f"{', and' if told else 'It'} {verb} "), Part(_many(len(rows), "HTTP request"), "http?as=exchanges")]
        if verb == "sent":
            hosts = list(Counter(_host(row["url"]) for row in rows))
            told += [Part(f" to {_many(len(hosts), 'host')}: "), *_listed(hosts)]
        if failed:
            told += [Part(", of which "), Part(count(failed), f"http?as=exchanges&q=is:failed+is:{rows[0]['side']}"), Part(" failed")]
    return [*told, Part(".")] if told else []


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc or "?"
    except ValueError:
        return "?"


def _network(document: Mapping[str, Any]) -> Sentence:
    connections = [row for row in document["connections"] if row["remote"] and row["protocol"] not in _ON_THIS_MACHINE and not row["error"]]
    if not connections:
        return []
    hosts = list(Counter(row["name"] or row["remote"].rpartition(":")[0] or row["remote"] for row in connections))
    return [Part("It had "), Part(_many(len(connections), "connection"), "network"), Part(f" to {_many(len(hosts), 'host')}: "), *_listed(hosts),
            Part(".")]


def _names(document: Mapping[str, Any]) -> Sentence:
    lookups = document["dns"]
    if not lookups:
        return []
    names = list(dict.fromkeys(row["name"] for row in lookups))
    failed = len(names) - len({row["name"] for row in lookups if row["status"] == "ok"})
    end = f"; {count(failed)} of them in vain." if failed else "."
    return [Part("It looked up "), Part(_many(len(names), "name"), "network"), Part(": "), *_listed(names), Part(end)]


def _listed(words: Sequence[str]) -> Sentence:
    told: Sentence = []
    for word in words[:_NAMES_TOLD]:
        told += [Part(", ")] if told else []
        told.append(Part(_short(shown(word)), code=True))
    return [*told, Part(f" and {count(len(words) - _NAMES_TOLD)} more")] if len(words) > _NAMES_TOLD else told


def _many(number: int, one: str, more: str = "") -> str:
    return f"{count(number)} {one if number == 1 else more or one + 's'}"


def _short(text: str, longest: int = 96) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
