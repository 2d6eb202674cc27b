"""Google's generateContent, and its embeddings; bare, or in the envelope of Code Assist."""

from __future__ import annotations

from typing import Any

from report.llm.answer import Answer
from report.llm.asked import Asked
from report.llm.call import Said, ToolCall
from report.llm.loose import at, compact, items, mapping, named, tell, text, whole

__all__ = ("asked", "read")

_ATTACHED = ("inlineData", "inline_data", "fileData", "file_data", "executableCode", "codeExecutionResult")


def asked(body: dict[str, Any]) -> Asked:
    """What a request asks; its model is mostly in the path."""
    found = Asked(text(body.get("model")).removeprefix("models/"))
    if isinstance(body.get("request"), dict):
        body = body["request"]
    found.system += filter(None, [_texts(body.get("systemInstruction") or body.get("system_instruction"))])
    for tool in items(body.get("tools")):
        for name, told in mapping(tool).items():
            found.tools += named(told) if name in ("functionDeclarations", "function_declarations") else [name]
    contents = body.get("contents") or body.get("content")
    contents = [contents] if isinstance(contents, dict) else contents
    if isinstance(contents, list):
        found.messages = len(contents)
    for content in items(contents):
        calls = tuple(_call(at(part, "functionCall")) for part in items(at(content, "parts")) if at(part, "functionCall"))
        for answered in filter(None, (at(part, "functionResponse") for part in items(at(content, "parts")))):
            found.prompt.append(Said("tool", compact(at(answered, "response")), answers=text(at(answered, "id")) or text(at(answered, "name"))))
        kinds = tuple(name for part in items(at(content, "parts")) for name in _ATTACHED if at(part, name) is not None)
        said = _texts(content)
        if said or calls or kinds:
            found.prompt.append(Said(text(at(content, "role")) or "user", said, calls, attached=kinds))
    return found


def read(answer: Answer, value: dict[str, Any], name: str = "") -> None:
    """Take in a response, or one piece of a streamed one: both have the same form."""
    if isinstance(value.get("response"), dict):
        value = value["response"]
    answer.identify(value.get("modelVersion"), value.get("responseId"))
    if value.get("error"):
        answer.error = tell(value)
    for place, candidate in enumerate(items(value.get("candidates"))):
        index = whole(at(candidate, "index"))
        for part in items(at(candidate, "content", "parts")):
            if at(part, "thought") is True:
                answer.think(at(part, "text"))
            else:
                answer.say(at(part, "text"), place if index is None else index)
            if at(part, "functionCall"):
                call = _call(at(part, "functionCall"))
                answer.call(("call", answer.calls), call.id, call.name, call.arguments)
        if text(at(candidate, "finishReason")):
            answer.finished(at(candidate, "finishReason"))
            answer.ended = True
    if text(at(value, "promptFeedback", "blockReason")):
        answer.finished(at(value, "promptFeedback", "blockReason"))
        answer.ended = True
    _usage(answer, value.get("usageMetadata"))


def _usage(answer: Answer, usage: Any) -> None:
    """The prompt's tokens have those of the cache among them; the candidates' do not have those of reasoning."""
    answer.count(prompt=at(usage, "promptTokenCount"), tool_prompt=at(usage, "toolUsePromptTokenCount"),
                 cached=at(usage, "cachedContentTokenCount"), candidates=at(usage, "candidatesTokenCount"), reasoning=at(usage, "thoughtsTokenCount"))
    told = answer.usage
    if "prompt" in told:
        answer.count(input=told["prompt"] + told.get("tool_prompt", 0))
    if "candidates" in told or "reasoning" in told:
        answer.count(output=told.get("candidates", 0) + told.get("reasoning", 0))


def _texts(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(filter(None, (text(at(part, "text")) for part in items(at(content, "parts")) if at(part, "thought") is not True)))


def _call(call: Any) -> ToolCall:
    return ToolCall(text(at(call, "id")), text(at(call, "name")), compact(at(call, "args")))
