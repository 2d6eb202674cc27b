"""Reads back what a report embeds, as the page does: the other side of report/html/packing.py and report/html/events.py."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from report.html.page import page
from report.html.wording import SPOKEN
from tracer.session.reader import open_session


class Page(HTMLParser):
    """A report: its elements with an id or a text of their own, as a browser's parser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = text
        self.scripts: dict[str, str] = {}  # by id; "" is the one that runs
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag in ("script", "style"):
            self._open = given.get("id") or ("" if tag == "script" else "style")
            self.scripts[self._open] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is None:
            self.texts.append(data)
        else:
            self.scripts[self._open] += data

    @property
    def text(self) -> str:
        """All that is shown, without the scripts."""
        return re.sub(r"\s+", " ", "".join(self.texts))

    @property
    def policy(self) -> str:
        found = [given["content"] for tag, given in self.tags if tag == "meta" and given.get("http-equiv") == "Content-Security-Policy"]
        assert len(found) == 1
        return found[0] or ""

    @property
    def head(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scripts["head"])
        return found

    @property
    def about(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(inflated(self.scripts["about"]))
        return found

    @property
    def tables(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(inflated(self.scripts["tables"]))
        return found

    @property
    def spoken(self) -> dict[str, Any]:
        """What was said over HTTP, without bodies."""
        found: dict[str, Any] = json.loads(inflated(self.scripts["spoken"]))
        return found

    def body(self, row: int, part: int) -> bytes:
        """A body of an exchange: 0 of the request, 1 of the response, 2 of all messages. The page, too, cuts it out of the base64."""
        place = self.spoken["http"][row]["bodies"][part]
        if place is None:
            return b""
        at, stored, length, _ = place
        assert at % 3 == 0
        stream = b64decode(self.scripts["bodies"][at // 3 * 4:-(-(at + stored) // 3) * 4])[:stored]
        data = zlib.decompress(stream, -15)
        assert len(data) == length
        return data

    def calls(self) -> list[dict[str, Any]]:
        """All calls that are in the page, in its order."""
        columns = unpacked(b64decode(self.scripts["columns"]), self.about["columns"])
        return decoded(columns, self.about, inflated(self.scripts["texts"]).split("\n"))

    def level(self) -> dict[str, NDArray[np.uint64]]:
        directory = self.about["levels"]["columns"]
        found = unpacked(b64decode(self.scripts["levels"]), directory)
        found["piece"] = np.cumsum(found["piece"]) & np.uint64(0xFFFF)
        return found


def page_of(file: Path, **how: Any) -> Page:
    with open_session(str(file)) as session:
        return Page("".join(page(session, **how)))


def inflated(base64: str) -> str:
    return zlib.decompress(b64decode(base64), -15).decode()


def unpacked(data: bytes, directory: Mapping[str, Any]) -> dict[str, NDArray[np.uint64]]:
    at = 0
    columns = {}
    for name, told in directory.items():
        values = np.zeros(told["rows"], np.uint64)
        for plane, length, kept in told["planes"]:
            octets = np.frombuffer(zlib.decompress(data[at:at + length], -15), np.uint8)
            if kept >= 0:
                some, octets = octets, np.zeros(told["rows"], np.uint8)
                octets[some[:4 * kept].view("<u4")] = some[4 * kept:]
            assert len(octets) == told["rows"]
            values |= octets.astype(np.uint64) << np.uint64(8 * plane)
            at += length
        columns[name] = values
    assert at == len(data)
    return columns


def decoded(columns: Mapping[str, NDArray[np.uint64]], about: Mapping[str, Any], texts: list[str]) -> list[dict[str, Any]]:
    kinds, threads = about["kinds"], about["threads"]
    rows: list[dict[str, Any]] = [{"kind": int(kind), "thread": int(thread)} for kind, thread in zip(columns["kind"], columns["thread"])]
    for kind in range(len(kinds)):
        before = {"ret": 0, "a0": 0, "a1": 0, "a2": 0, "thing": 0}
        places = [place for place, row in enumerate(sorted(rows, key=lambda row: row["kind"])) if row["kind"] == kind]
        for place, row in zip(places, (row for row in rows if row["kind"] == kind)):
            for name in before:
                before[name] ^= int(columns[name][place])
                row[name] = before[name]
            row["duration"], row["flags"] = int(columns["duration"][place]), int(columns["flags"][place])
    place = 0
    for thread in range(len(threads["tid"])):
        end = 0
        for row in (row for row in rows if row["thread"] == thread):
            gap = int(columns["gap"][place])
            row["start"] = end + (-(gap >> 1) - 1 if gap & 1 else gap >> 1)
            end = row["start"] + row["duration"]
            place += 1
    for row in rows:
        told = kinds[row["kind"]]
        row |= {"name": told["name"], "proc": threads["proc"][row["thread"]], "tid": threads["tid"][row["thread"]]}
        row["thing"] = texts[row["thing"]]
        row["ret"] -= row["ret"] >> 63 << 64
        row["args"] = {}
        for name, what, slot, shift, bits, signed in told["args"]:
            value = row[f"a{slot}"] >> shift & (1 << bits) - 1
            number = value - (value >> bits - 1 << bits) if signed else value
            row["args"][name] = texts[value] if what in SPOKEN else number
    return rows
