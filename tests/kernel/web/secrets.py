"""Looks for a secret in a session file, in all forms in which it could have got there."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tracer.session import format as layout
from tracer.session.blocks import BlockFile
from tracer.session.format import BlockKind
from tracer.session.scan import Problems, find_blocks

__all__ = ("found_in", "new_secret")

_WINDOW = 10  # bytes of a secret: what betrays it, wherever it was cut in two


def new_secret() -> str:
    """One that nothing else on this machine holds."""
    return "sk-test-" + base64.b32encode(os.urandom(30)).decode()


def found_in(path: str, secret: str) -> list[str]:
    """The places in which any part of the secret stands, ten bytes long or longer."""
    forms = {"plain": secret.encode(), "hex": secret.encode().hex().encode(), "utf-16": secret.encode("utf-16-le"),
             "escaped": quote(secret, safe="").encode()}
    forms |= {f"base64 behind {before} bytes": base64.b64encode(b"?" * before + secret.encode()) for before in range(3)}
    windows = {name: {form[at:at + _WINDOW] for at in range(len("sk-test-"), len(form) - _WINDOW + 1)} for name, form in forms.items()}
    return sorted({f"{place}: {name}" for place, data in _everything(path) for name, parts in windows.items() if any(part in data for part in parts)})


def _everything(path: str) -> Iterator[tuple[str, bytes]]:
    """The file, its blocks as they are packed, and all texts and columns in them end to end: so that one that is split meets its other half."""
    with open(path, "rb") as opened:
        yield "file", opened.read()
    file, joined = BlockFile(path), b""
    try:
        blocks = find_blocks(file, Problems())
        for offset in blocks.offsets.tolist():
            header = file.header(offset)
            assert header is not None
            kind = BlockKind(header.kind)
            stored = file.read(offset + layout.BLOCK_HEADER_BYTES, header.stored)
            yield f"block {header.number} {kind.name}", file._decompressor.decompress(stored)
            parts: list[bytes] = []
            if layout.is_table(header.kind):
                parts += [column.tobytes() for column in file.table(offset, header).values()]
            else:
                _leaves(file.value(offset, header), parts)
            joined += b"".join(parts)
    finally:
        file.close()
    yield "all blocks end to end", joined


def _leaves(value: Any, into: list[bytes]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _leaves(key, into)
            _leaves(item, into)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _leaves(item, into)
    elif isinstance(value, str):
        into.append(value.encode(errors="surrogateescape"))
    elif isinstance(value, bytes):
        into.append(value)
