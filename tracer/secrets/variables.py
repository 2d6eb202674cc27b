"""Which values of a process's environment are secrets."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.secrets.named import named_spans
from tracer.secrets.names import listed, words_of
from tracer.secrets.texts import userinfo_spans
from tracer.secrets.values import SHORTEST

__all__ = ("secret_values",)

_SURE = listed("password passwd passphrase passwort secret secrets credential credentials pass pw pwd")
_LIKELY = listed("apikey auth authorization authtoken bearer cookie jwt key keys pat token tokens")
_ENDS = ("apikey", "token", "password", "passwd", "secret")
_HARMLESS = listed("""
    algorithm count dir directory enabled endpoint expiry file files format host id ids length limit method mode name path paths port
    provider size sock socket timeout ttl type uri url user username version""")  # where, what kind or how many, not what
_EVERYDAY = listed("""
    always anonymous default disabled enabled example localhost never nobody optional password required secret unlimited unset""")


def secret_values(name: str, value: str) -> Iterator[str]:
    """The secrets in one variable: its value if the name says so, and passwords in URLs under any name."""
    if "://" in value:
        data = value.encode("utf-8", "surrogateescape")
        for span in (*userinfo_spans(data, ""), *named_spans(data, "")):
            yield from (secret.decode("utf-8", "surrogateescape") for secret in (span.value,) if len(secret) >= SHORTEST)
    words = words_of(name.encode("utf-8", "surrogateescape"))
    if not words or words[-1] in _HARMLESS or name in ("PWD", "OLDPWD"):
        return
    sure = any(word in _SURE or word.endswith(("password", "passwd")) for word in words)
    if (sure or any(word in _LIKELY or word.endswith(_ENDS) for word in words)) and not _trivial(value, sure=sure):
        yield value


def _trivial(value: str, *, sure: bool) -> bool:
    if len(value.encode("utf-8", "surrogateescape")) < SHORTEST or value.lower() in _EVERYDAY or len(set(value)) < 3:
        return True
    if value.startswith(("/", "./", "../", "~/", "$")) or "://" in value:
        return True
    if value.isdecimal():
        return len(value) < 8 and not sure
    return not sure and value.isalpha() and len(value) < 16
