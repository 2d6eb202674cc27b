"""Which exchanges are calls of a model: told by the path, by what the request holds, and by hosts that are known."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

from report.llm import anthropic, gemini, ollama, openai_chat, openai_responses
from report.llm.answer import Answer
from report.llm.asked import Asked
from tracer.session.exchanges import Exchange

__all__ = ("Dialect", "Route", "route_of")


class Dialect(NamedTuple):
    """How requests and responses are read."""

    name: str
    provider: str  # if the host is not known
    asked: Callable[[dict[str, Any]], Asked]
    read: Callable[[Answer, dict[str, Any], str], None]


class Route(NamedTuple):
    """What an exchange is."""

    dialect: Dialect
    provider: str
    operation: str
    model: str = ""  # as far as the path tells


_CHAT = Dialect("openai_chat", "openai-compatible", openai_chat.asked, openai_chat.read)
_RESPONSES = Dialect("openai_responses", "openai-compatible", openai_responses.asked, openai_responses.read)
_ANTHROPIC = Dialect("anthropic", "anthropic-compatible", anthropic.asked, anthropic.read)
_GEMINI = Dialect("gemini", "gcp.gen_ai", gemini.asked, gemini.read)
_OLLAMA = Dialect("ollama", "ollama", ollama.asked, ollama.read)

# The names are OpenTelemetry's where it has one
_PROVIDERS = {
    "api.openai.com": "openai", "chatgpt.com": "openai", "openai.azure.com": "azure.ai.openai", "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference", "api.anthropic.com": "anthropic", "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai", "cloudcode-pa.googleapis.com": "gcp.gemini", "api.groq.com": "groq", "api.deepseek.com": "deepseek",
    "api.mistral.ai": "mistral_ai", "openrouter.ai": "openrouter", "api.x.ai": "x_ai", "api.perplexity.ai": "perplexity",
    "api.cohere.ai": "cohere", "api.cohere.com": "cohere", "api.moonshot.ai": "moonshot_ai", "api.together.xyz": "together_ai",
    "api.fireworks.ai": "fireworks_ai", "githubcopilot.com": "github_copilot", "ollama.com": "ollama", "opencode.ai": "opencode",
}
_REGION = re.compile(r"^[a-z0-9-]+-(?=aiplatform\.googleapis\.com$)")
_OLLAMA_PORT = "11434"

# The path's end; dialect, operation; what the request has: one of these
_PATHS: tuple[tuple[str, Dialect, str, tuple[tuple[str, ...], ...]], ...] = (
    ("/chat/completions", _CHAT, "chat", (("messages",),)),
    ("/completions", _CHAT, "text_completion", (("prompt",),)),
    ("/responses", _RESPONSES, "chat", (("model", "input"), ("model", "previous_response_id"), ("model", "prompt"))),
    ("/messages", _ANTHROPIC, "chat", (("messages", "max_tokens"),)),
    ("/api/chat", _OLLAMA, "chat", (("model", "messages"),)),
    ("/api/generate", _OLLAMA, "text_completion", (("model", "prompt"),)),
    ("/api/embed", _OLLAMA, "embeddings", (("model", "input"),)),
    ("/api/embeddings", _OLLAMA, "embeddings", (("model", "prompt"),)),
    ("/embeddings", _CHAT, "embeddings", (("input",),)),
)
_GOOGLE = re.compile(r"/models/([^/:]+):(generateContent|streamGenerateContent|embedContent|batchEmbedContents|rawPredict|streamRawPredict)$")
_ENVELOPED = re.compile(r"/v1internal:(generateContent|streamGenerateContent)$")
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")


def route_of(exchange: Exchange, body: Any) -> Route | None:
    """What kind of call this is; None if it is none. ``body`` is what the request's body says, as far as it could be read."""
    cut = exchange.request_cut
    path = exchange.target.partition("?")[0].rstrip("/")
    if exchange.method != "POST" or exchange.protocol == "websocket" or not (isinstance(body, dict) or (body is None and cut)):
        return None
    host, _, port = exchange.authority.lower().partition(":")
    host = _REGION.sub("", host)
    provider = next((name for end, name in _PROVIDERS.items() if host == end or host.endswith("." + end)), "")
    found = _GOOGLE.search(path)
    if found is not None:
        model, verb = unquote(found[1]), found[2]
        if "awPredict" in verb:
            return Route(_ANTHROPIC, provider or "gcp.vertex_ai", "chat", model) if "/anthropic/" in path else None
        return Route(_GEMINI, provider or _GEMINI.provider, "embeddings" if "mbed" in verb else "generate_content", model)
    if _ENVELOPED.search(path):
        return Route(_GEMINI, provider or _GEMINI.provider, "generate_content")
    for end, dialect, operation, shapes in _PATHS:
        if not path.endswith(end):
            continue
        sure = bool(provider) or "/v1/" in path or (dialect is _OLLAMA and port == _OLLAMA_PORT)
        if not _fits(body, shapes, cut, sure):
            continue
        if not provider and port == _OLLAMA_PORT:
            provider = _OLLAMA.provider
        deployment = _DEPLOYMENT.search(path)
        return Route(dialect, provider or dialect.provider, operation, unquote(deployment[1]) if deployment else "")
    return None


def _fits(body: Any, shapes: tuple[tuple[str, ...], ...], cut: bool, sure: bool) -> bool:
    """Whether the request holds what such a request does; of one that was cut something may be missing, if its path leaves no doubt."""
    fields = body or {}
    if cut and sure:
        return True
    return any(all(fields.get(name) is not None for name in shape) for shape in shapes)
