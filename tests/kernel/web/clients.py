"""The client programs of the tests: how each is told what to ask for, and which library does its TLS."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.kernel.support import need_tool
from tests.kernel.web import programs
from tests.kernel.web.certificate import Certificate
from tests.kernel.web.plans import EVERYTHING, Plan, curl_config, plan, write_plan

__all__ = ("CLIENTS", "Client", "library_of", "trusting")

Words = list[str]


class Client(NamedTuple):
    """``words`` gives the command for (folder, requests, path of the authority's certificate)."""

    words: Callable[[Path, Plan, str], Words]
    library: str  # "" where it depends on the distribution: then `library_of` its program tells
    protocol: str = "http/1.1"
    asked: list[tuple[Any, ...]] = EVERYTHING
    connections: int = 0  # how many it opens; 0: as many as it likes

    def requests(self, url: str) -> Plan:
        return plan(url, self.asked)


def trusting(trust: Certificate) -> dict[str, Any]:
    """How Popen is to start a client: with an environment in which the authority is trusted, and no home that tells it otherwise."""
    told = {"NODE_EXTRA_CA_CERTS": str(trust.authority), "SSL_CERT_FILE": str(trust.authority), "CURL_HOME": "/nonexistent"}
    return {"env": {**os.environ, **told}}


def library_of(program: str) -> str:
    """What a program of the distribution was built with, as it says itself."""
    told = subprocess.run([need_tool(program), "--version"], capture_output=True, text=True, check=True, timeout=60).stdout.lower()
    return "gnutls" if "gnutls" in told else "openssl"


def _curl(*options: str, parallel: bool = False) -> Callable[[Path, Plan, str], Words]:
    def words(folder: Path, requests: Plan, authority: str) -> Words:
        config = curl_config(folder / "curl.config", requests, "compressed", *options, *([f"cacert = {authority}"] if authority else []))
        return [need_tool("curl"), *(["-Z", "--parallel-max", "50"] if parallel else []), "--config", str(config)]

    return words


def _ask(way: str) -> Callable[[Path, Plan, str], Words]:
    return lambda folder, requests, authority: [
        sys.executable, str(programs.ASK), way, str(write_plan(folder / "plan.json", requests)), authority]


def _script(program: Callable[[], Path], name: str, *rest: str) -> Callable[[Path, Plan, str], Words]:
    return lambda folder, requests, _: [str(program()), str(programs.TARGETS / name), str(write_plan(folder / "plan.json", requests)), *rest]


def _go(stripped: bool, *rest: str) -> Callable[[Path, Plan, str], Words]:
    return lambda folder, requests, _: [str(programs.go_client(stripped)), str(write_plan(folder / "plan.json", requests)), *rest]


def _wget(_: Path, requests: Plan, authority: str) -> Words:
    trusted = [f"--ca-certificate={authority}"] if authority else []
    urls = [request["url"] for request in requests]
    return [need_tool("wget"), "--no-config", "-q", "-O", "/dev/null", "--header=x-asked-by: ebtrace tests", *trusted, *urls]


def _s_client(folder: Path, requests: Plan, authority: str) -> Words:
    """What a person would type: openssl s_client, with requests in a pipe, all of them at once."""
    authority_part = requests[0]["url"].split("/")[2]
    asked = folder / "asked"
    texts = [f"GET /{request['url'].split('/', 3)[3]} HTTP/1.1\r\nHost: {authority_part}\r\n" for request in requests]
    asked.write_text("".join(f"{text}\r\n" for text in texts[:-1]) + texts[-1] + "Connection: close\r\n\r\n", newline="")
    return ["sh", "-c", f"{need_tool('openssl')} s_client -quiet -CAfile {authority} -connect {authority_part} <{asked} >/dev/null 2>&1"]


_GOOD = [asked for asked in EVERYTHING if asked[1] not in ("/status/500", "/nowhere")]  # for those that take an error for one
_GETS = [asked for asked in _GOOD if asked[0] == "GET"]

CLIENTS = {
    "curl": Client(_curl("http1.1"), "", connections=1),
    "curl-parallel": Client(_curl("http1.1", parallel=True), ""),
    "curl-http2": Client(_curl("http2"), "", "h2", connections=1),
    "curl-http2-parallel": Client(_curl("http2", parallel=True), "", "h2", connections=1),
    "wget": Client(_wget, "", asked=_GETS, connections=1),
    "s_client": Client(_s_client, "openssl", asked=_GETS, connections=1),
    "python-urllib": Client(_ask("urllib"), "openssl", asked=_GOOD, connections=len(_GOOD)),
    "python-http.client": Client(_ask("client"), "openssl", connections=1),
    "python-threads": Client(_ask("threads"), "openssl", connections=len(EVERYTHING)),
    "python-asyncio": Client(_ask("asyncio"), "openssl", connections=len(EVERYTHING)),
    "httpx-http2": Client(_ask("httpx"), "openssl", "h2", connections=1),
    "httpx-http2-parallel": Client(_ask("httpx-all"), "openssl", "h2", connections=1),
    "node-fetch": Client(_script(programs.node, "fetch.mjs"), "openssl"),
    "node-fetch-parallel": Client(_script(programs.node, "fetch.mjs", "parallel"), "openssl", connections=len(EVERYTHING)),
    "node-http2": Client(_script(programs.node, "streams.mjs"), "openssl", "h2", connections=1),
    "bun-fetch": Client(_script(programs.bun, "fetch.mjs"), "boringssl"),
    "bun-fetch-parallel": Client(_script(programs.bun, "fetch.mjs", "parallel"), "boringssl"),
    "go": Client(_go(False, "http1"), "go", connections=1),
    "go-parallel": Client(_go(False, "http1", "parallel"), "go"),
    "go-http2-parallel": Client(_go(False, "http2", "parallel"), "go", "h2", connections=1),
    "go-stripped": Client(_go(True, "http1", "parallel"), "go"),
    "go-stripped-http2": Client(_go(True, "http2", "parallel"), "go", "h2", connections=1),
}
