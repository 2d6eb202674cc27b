"""One call of a large language model, and what OpenTelemetry calls the parts of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ("OTEL", "LlmCall", "Said", "ToolCall", "as_rows")


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model wants to be called."""

    id: str
    name: str
    arguments: str  # JSON, as the model wrote it; or what else it wrote


@dataclass(frozen=True)
class Said:
    """One message of a prompt."""

    role: str
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    answers: str = ""  # the id, or the name, of the tool call whose result this is
    attached: tuple[str, ...] = ()  # what else is in it: "image", "file", ...


@dataclass(frozen=True)
class LlmCall:
    """One call. Times are those of the exchange. None is what is not known.

    Tokens are what the server says. Input tokens are all of the prompt's, those among them that came out of a cache or went into it
    counted once; output tokens are all that the model made, its reasoning among them.
    """

    number: int  # of its exchange
    provider: str
    operation: str  # chat, text_completion, generate_content, embeddings
    model: str | None  # that was asked for
    response_model: str | None  # that answered
    response_id: str | None
    started_ns: int
    first_token_ns: int | None  # when the first text, reasoning or tool call of a stream arrived
    ended_ns: int | None
    ttft_ms: float | None  # from the last byte of the request to the first token
    tokens_per_s: float | None  # that were streamed, from the first to the last
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    finish_reasons: tuple[str, ...]
    messages: int | None  # in the prompt
    tools: tuple[str, ...]  # that were offered
    tool_calls: tuple[ToolCall, ...]
    text: str
    reasoning: str
    streamed: bool
    error: str | None
    retry_of: int | None  # the number of the call that failed before
    pid: int | None
    url: str
    status: int | None
    system: str  # instructions
    prompt: tuple[Said, ...]
    cut: bool  # something of the request or the response was not kept: what is not told here may stand there


def as_rows(calls: Iterable[LlmCall]) -> list[dict[str, Any]]:
    """The calls as plain data. Equal messages are one and the same map: a conversation is sent again with each call."""
    known: dict[Said, dict[str, Any]] = {}
    rows = []
    for call in calls:
        for said in call.prompt:
            if said not in known:
                known[said] = asdict(said)
        rows.append({**vars(call), "tool_calls": [asdict(tool) for tool in call.tool_calls], "prompt": [known[said] for said in call.prompt]})
    return rows


OTEL = {
    "provider": "gen_ai.provider.name",
    "operation": "gen_ai.operation.name",
    "model": "gen_ai.request.model",
    "response_model": "gen_ai.response.model",
    "response_id": "gen_ai.response.id",
    "ttft_ms": "gen_ai.response.time_to_first_chunk",  # there in seconds
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "tools": "gen_ai.tool.definitions",
    "text": "gen_ai.output.messages",
    "streamed": "gen_ai.request.stream",
    "error": "error.type",
    "status": "http.response.status_code",
    "url": "url.full",
    "system": "gen_ai.system_instructions",
    "prompt": "gen_ai.input.messages",
}
"""Fields of a call, and the attributes of OpenTelemetry's semantic conventions that mean the same."""
