"""A language model that says what it is told to: OpenAI's two interfaces and Anthropic's, streamed and whole, with tool calls and usage.

What it does is asked for in the last message: "use NAME" calls that tool if it is offered, "be busy" gets a 429 until the request bears the
header x-retry. Anything else is answered with ``WORDS``. `Reply.told` says what a report should find.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.kernel.web.llm_streams import ANSWERS, Answer
from tests.kernel.web.log import Headers, Reply

__all__ = ("ARGUMENTS", "FIRST_S", "WORDS", "reply_to")

WORDS = ["Hello", " from", " the", " mock", " model", ", déjà", " vu."]
FIRST_S, NEXT_S = 0.025, 0.003  # what a caller waits for the first token, and between the others
ARGUMENTS = {"bash": {"command": "echo from the tool", "description": "Says where it comes from"}}
_CITY = {"city": "Paris", "days": 3}
_PATHS = {"chat/completions": "chat", "responses": "responses", "messages": "messages"}


def reply_to(method: str, path: str, headers: Headers, body: bytes) -> Reply:
    """The answer to a request of /v1/``path``."""
    if method == "GET":
        return _json({"object": "list", "data": [{"id": "mock-1", "object": "model"}]})
    request = json.loads(body)
    interface = _PATHS[path]
    last = _last(request)
    if "be busy" in last and not any(name.lower() == "x-retry" for name, _ in headers):
        return _json({"error": {"message": "Slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}, 429)
    offered = [tool.get("name") or tool.get("function", {}).get("name") for tool in request.get("tools") or ()]
    wanted = re.search(r"\buse (\w+)", last)
    tool = wanted[1] if wanted and wanted[1] in offered else ""
    answer = Answer(request["model"], WORDS, tool, ARGUMENTS.get(tool, _CITY), 1013 + len(last), 29, cached=512, reasoning=11)
    told = {
        "operation": interface, "model": request["model"], "tools": offered, "text": "" if tool else "".join(WORDS), "cached_tokens": answer.cached,
        "input_tokens": answer.input, "output_tokens": answer.output, "streamed": bool(request.get("stream")),
        "tool_calls": [{"id": answer.call_id, "name": tool, "arguments": answer.arguments}] if tool else [],
    }
    whole, stream = ANSWERS[interface]
    if not request.get("stream"):
        return _json(whole(answer), told=told)
    frames = stream(answer)
    return Reply(b"".join(frames), headers=[("Content-Type", "text/event-stream; charset=utf-8")], pieces=frames, first=FIRST_S, pause=NEXT_S,
                 framing="chunked", told=told)


def _json(value: Any, status: int = 200, told: dict[str, Any] | None = None) -> Reply:
    return Reply(json.dumps(value).encode(), status, [("Content-Type", "application/json")], told=told or {})


def _last(request: dict[str, Any]) -> str:
    """The text of the last message; of a tool's result, nothing."""
    if isinstance(request.get("input"), str):
        return str(request["input"])
    message = (request.get("messages") or request["input"])[-1]
    if message.get("role") != "user":
        return ""
    content = message["content"]
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
