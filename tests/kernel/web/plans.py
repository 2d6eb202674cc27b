"""What clients are told to ask for: one list that uses all that HTTP has, and lists for special ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.kernel.web.routes import payload

__all__ = ("EVERYTHING", "Plan", "curl_config", "many", "plan", "write_plan")

Plan = list[dict[str, Any]]
EVERYTHING = [
    ("GET", "/bytes/1009"), ("GET", "/chunked/100003"), ("GET", "/gzip/50021"), ("GET", "/deflate/30011"), ("GET", "/gzip/70001?chunked"),
    ("GET", "/sse/17"), ("GET", "/status/204"), ("GET", "/status/500"), ("POST", "/echo", 131), ("POST", "/echo", 100_003),
    ("PUT", "/echo?q=a%20b", 0), ("DELETE", "/nowhere"), ("HEAD", "/bytes/7"), ("GET", "/bytes/200003"), ("GET", "/slow/20"), ("GET", "/v1/models"),
]


def plan(url: str, asked: list[tuple[Any, ...]], **headers: str) -> Plan:
    """Requests as the clients of tests/targets read them: (method, target) or (method, target, bytes of body)."""
    return [{"method": method, "url": url + target, "body": payload(size[0]).decode() if size else None,
             "headers": {"x-turn": str(turn), "x-asked-by": "ebtrace tests", **headers}}
            for turn, (method, target, *size) in enumerate(asked)]


def many(count: int) -> list[tuple[Any, ...]]:
    """Requests of many kinds, all of them short."""
    kinds = [("GET", "/bytes/{}"), ("POST", "/echo", 331), ("GET", "/slow/{}"), ("GET", "/gzip/{}")]
    return [(kind[0], kind[1].format(turn), *kind[2:]) for turn in range(count) for kind in (kinds[turn % len(kinds)],)]


def write_plan(path: Path, requests: Plan) -> Path:
    path.write_text(json.dumps(requests))
    return path


def curl_config(path: Path, requests: Plan, *options: str) -> Path:
    """The same as a file for ``curl --config``."""
    parts = []
    for request in requests:
        lines = ["silent", "show-error", "output = /dev/null", f"url = {request['url']}", *options]
        lines += ["head"] if request["method"] == "HEAD" else [f"request = {request['method']}"]
        lines += [f'header = "{name}: {value}"' for name, value in request["headers"].items()]
        if request["body"] is not None:
            data = path.with_suffix(f".{len(parts)}")
            data.write_text(request["body"])
            lines.append(f"data-binary = @{data}")
        parts.append("\n".join(lines))
    path.write_text("\nnext\n".join(parts) + "\n")
    return path
