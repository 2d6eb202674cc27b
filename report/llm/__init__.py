"""Calls of large language models, out of the HTTP exchanges that made them.

    calls_of            all calls among some exchanges (calls.py)
    routes.py           which exchange is a call, and in which dialect
    openai_chat.py, openai_responses.py, anthropic.py, gemini.py, ollama.py
                        one dialect each: what a request asks, what a response, or an event of a streamed one, says
    asked.py, answer.py what they find, in words that are the same for all
    events.py, loose.py bodies as events and values, however broken
    facts.py            the calls in numbers
"""

from report.llm.call import OTEL, LlmCall, as_rows
from report.llm.calls import calls_of

__all__ = ("OTEL", "LlmCall", "as_rows", "calls_of")
