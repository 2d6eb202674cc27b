"""How large the rings of the lanes are. Apart from their readers, which are loaded while the probes are."""

from __future__ import annotations

__all__ = ("ring_bytes",)

# At 1.7 million calls a second the first holds 150 ms: what a busy machine may keep the drain waiting.
_RING = {"syscalls": 16 << 20, "lifecycle": 2 << 20, "strings": 1 << 20, "sockets": 2 << 20, "payload": 1 << 20, "plaintext": 8 << 20,
         "images": 1 << 16}
_BODIES, _PLAINTEXT_MOST = 8, 64 << 20
# Mapped as a whole, so they are memory of the tracer's own
_PERF = {"syscalls": 8 << 20, "lifecycle": 1 << 20, "strings": 1 << 20, "sockets": 1 << 19, "payload": 1 << 18, "plaintext": 1 << 21,
         "images": 1 << 15}


def ring_bytes(transport: str, ring_mb: int | None, max_body: int = 0) -> dict[str, int]:
    """Bytes of each lane's rings, powers of two; ``ring_mb`` sets the syscalls' and shrinks or grows the others with it.

    There is room for some bodies of ``max_body`` bytes, which may come faster than anybody reads.
    """
    sizes = dict(_PERF if transport == "perf" else _RING)
    if transport != "perf":
        sizes["plaintext"] = min(max(sizes["plaintext"], 1 << max(0, _BODIES * max_body - 1).bit_length()), _PLAINTEXT_MOST)
    if ring_mb is None:
        return sizes
    wanted = 1 << max(0, ring_mb - 1).bit_length() << 20
    return {lane: max(1 << 16, size * wanted // sizes["syscalls"]) for lane, size in sizes.items()}
