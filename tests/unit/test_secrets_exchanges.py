"""Real exchanges without their secrets: everything else is as it was, byte for byte."""

from __future__ import annotations

import base64

import pytest

from tracer.secrets.redactor import Redactor
from tracer.session.exchanges import Exchange, SocketMessage

KEY = bytes(range(32))
OPENAI = "sk-proj-Zk3J9aQ2xV7LmN4pR8sT1uW5yB6cD0eF"
ANTHROPIC = "sk-ant-api03-Zk3J9aQ2xV7LmN4pR8sT1uW5yB6cD0eF-AAAA"
GOOGLE = "AIzaSyD4mL8vQ2xV7LmN4pR8sT1uW5yB6cD0eFg"
GITHUB = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLWl0"
PEM = b"-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----\n"


def tags(redactor: Redactor, *secrets: str) -> list[str]:
    return [redactor.words(["--password", secret])[1] for secret in secrets]


def test_openai() -> None:
    redactor = Redactor(KEY)
    [tag] = tags(redactor, OPENAI)
    body = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_tokens":12,"logprobs":true}'
    reply = b'data: {"choices":[{"logprobs":{"content":[{"token":"Hel","bytes":[72]}]}}],"usage":{"prompt_tokens":9,"total_tokens":21}}\n\n'
    exchange = Exchange(
        method="POST", scheme="https", authority="api.openai.com", target="/v1/chat/completions", request_body=body, response_body=reply,
        request_headers=[("Authorization", f"Bearer {OPENAI}"), ("OpenAI-Organization", "org-1234567890abcdef")],
        response_headers=[("x-ratelimit-remaining-tokens", "149984"), ("x-request-id", "req_0123456789abcdef0123456789abcdef")])
    redactor.exchange(exchange)
    assert exchange.request_headers == [("Authorization", f"Bearer {tag}"), ("OpenAI-Organization", "org-1234567890abcdef")]
    assert exchange.response_headers == [("x-ratelimit-remaining-tokens", "149984"), ("x-request-id", "req_0123456789abcdef0123456789abcdef")]
    assert (exchange.request_body, exchange.response_body, exchange.redacted) == (body, reply, 1)


def test_anthropic_key_in_header_and_again_in_the_prompt() -> None:
    redactor = Redactor(KEY)
    [tag] = tags(redactor, ANTHROPIC)
    exchange = Exchange(request_headers=[("x-api-key", ANTHROPIC), ("anthropic-version", "2023-06-01")],
                        request_body=f'{{"messages":[{{"role":"user","content":"my key:\\n{ANTHROPIC}\\nis it safe?"}}]}}'.encode())
    redactor.exchange(exchange)
    assert exchange.request_headers == [("x-api-key", tag), ("anthropic-version", "2023-06-01")]
    assert exchange.request_body == f'{{"messages":[{{"role":"user","content":"my key:\\n{tag}\\nis it safe?"}}]}}'.encode()
    assert exchange.redacted == 2


def test_gemini_and_a_url_in_a_header() -> None:
    redactor = Redactor(KEY)
    [tag] = tags(redactor, GOOGLE)
    exchange = Exchange(target=f"/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse&key={GOOGLE}",
                        response_headers=[("Location", f"https://x.test/next?pageToken=abc&key={GOOGLE}#top")])
    redactor.exchange(exchange)
    assert exchange.target == f"/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse&key={tag}"
    assert exchange.response_headers == [("Location", f"https://x.test/next?pageToken=abc&key={tag}#top")]


def test_a_signed_url_and_a_signed_request() -> None:
    redactor = Redactor(KEY)
    scope = "AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/s3/aws4_request"
    credential, signature = tags(redactor, scope, "0123456789abcdef" * 4)
    exchange = Exchange(
        target=f"/b/o?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope.replace('/', '%2F')}&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
               f"&X-Amz-Signature={'0123456789abcdef' * 4}",
        request_headers=[("Authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"), ("x-amz-security-token",
        "IQoJb3Jp")])
    redactor.exchange(exchange)
    assert exchange.target == (f"/b/o?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
                               f"&X-Amz-Signature={signature}")
    assert exchange.request_headers[0][1].startswith("AWS4-HMAC-SHA256 [redacted:")
    assert len(exchange.request_headers[0][1]) == 36
    assert exchange.request_headers[1] == ("x-amz-security-token", *tags(redactor, "IQoJb3Jp"))


def test_github_and_basic() -> None:
    redactor = Redactor(KEY)
    pair = base64.b64encode(f"me:{GITHUB}".encode()).decode()
    [whole, inner] = tags(redactor, pair, GITHUB)
    exchange = Exchange(request_headers=[("authorization", f"Basic {pair}")], response_body=f'{{"login":"me","note":"{GITHUB}"}}'.encode())
    redactor.exchange(exchange)
    assert exchange.request_headers == [("authorization", f"Basic {whole}")]
    assert exchange.response_body == f'{{"login":"me","note":"{inner}"}}'.encode()


def test_cookies() -> None:
    redactor = Redactor(KEY)
    one, two = tags(redactor, "a3fWa.x", "dark")
    exchange = Exchange(request_headers=[("Cookie", "session=a3fWa.x; theme=dark; empty=")],
                        response_headers=[("Set-Cookie", 'session="a3fWa.x"; Path=/; Max-Age=3600; HttpOnly')])
    redactor.exchange(exchange)
    assert exchange.request_headers == [("Cookie", f"session={one}; theme={two}; empty=")]
    assert exchange.response_headers == [("Set-Cookie", f'session="{one}"; Path=/; Max-Age=3600; HttpOnly')]


@pytest.mark.parametrize(("body", "secret"), [
    (b'{"api_key": "%s"}', "a1"), (b'{"apiKey":"%s","x":1}', "a1b2"), (b'{"a":{"Client-Secret" : "%s"}}', "a,b:c"),
    (b'{"refresh_token":"%s', "cut off in the middle"),
    (b'data: {"password":"%s"}\n\ndata: {"a":"b"}\n\n', "hunter2"),
    (rb'{"arguments":"{\"password\":\"%s\",\"a\":\"b\"}"}', "hunter2"),
    (rb'{"a":"{\"b\":\"{\\\"access_token\\\":\\\"%s\\\",\\\"c\\\":1}\"}"}', "hunter2"),
    (b'{"headers":{"Authorization":"Bearer %s"}}', "abc"),
    (b"grant_type=authorization_code&client_secret=%s&a=b", "abc"), (b"password=%s", "abc"),
    (b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n%s\r\n--b--\r\n', "two\r\nlines"),
    (b"export OPENAI_API_KEY=%s\necho", "0123abcd"), (b'{"content":"DB_PASSWORD=\\"%s\\""}', "letmein"),
    (b"see https://me:%s@host.test/x", "pa55"), (b"https://host.test/?access_token=%s&x=y", "abc"),
    (b"to=https%%3A%%2F%%2Fh%%3Fapi_key%%3D%s%%26x%%3D1", "abc"), (b"curl -H 'Authorization: Bearer %s' x", "abcd"),
    (b"x\nX-Api-Key: %s\r\n", "abcd"),
    (b"a %s b", JWT), (b"%s", "glpat-abcdefghij0123456789"), (b'"%s"', "xoxb-123456789012-abcdef"), (b"x=%s", "AKIAIOSFODNN7EXAMPLE"),
    (b"[%s]", "npm_abcdefghijklmnopqrstuvwxyz0123456789"), (b"[%s]", "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH"), (b"\\n%s", OPENAI),
    (b"%%3D%s", GOOGLE),
])
def test_bodies(body: bytes, secret: str) -> None:
    redactor = Redactor(KEY)
    [tag] = tags(redactor, secret)
    exchange = Exchange(response_body=body % secret.encode(), request_body=body % secret.encode())
    redactor.exchange(exchange)
    assert exchange.response_body == exchange.request_body == body % tag.encode()
    redactor.exchange(exchange)
    assert exchange.response_body == body % tag.encode()
    assert exchange.redacted == 2


def test_private_keys_and_escapes_have_one_tag() -> None:
    redactor = Redactor(KEY)
    exchange = Exchange(request_body=PEM + b"rest", response_body=b'{"private_key":"%s"}' % PEM.replace(b"\n", b"\\n"))
    redactor.exchange(exchange)
    tag = exchange.request_body[:19]
    assert exchange.request_body == tag + b"rest"
    assert exchange.response_body == b'{"private_key":"%s"}' % tag
    assert redactor.text(r'{"password":"a\"b\u00e9"}')[13:-2] == tags(redactor, 'a"bé')[0]


@pytest.mark.parametrize("body", [
    b'{"max_tokens":100,"total_tokens":5,"token_type":"bearer","tokens":12,"token":"Hel","token":" internationalization","token_ids":[1,2]}',
    b'{"token":"123456789","next_page_token":"CAUQAA0123456789abcd","stop_token":"<|end|>","id":"chatcmpl-9aBcD0123456789abcdefghij"}',
    b'{"key":"value-0123456789abcdef","prompt_cache_key":"0b5c3f2e-1111-4222-8333-abcdefabcdef","code":"invalid_api_key","author":"me"}',
    b'{"integrity":"sha512-oWyT5VbLrBr2Vk1CE4LxKHyFqCiZvBgNhm+2iTeNiaU=","resolved":"https://registry.npmjs.org/a/-/a-1.0.0.tgz"}',
    b'{"digest":"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","model":"claude-sonnet-4-20250514"}',
    b"/home/me/task-runner-1234567890abcdef/disk-image-0123456789abcdef/keyboard.py", b"<div class=\"sk-folding-cube sk-circle-fade-dot-delay\">",
    b"the bearer of this letter, Authorization: required, Cookie: policy", b"def f(token=None, key=lambda x: x): return token == other_token",
    b"git@github.com:a/b.git ssh://git@github.com/a/b https://user@host/", b'{"password":null,"secret":true,"api_key":""}',
    b"https://x.test/?page=2&sort=key&code=404&lang=en", b"eyJub3QiOiJhIGp3dCJ9.abcdefgh.abcdefgh", b"", b"=", b'"', b"[redacted:0123abcd]",
])
def test_what_is_no_secret_stays(body: bytes) -> None:
    redactor = Redactor(KEY)
    exchange = Exchange(request_body=body, response_body=body, messages=[SocketMessage(1, True, "text", body, len(body))], target="/" + "a" * 40)
    redactor.exchange(exchange)
    assert (exchange.request_body, exchange.response_body, exchange.messages[0].data) == (body, body, body)
    assert redactor.text(body.decode()) == body.decode()
    assert (exchange.redacted, sum(redactor.counts.values())) == (0, 0)


def test_marks_move_with_the_bytes() -> None:
    redactor = Redactor(KEY)
    body = b'{"a":"bc","password":"0123456789012345678901234567890123456789","z":1}'
    exchange = Exchange(response_body=body, response_marks=[(0, 1), (9, 2), (22, 3), (30, 4), (body.index(b'","z'), 5), (len(body) - 1, 6)])
    redactor.exchange(exchange)
    assert exchange.response_body == b'{"a":"bc","password":"%s","z":1}' % tags(redactor, "0123456789" * 4)[0].encode()
    assert exchange.response_marks == [(0, 1), (9, 2), (22, 3), (22, 4), (41, 5), (len(exchange.response_body) - 1, 6)]


def test_a_secret_cut_off_at_the_end_of_a_body() -> None:
    redactor = Redactor(KEY)
    redactor.learn({"MY_TOKEN": "quite-a-long-secret-1"})
    exchange = Exchange(request_body=b"a: quite-a-long-se", request_cut=True, response_body=b"b: sk-proj-abc", response_cut=True,
                        messages=[SocketMessage(1, True, "text", b"a: quite-a-long-se", 400)])
    redactor.exchange(exchange)
    [tag] = tags(redactor, "quite-a-long-secret-1")
    assert exchange.request_body == exchange.messages[0].data == b"a: " + tag.encode()
    assert exchange.response_body[:13] == b"b: [redacted:"


def test_binary_bodies_lose_what_is_known_only() -> None:
    redactor = Redactor(KEY)
    redactor.learn({"MY_TOKEN": "quite-a-secret-1"})
    exchange = Exchange(request_body=b"\0\x01quite-a-secret-1\xff" + OPENAI.encode())
    redactor.exchange(exchange)
    assert exchange.request_body == b"\0\x01" + tags(redactor, "quite-a-secret-1")[0].encode() + b"\xff" + OPENAI.encode()


def test_not_enabled() -> None:
    redactor = Redactor(KEY, enabled=False)
    assert redactor.learn({"API_KEY": OPENAI}) == 0
    exchange = Exchange(request_headers=[("Authorization", f"Bearer {OPENAI}")], target=f"/?key={GOOGLE}", request_body=PEM)
    redactor.exchange(exchange)
    assert exchange == Exchange(request_headers=[("Authorization", f"Bearer {OPENAI}")], target=f"/?key={GOOGLE}", request_body=PEM)
    assert redactor.words(["--token", OPENAI]) == ["--token", OPENAI]
    assert redactor.strings(OPENAI.encode(), [len(OPENAI)]) is None
    assert redactor.text(OPENAI) == OPENAI
    assert set(redactor.counts.values()) == {0}
