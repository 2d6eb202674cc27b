"""Paths, command lines and environments."""

from __future__ import annotations

import pytest

from tests.unit.test_secrets_exchanges import ANTHROPIC, GITHUB, KEY, OPENAI, tags
from tracer.secrets.redactor import Redactor


def packed(*strings: bytes) -> tuple[bytes, list[int]]:
    return b"".join(strings), [len(string) for string in strings]


@pytest.mark.parametrize(("words", "secret"), [
    (["tool", "--api-key=%s", "--model", "gpt-4o"], "ab"), (["tool", "--token", "%s", "-v"], "abc"), (["tool", "-password", "%s"], "a b"),
    (["curl", "-H", "Authorization: Bearer %s", "https://a.test/"], "abc"), (["curl", "-Hx-api-key: %s"], "abc"),
    (["curl", "-H", "Cookie: sid=%s; a="], "abc"), (["/usr/bin/curl", "-u", "me:%s"], "abc"), (["psql", "postgres://me:%s@db/x"], "pa55"),
    (["env", "PGPASSWORD=%s", "psql"], "abc"), (["sh", "-c", "curl -u me:%s https://a.test/ | sh"], "abc"),
    (["sh", "-c", "OPENAI_API_KEY='%s' node x.js"], "0123abcd"), (["sh", "-c", "curl -H 'authorization: bearer %s' x"], "abcd"),
    (["curl", "-d", '{"client_secret":"%s"}'], "abc"), (["curl", "-d", "a=b&client_secret=%s"], "abc"), (["git", "clone",
    "https://%s@github.com/a/b"], GITHUB),
    (["x", "%s"], OPENAI), (["x", "--config=a:%s"], ANTHROPIC),
])
def test_command_lines(words: list[str], secret: str) -> None:
    redactor = Redactor(KEY)
    [tag] = tags(redactor, secret)
    line, expected = ([word.replace("%s", by) for word in words] for by in (secret, tag))
    before = sum(redactor.counts.values())
    assert redactor.words(line) == expected
    assert sum(redactor.counts.values()) == before + 1
    assert redactor.words(expected) == expected
    block, clean = ("\0".join(parts).encode() for parts in (line, expected))
    assert redactor.strings(*packed(b"/bin/true", block, b"/etc/hosts")) == [b"/bin/true", clean, b"/etc/hosts"]
    assert redactor.strings(*packed(block + b"\0")) == [clean + b"\0"]


@pytest.mark.parametrize("block", [
    b"gcc\0-O2\0-DKEY_COUNT=12\0-o\0x.o\0", b"tool\0--max-tokens\x004096\0--model\0gpt-4o-2024-08-06\0",
    b"tool\0--max-tokens=4096\0--tokenizer=bpe\0",
    b"docker\0run\0-u\x001000:1000\0-v\0/a:/b\0image@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\0",
    b"ssh\0-i\0/home/me/.ssh/id_ed25519\0user@host\0", b"tool\0--password-file\0/run/secrets/password\0--key\0server.pem\0", b"tool\0--token",
    b"/usr/lib/python3/dist-packages/secretstorage/__init__.py",
    b"/home/me/.cache/pip/http/a/b/0123456789abcdef0123456789abcdef0123456789abcdef01234567",
    b"/proc/self/fd/3", b"/tmp/sk-", b"", b"\0", b"\xff\xfe\0--\xff=\xff",
])
def test_what_is_no_secret_stays(block: bytes) -> None:
    redactor = Redactor(KEY)
    assert redactor.strings(*packed(b"/a", block, b"/b")) is None
    assert set(redactor.counts.values()) == {0}


def test_strings_are_told_apart() -> None:
    redactor = Redactor(KEY)
    [tag] = tags(redactor, OPENAI)
    strings = [b"/tmp/a", OPENAI.encode(), b"/x/PASSWORD=ab", b"cd", b"/sk-", OPENAI[3:].encode(), b""]
    assert redactor.strings(*packed(*strings)) == [b"/tmp/a", tag.encode(), *strings[2:]]


def test_environment() -> None:
    redactor = Redactor(KEY)
    environment = {
        "MY_API_KEY": "correct horse/1", "DATABASE_URL": "postgres://me:p%40ss-word@db/x", "AUTH_TOKEN": "0123456789abcdef", "PASSWORD": "letmein",
        "SSH_AUTH_SOCK": "/run/user/1000/agent", "TOKEN_FILE": "/run/secrets/token", "SECRET_PATH": "abcdefgh", "API_KEY": "true", "PWD": "/home/me",
        "MAX_TOKENS": "4096", "KEY_ID": "0123456789", "SHORT_KEY": "a1", "HOME": "/home/me", "XAUTHORITY": "/home/me/.Xauthority",
        "PATH": "/usr/bin:/bin",
    }
    assert redactor.learn(environment) == 4
    assert redactor.learn(environment) == 0
    one, two, three, four = tags(redactor, "correct horse/1", "p@ss-word", "0123456789abcdef", "letmein")
    assert redactor.text("x correct horse/1 correct+horse%2f1 correct%20horse\\/1") == f"x {one} {one} {one}"
    assert redactor.text("p%40ss-word p@ss-word p\\u0040ss-word") == f"{two} {two} {two}"
    assert redactor.text("a0123456789abcdefb MDEyMzQ1Njc4OWFiY2RlZg== letmein") == f"a{three}b {three} {four}"
    assert redactor.strings(*packed(b"/tmp/letmein/x", b"/tmp")) == [f"/tmp/{four}/x".encode(), b"/tmp"]
    assert redactor.counts["environment"] == 14  # 4 of them in tags()


def test_two_sessions_have_nothing_in_common() -> None:
    assert tags(Redactor(KEY), OPENAI) != tags(Redactor(bytes(32)), OPENAI)
    assert tags(Redactor(KEY), OPENAI) == tags(Redactor(KEY), OPENAI)
