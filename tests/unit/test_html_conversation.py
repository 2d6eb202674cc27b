from typing import Any

from report.html.conversation import Messages, Texts, turns


def said(role: str, text: str, *calls: tuple[str, str, str], answers: str = "") -> dict[str, Any]:
    return {"role": role, "text": text, "answers": answers, "attached": (),
            "tool_calls": [{"id": number, "name": name, "arguments": arguments} for number, name, arguments in calls]}


def call(*prompt: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"prompt": prompt, "system": "", "text": "", "reasoning": "", "tools": (), "error": None, "tool_calls": (), "pid": 1, **fields}


def told(*calls: dict[str, Any]) -> tuple[list[dict[str, Any]], Messages]:
    messages = Messages(Texts(10_000, 1000))
    return turns(calls, messages), messages


def carried_on(*calls: dict[str, Any]) -> list[tuple[int, int]]:
    return [(turn["base"], turn["known"]) for turn in told(*calls)[0]]


A, B, ANSWER, RESULT = said("user", "a"), said("user", "b"), said("assistant", "x", ("1", "run", "{}")), said("tool", "r", answers="1")


def test_a_conversation_grows() -> None:
    first, second, third = call(A), call(A, ANSWER, RESULT), call(A, ANSWER, RESULT, said("assistant", "y"), B)
    assert carried_on(first, second, third) == [(-1, 0), (0, 2), (1, 4)]


def test_two_at_the_same_time_are_told_apart() -> None:
    assert carried_on(call(A), call(B), call(A, ANSWER, RESULT), call(B, ANSWER, RESULT)) == [(-1, 0), (-1, 0), (0, 2), (1, 2)]
    assert carried_on(call(A), call(A, B, pid=2)) == [(-1, 0), (-1, 0)]


def test_a_retry_says_nothing_new() -> None:
    assert carried_on(call(A, error="overloaded"), call(A)) == [(-1, 0), (0, 1)]


def test_what_a_failed_call_is_followed_by_was_not_its_answer() -> None:
    assert carried_on(call(A, error="overloaded"), call(A, ANSWER)) == [(-1, 0), (0, 1)]


def test_a_shortened_conversation_begins_anew() -> None:
    assert carried_on(call(A, ANSWER, RESULT), call(said("user", "summary"), RESULT)) == [(-1, 0), (-1, 0)]
    assert carried_on(call(A, B), call(A)) == [(-1, 0), (-1, 0)]
    assert carried_on(call(), call(A)) == [(-1, 0), (-1, 0)]


def test_equal_texts_are_kept_once() -> None:
    again = [{"id": "2", "name": "run", "arguments": "{}"}]
    found, messages = told(call(A, system="s"), call(A, ANSWER, RESULT, system="s", text="end", reasoning="r", tools=("run",), error="late",
                                                     tool_calls=again))
    assert messages.texts.all == ["", "a", "s", "x", "{}", "r", "end", "late"]
    assert messages.all == [["user", 1, "", [], []], ["assistant", 3, "", [["1", "run", 4]], []], ["tool", 5, "1", [], []]]
    assert found[1] == {"base": 0, "known": 2, "system": 2, "prompt": [0, 1, 2], "text": 6, "reasoning": 5, "tools": ["run"], "error": 7,
                        "tool_calls": [["2", "run", 4]]}


def test_texts_that_find_no_room_say_so() -> None:
    texts = Texts(10, 6)
    assert [texts.index(text) for text in ("abcd", "", "abcd", "123456789", "xyz")] == [1, 0, 1, 2, 3]
    assert texts.all == ["", "abcd", "123456… (9 characters)", "… (3 characters)"]
    assert texts.left_out == 2
