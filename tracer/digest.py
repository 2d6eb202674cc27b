"""The one hash that is used, without OpenSSL, which hashlib loads for others: 3 MB for as long as a trace lasts."""

from __future__ import annotations

try:
    from _blake2 import blake2b  # where hashlib has it from, in CPython
except ImportError:
    from hashlib import blake2b

__all__ = ("blake2b",)
