import hashlib
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from report.html import page as module
from report.html.facts import LONG_TABLES
from report.html.texts import LONGEST, shown, typed
from report.totals import document, totals_of
from tests.unit.html_columns import page_of
from tests.unit.report_sessions import AT_FDCWD, Story, cat_story
from tracer.errors import EbtraceError
from tracer.session.reader import open_session

HOSTILE = ("<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "\u2028\u2029", "\udcff\udc80", "\x1b[31mred", "\u202eevil",
           "{{ 7 * 7 }}",
           "]]>--><!--", "'\"><svg/onload=alert(1)>", "&lt;b&gt;", "a\nb\tc")


def story(**meta: Any) -> Story:
    told = cat_story(**meta)
    told.payload(12_000, 1, b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x04here\x02is\0\0\x01\0\x01", sent=True)
    return told


def hostile(text: str) -> Story:
    told = Story(command=[text, text], hostname=text, user=text, cwd=text, kernel=text, version=text, expression="")
    told.found(-10, 1, 100, comm=text.encode("utf-8", "surrogateescape")[:15])
    told.exec(5, 1, 100, f"/{text}", text, f"-{text}")
    told.call("openat", 1000, 5000, 3, [AT_FDCWD, told.string(f"/{text}/{text}"), 0])
    told.call("openat", 7000, 5000, -2, [AT_FDCWD, told.string(f"/x/{text}"), 0])
    return told


def test_the_tables_are_those_of_stats(tmp_path: Path) -> None:
    file = story().write(tmp_path / "a.ebt")
    with open_session(str(file)) as session:
        expected = json.loads(json.dumps(document(totals_of(session))))
    found = page_of(file)
    for name in LONG_TABLES:
        columns = found.tables[name]
        rows = [dict(zip(columns, values)) for values in zip(*columns.values())]
        assert rows == expected[name], name
        assert found.head["rows"][name] == len(expected[name])
    for name in ("session", "ledger", "tracer"):
        assert found.head[name] == expected[name]
    assert found.head["all_calls"] == sum(row["calls"] for row in expected["syscalls"])
    assert found.head["all_errors"] == 1
    assert [row["name"] for row in found.head["longest"]] == ["openat", "read"]


def test_the_summary_stands_in_the_page_without_any_script(tmp_path: Path) -> None:
    text = page_of(story().write(tmp_path / "a.ebt")).text
    assert "The program ran for 2.50 s and exited with 0." in text
    assert "It made 3 system calls; 1 of them failed. Most time went to openat (7.00 us)." in text
    assert "It read 1.23 kB from 1 file in 1 folder." in text
    assert "Ledger Nothing was lost" in text
    assert "380 ns" in text
    assert "31.5 MB" in text


def test_nothing_may_be_loaded_and_only_what_is_here_may_run(tmp_path: Path) -> None:
    found = page_of(story().write(tmp_path / "a.ebt"))
    digests = {name: b64encode(hashlib.sha256(found.scripts[name].encode()).digest()).decode() for name in ("", "style")}
    assert found.policy == (f"default-src 'none'; script-src 'sha256-{digests['']}'; style-src 'sha256-{digests['style']}'; worker-src blob:; "
                            "base-uri 'none'; form-action 'none'")
    given = [attrs for _, attrs in found.tags]
    assert not [attrs for attrs in given if {"src", "style", "onclick", "onload", "onerror"} & attrs.keys()]
    assert all(attrs["href"].startswith("#") for attrs in given if attrs.get("href"))
    assert not [tag for tag, _ in found.tags if tag in ("link", "img", "iframe", "object", "base", "form")]
    kinds = [attrs.get("type", "runs") for tag, attrs in found.tags if tag == "script"]
    assert kinds == ["application/json", "application/octet-stream", "text/plain", "runs", *["application/octet-stream"] * 6]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_program_says_stays_text(tmp_path: Path, text: str) -> None:
    plain, found = page_of(story().write(tmp_path / "a.ebt")), page_of(hostile(text).write(tmp_path / "b.ebt"), title=text)
    known = {tag for tag, _ in plain.tags} | {"a", "li", "ul"}
    assert {tag for tag, _ in found.tags} <= known
    assert found.scripts[""] == plain.scripts[""]
    assert found.policy == plain.policy
    assert found.head["title"] == shown(text)
    assert found.tables["processes"]["argv"] == [[shown(text), shown(f"-{text}")]]
    assert found.calls()[0]["args"]["path"] == shown(f"/{text}/{text}")
    assert not set(found.source) & {"\u2028", "\u2029", "\u202e", "\x1b", "\0"}
    found.source.encode()  # no surrogates


def test_endless_texts_are_cut_and_say_so(tmp_path: Path) -> None:
    told = Story(command=["x" * 1_000_000])
    told.found(-10, 1, 100)
    told.exec(5, 1, 100, "/bin/cat", "y" * 10_000_000, *["z"] * 100_000)
    told.call("openat", 1000, 5000, 3, [AT_FDCWD, told.string("/" + "w" * 10_000_000), 0])
    found = page_of(told.write(tmp_path / "a.ebt"), title="t" * 10_000_000)
    assert len(found.source) < 2_000_000
    assert found.head["title"] == "t" * LONGEST + "… (10,000,000 characters)"
    assert typed(["x" * 10_000_000]) == "x" * LONGEST + "…"


def test_a_session_that_was_cut_off_says_so(tmp_path: Path) -> None:
    told = story()
    found = page_of(told.write(tmp_path / "a.ebt", complete=False))
    assert "There is no END block: the tracer was stopped in mid-session, or is still at work." in found.text
    assert "The session has no end" in found.text
    assert "Nothing counted is missing, but the trace is not whole" in found.text
    assert len(found.calls()) == 3


def test_what_was_lost_is_a_warning(tmp_path: Path) -> None:
    told = story()
    told.lost["syscalls"] = 7
    told.sampled_out["syscalls"] = 1
    text = page_of(told.write(tmp_path / "a.ebt")).text
    assert "7 records are missing" in text
    assert "Lost: 7 of" in text
    assert "Left out as asked: 1 records" in text


def test_without_the_front_end_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUILT", tmp_path / "absent")
    with pytest.raises(EbtraceError, match="has not been built") as caught:
        page_of(story().write(tmp_path / "a.ebt"))
    assert "make setup" in caught.value.remedy


def test_a_session_of_totals_has_no_calls_to_show(tmp_path: Path) -> None:
    told = Story(mode="summary")
    for _ in range(5):
        told.call("read", 0, 100, 10, delivered=False)
    told.sampled_out["syscalls"] = 5
    found = page_of(told.write(tmp_path / "a.ebt"))
    assert (found.head["held"], found.head["all_calls"]) == (0, 5)
    assert found.tables["histograms"]["read"][0] == 5


def test_bytes_per_event(tmp_path: Path) -> None:
    told = Story()
    for turn in range(20_000):
        told.call(("openat", "read", "read", "close")[turn % 4], turn * 3000 + turn * 7919 % 2000, 200 + turn * 104_729 % 3000, turn % 4096,
                  [turn % 97, 0x7F0000000000 + turn % 8 * 4096, 4096], tid=100 + turn % 3)
    found = page_of(told.write(tmp_path / "a.ebt"))
    assert (len(found.scripts["columns"]) + len(found.scripts["texts"]) + len(found.scripts["levels"])) / 20_000 < 12
