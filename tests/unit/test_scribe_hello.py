"""The first messages of TLS, as Python's own TLS library makes them."""

from __future__ import annotations

import ssl
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.scribe.hello import ClientHello, ServerHello, client_hello, handshake, server_hello

NAME = "api.example.test"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of its own in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}", "-days", "2", "-keyout", folder / "key",
                    "-out", folder / "certificate"], check=True, capture_output=True, timeout=60)
    both = folder / "both.pem"
    both.write_bytes((folder / "key").read_bytes() + (folder / "certificate").read_bytes())
    return both


def greeting(certificate: Path, version: ssl.TLSVersion, *, name: str | None = NAME, offered: tuple[str, ...] = (), spoken: tuple[str, ...] = (),
             ciphers: str = "") -> tuple[bytes, bytes]:
    """What a client sends first, and what the server answers."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    for context, protocols in ((client, offered), (server, spoken)):
        context.minimum_version = context.maximum_version = version
        if protocols:
            context.set_alpn_protocols(list(protocols))
    if ciphers:
        client.set_ciphers(ciphers)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        asking.do_handshake()
    asked = up.read()
    up.write(asked)
    answering = server.wrap_bio(up, answered := ssl.MemoryBIO(), server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        answering.do_handshake()
    return asked, answered.read()


@pytest.mark.parametrize(
    ("version", "number", "ciphers", "cipher"),
    [(ssl.TLSVersion.TLSv1_3, 0x0304, "", 0x1302), (ssl.TLSVersion.TLSv1_2, 0x0303, "ECDHE-RSA-AES128-GCM-SHA256", 0xC02F),
     (ssl.TLSVersion.TLSv1_2, 0x0303, "ECDHE-RSA-CHACHA20-POLY1305", 0xCCA8), (ssl.TLSVersion.TLSv1_2, 0x0303, "AES128-SHA", 0x002F)])
def test_both_sides_of_a_handshake(certificate: Path, version: ssl.TLSVersion, number: int, ciphers: str, cipher: int) -> None:
    asked, answered = greeting(certificate, version, offered=("h2", "http/1.1"), spoken=("http/1.1",), ciphers=ciphers)
    assert client_hello(asked) == ClientHello(NAME, ("h2", "http/1.1"), whole=True)
    assert server_hello(answered) == ServerHello(number, cipher, "http/1.1" if number < 0x0304 else "")
    assert client_hello(answered) is None
    assert server_hello(asked) is None


def test_neither_name_nor_protocols(certificate: Path) -> None:
    asked, answered = greeting(certificate, ssl.TLSVersion.TLSv1_2, name=None)
    assert client_hello(asked) == ClientHello("", (), whole=True)
    found = server_hello(answered)
    assert found is not None
    assert found.protocol == ""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_part_tells_the_same_or_nothing(certificate: Path, version: ssl.TLSVersion) -> None:
    """Bytes come in any number of calls: what was said before all were there must not be wrong afterwards."""
    asked, answered = greeting(certificate, version, offered=("h2", "http/1.1"), spoken=("h2",), name="a-rather-long-name.example.test")
    whole_client, whole_server = client_hello(asked), server_hello(answered)
    assert whole_client is not None
    assert whole_server is not None
    for end in range(len(asked)):
        part = client_hello(asked[:end])
        assert part is None or (part.name in ("", whole_client.name) and part.protocols in ((), whole_client.protocols) and not part.whole), end
    first = 9 + int.from_bytes(answered[6:9], "big")
    for end in range(len(answered)):
        assert server_hello(answered[:end]) == (None if end < first else whole_server), end


def test_a_message_in_many_records(certificate: Path) -> None:
    asked, answered = greeting(certificate, ssl.TLSVersion.TLSv1_3, offered=("h2",), spoken=("h2",))
    for data, read in ((asked, client_hello), (answered[:5 + int.from_bytes(answered[3:5], "big")], server_hello)):
        message = data[5:]
        cut = b"".join(b"\x16\x03\x01" + struct.pack(">H", len(message[at:at + 17])) + message[at:at + 17] for at in range(0, len(message), 17))
        assert read(cut) == read(data) is not None


@pytest.mark.parametrize(
    "data", [b"", b"\x16", b"\x16\x03\x01", b"\x17\x03\x03\x00\x05abcde", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x00" * 1000])
def test_no_hello(data: bytes) -> None:
    assert handshake(data) is None
    assert client_hello(data) is None
    assert server_hello(data) is None


def test_names_are_bounded_and_text() -> None:
    name = bytes(range(128, 256)) * 40
    extension = struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    protocols = b"\x01x" * 1000
    extension += struct.pack(">HHH", 16, len(protocols) + 2, len(protocols)) + protocols
    body = bytes(34) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0" + struct.pack(">H", len(extension)) + extension
    found = client_hello(b"\x16\x03\x01" + struct.pack(">H", len(body) + 4) + b"\x01" + len(body).to_bytes(3, "big") + body)
    assert found is not None
    assert found.name == "?" * 255
    assert found.protocols == ("x",) * 16


@given(st.binary(max_size=600))
def test_any_bytes(data: bytes) -> None:
    for prefix in (b"", b"\x16\x03\x03\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x16\x03\x03\x02\x00\x02\x00\x01\xfc\x03\x03"):
        client, server = client_hello(prefix + data), server_hello(prefix + data)
        assert client is None or (len(client.name) <= 255 and len(client.protocols) <= 16 and all(len(name) <= 255 for name in client.protocols))
        assert server is None or (0 <= server.version <= 0xFFFF and 0 <= server.cipher <= 0xFFFF and len(server.protocol) <= 255)


@given(st.data())
def test_hellos_with_wrong_bytes(certificate: Path, data: st.DataObject) -> None:
    asked, answered = _REAL.setdefault(certificate, greeting(certificate, ssl.TLSVersion.TLSv1_3, offered=("h2",)))
    for real in (asked, answered):
        wrong = bytearray(real)
        for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(real) - 1), st.integers(0, 255)), max_size=8)):
            wrong[at] = value
        client_hello(bytes(wrong))
        server_hello(bytes(wrong))


_REAL: dict[Path, tuple[bytes, bytes]] = {}
