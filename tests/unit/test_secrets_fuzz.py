"""Nothing that is known survives anywhere, nothing else changes, and no input makes it fail."""

from __future__ import annotations

import base64
import json
import random
import re
from dataclasses import asdict
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.test_secrets_exchanges import GITHUB, JWT, KEY, OPENAI
from tracer.secrets.redactor import Redactor
from tracer.session.exchanges import Exchange, SocketMessage

TAG = re.compile(rb"\[redacted:[0-9a-f]{8}\]")
FRAGMENTS = [b'"', b"\\", b'\\"',
b"\\\\", b"=", b"&", b"?", b"://", b"@", b":", b"%3D", b"%26", b"\\u0026", b" ", b"\n", b"\r\n\r\n", b"\0", b"\xff", b"-",
             b"api_key",
             b'"password":"', b"token", b"KEY=", b"PASSWORD=", b"Bearer ", b"Authorization: ", b"Cookie: a=b;", b"form-data; name=\"secret\"",
             b"[redacted:0123abcd]", OPENAI.encode(), GITHUB.encode(), JWT.encode(), b"AKIAIOSFODNN7EXAMPLE", b"quite-a-secret-1",
             b"-----BEGIN PRIVATE KEY-----",
             b"-----END PRIVATE KEY-----", b"12345", b"abc", b"--token", b"curl ", b"-u", b"{", b"}", b",", b"xoxb-", b"eyJ", b"sk-"]
SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6, max_size=24).filter(
    lambda text: text not in "[redacted:" and "redacted" not in text and len(set(text)) > 2 and not text.startswith(("/", "./", "../", "~/", "$"))
    and "://" not in text and text.lower() not in ("always", "nobody"))
HOSTILE = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=8), max_size=24).map(b"".join)


def forms(secret: str) -> list[bytes]:
    data = secret.encode()
    found = [data, quote(secret, safe="").encode(), quote_plus(secret).encode(), json.dumps(secret)[1:-1].encode(),
             json.dumps(secret, ensure_ascii=False)[1:-1].encode(), json.dumps(json.dumps(secret))[3:-3].encode()]
    return [*found, base64.b64encode(data), base64.urlsafe_b64encode(b"me:" + data)] if len(data) > 8 else found


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(SECRETS, HOSTILE, HOSTILE, st.randoms(use_true_random=False))
def test_what_was_learned_survives_nowhere(secret: str, before: bytes, after: bytes, chance: random.Random) -> None:
    redactor = Redactor(KEY)
    assert redactor.learn({"THE_PASSWORD": secret}) == 1
    whole = forms(secret)
    form = chance.choice(whole)
    data = before + form + after
    text = data.decode("utf-8", "surrogateescape")
    exchange = Exchange(
        authority=text, target=text, method=text, reason=text, errors=[text], request_body=data, response_body=data,
        request_headers=[(text, text), ("Cookie", text), ("Authorization", text)], response_headers=[("Set-Cookie", text)],
        response_trailers=[("x", text)], messages=[SocketMessage(0, True, "text", data, 1)])
    redactor.exchange(exchange)
    headers = (*exchange.request_headers, *exchange.response_headers, *exchange.response_trailers)
    texts = [exchange.authority, exchange.target, exchange.method, exchange.reason, *exchange.errors,
    *(part for header in headers for part in header),
             *redactor.words(["x", text.replace("\0", "")]), redactor.text(text)]
    left = [exchange.request_body, exchange.response_body, exchange.messages[0].data, *(redactor.strings(data, [len(data)]) or [b""]),
            *(text.encode("utf-8", "surrogateescape") for text in texts)]
    for field in left:
        assert form not in TAG.sub(b"", field)
    assert sum(redactor.counts.values()) > 0


@settings(deadline=None)
@given(HOSTILE)
def test_a_second_time_changes_nothing(data: bytes) -> None:
    redactor = Redactor(KEY)
    redactor.learn({"MY_TOKEN": "quite-a-secret-1"})
    exchange = Exchange(request_body=data, target=data.decode("latin-1"), request_headers=[("Cookie", data.decode("latin-1"))])
    redactor.exchange(exchange)
    once = asdict(exchange)
    exchange.redacted = 0
    redactor.exchange(exchange)
    assert asdict(exchange) == {**once, "redacted": 0}
    for _ in range(2):
        once_more = redactor.strings(data, [len(data)])
        data = once_more[0] if once_more else data
    assert once_more is None


@settings(deadline=None)
@given(HOSTILE, st.lists(st.integers(0, 300), max_size=6).map(sorted))
def test_bytes_outside_of_secrets_stay(data: bytes, offsets: list[int]) -> None:
    redactor = Redactor(KEY)
    marks = [(min(offset, len(data)), number) for number, offset in enumerate(offsets)]
    exchange = Exchange(response_body=data, response_marks=marks)
    redactor.exchange(exchange)
    at = 0
    for part in TAG.split(exchange.response_body):  # in their order, and nothing in front of the first or behind the last
        at = data.find(part, at)
        assert at >= 0
        at += len(part)
    moved = exchange.response_marks
    assert [at_ns for _, at_ns in moved] == [at_ns for _, at_ns in marks]
    assert [offset for offset, _ in moved] == sorted(offset for offset, _ in moved)
    assert all(0 <= offset <= len(exchange.response_body) for offset, _ in moved)


@settings(deadline=None)
@given(st.lists(HOSTILE, max_size=6))
def test_strings_are_the_same_alone_and_together(strings: list[bytes]) -> None:
    redactor = Redactor(KEY)
    redactor.learn({"MY_TOKEN": "quite-a-secret-1"})
    alone = [(redactor.strings(string, [len(string)]) or [string])[0] for string in strings]
    together = redactor.strings(b"".join(strings), [len(string) for string in strings])
    assert (strings if together is None else together) == alone


@pytest.mark.parametrize("unit", [
    b'"', b"\\", b'\\"', b"a", b"A",
    b'"api_key":"', b'{"api_key":\\"', b'"a" ', b"=", b"a=", b"&a=", b"://", b"://a:b@", b"?key=a&", b"-----BEGIN PRIVATE KEY-----",
    b"eyJ", b"eyJaaaaaaaa.", b"sk-", b"sk-a-", b"cookie:a=b;", b"a=b;", b"bearer ", b"authorization: ", b'form-data; name="token"\r\n\r\n',
    b"\r\n\r\n", b"API_KEY=a",
    b"\\u0026", b"%26a%3D", b"xoxb-", b"SG.", b"\0", b'"password":1111', b"key", b"token\0", b"-u ",
])
def test_long_runs_take_no_longer_than_their_length(unit: bytes) -> None:  # a search that is not linear would take minutes here, and time out
    redactor = Redactor(KEY)
    redactor.learn({"A_PASSWORD": '"\\"\\"\\"', "B_PASSWORD": "aaaaaaab", "C_PASSWORD": "\\\\\\\\\\\\a"})
    data = unit * (100_000 // len(unit))
    redactor.exchange(Exchange(request_body=data, response_body=data, response_cut=True))
    redactor.strings(data, [len(data)])
