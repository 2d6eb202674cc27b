"""Which names say that their value is a secret: of headers, fields, parameters, options and environment variables.

A name is cut into its words (``apiKey``, ``API_KEY`` and ``x-api-key`` end in the same two), and the last ones decide: an
``access_token`` is a secret, ``max_tokens``, ``token_type`` and ``next_page_token`` are not.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache

__all__ = ("Level", "argument_level", "field_level", "header_level", "is_secret", "listed", "looks_random", "parameter_level",
           "words_of")


class Level(IntEnum):
    """How much a name says."""

    NO = 0
    LOOK = 1  # the value must look like a credential, too
    YES = 2


_WORDS = re.compile(rb"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LONGEST_CREDENTIAL = 16384
_DIGIT, _LETTER = re.compile(rb"[0-9]"), re.compile(rb"[A-Za-z]")
_RANDOM = re.compile(rb"[A-Za-z0-9_.~+/=-]+")


def listed(words: str) -> frozenset[str]:
    """The words of a text: tables of many short words are read best as such."""
    return frozenset(words.split())


# What follows "token" or "key" in names of harmless things.
_HARMLESS = listed("""
    algorithm algorithms at count counts description detail details enabled encoding env error errors expiration expired expires expiry
    field file filename format header headers hint id ids in index kind label length limit limits location method mode name names path
    paths policy position prefix provider regex remaining required reset scheme size source status suffix ttl type types uri url usage
    version visible""")
_PLAIN_TOKENS = listed("""
    audio begin bos cached cancel cancellation class cls completion continuation current end eos eot first generated image input last
    logit mask max min next num output pad page pagination per prev previous prompt reasoning resume sep special start stop sync target
    text think tool top total unk vocab""")
_SECRET_TOKENS = listed("""
    access admin api app auth authorization bearer bot client csrf deploy device gateway github gitlab hf hub id identity install job jwt
    magic npm oauth personal private proxy push pypi refresh registration reset secret security service session slack subject user vault
    verification webhook xsrf""")
_SECRET_KEYS = listed("""
    access account admin anon anthropic api auth authorization client consumer deploy encryption functions hmac host license management
    master openai private provisioning role secret server service session shared sign signing ssh storage subscription""")
_ENDS = ("apikey", "accesskey", "secretkey", "privatekey", "password", "passwd", "passphrase", "passcode", "secret", "secrets",
         "credential", "credentials", "authtoken", "accesstoken", "refreshtoken", "sessiontoken", "bearertoken", "authorization", "cookie",
         "sessionid", "sessid", "pwd", "jwt")


@lru_cache(4096)
def words_of(name: bytes) -> tuple[str, ...]:
    """In lower case, without the digits between them."""
    return tuple(word.lower().decode() for word in _WORDS.findall(name[-96:]))


@lru_cache(4096)
def field_level(name: bytes) -> Level:
    """Of a field in JSON, in a form or in a part of a multipart body."""
    words = words_of(name)
    if not words or words[-1] in _HARMLESS:
        return Level.NO
    joined = "".join(words)
    if joined.endswith(_ENDS) or "secret" in words or "password" in words:
        return Level.YES
    before = words[-2] if len(words) > 1 else ""
    if words[-1] == "token":
        return Level.YES if before in _SECRET_TOKENS else Level.NO if before in _PLAIN_TOKENS else Level.LOOK
    if words[-1] == "key":
        return Level.YES if before in _SECRET_KEYS else Level.NO
    return Level.LOOK if words[-1] in ("auth", "bearer") or joined.endswith("token") else Level.NO


@lru_cache(4096)
def header_level(name: bytes) -> Level:
    """Of a header whose value is secret as a whole; cookies and Authorization are taken apart elsewhere."""
    if name.lower() in (b"sec-websocket-key", b"idempotency-key", b"www-authenticate"):
        return Level.NO
    level = field_level(name)
    words = words_of(name)
    return Level.YES if level and words[-1] == "token" else Level.LOOK if not level and words[-1:] == ("key",) else level


@lru_cache(4096)
def parameter_level(name: bytes) -> Level:
    """Of a parameter in the query of a URL."""
    words = words_of(name)
    if "".join(words) in ("key", "token", "auth", "pass", "sig", "signature") or words[-1:] == ("signature",):
        return Level.YES
    return max(field_level(name), Level.LOOK if words[-1:] in (("code",), ("ticket",), ("assertion",), ("key",)) else Level.NO)


@lru_cache(4096)
def argument_level(name: bytes) -> Level:
    """Of an option on a command line, without its dashes, and of NAME=value."""
    words = words_of(name)
    if name in (b"PWD", b"OLDPWD"):
        return Level.NO
    if "".join(words) in ("token", "auth", "pass") or words[-1:] == ("pass",):
        return Level.YES
    return max(field_level(name), Level.LOOK if words[-1:] in (("key",), ("sig",), ("pat",)) else Level.NO)


def looks_random(value: bytes, least: int = 16) -> bool:
    """Whether it may be a credential: one long word of letters and digits, no path."""
    return (least <= len(value) <= _LONGEST_CREDENTIAL and _RANDOM.fullmatch(value) is not None and not value.startswith((b"/", b"./"))
            and _DIGIT.search(value) is not None and _LETTER.search(value) is not None)


def is_secret(level: Level, value: bytes, least: int = 16) -> bool:
    """Whether a value under a name of this level is one."""
    return level is Level.YES or (level is Level.LOOK and looks_random(value, least))
