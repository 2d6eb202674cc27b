"""TLS functions of stripped programs, by error sites."""

import os

import pytest

from tests.unit.tls_programs import BORING, KINDS, OPENSSL, PEEKS, build, headless
from tracer.tls.elf import Elf
from tracer.tls.found import Found
from tracer.tls.search import search


def found_in(tmp_path, data: bytes) -> tuple[Found, dict[str, int | None]]:
    path = tmp_path / "program"
    path.write_bytes(data)
    found = search(str(path))
    with open(path, "rb") as file:
        elf = Elf(file.fileno())
        return found, {function.role: elf.address(function.entry) for function in found.functions}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("peek", PEEKS)
def test_boringssl_in_every_kind_of_program(tmp_path, kind, peek):
    data, names = build(BORING, *PEEKS[peek], *KINDS[kind])
    found, places = found_in(tmp_path, data)
    assert (found.library, found.how) == ("boringssl", "error sites")
    assert places == {"read": names["SSL_read"], "write": names["SSL_write"]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("old", [0, 1], ids=["names", "numbers"])
def test_openssl_in_every_kind_of_program(tmp_path, kind, old):
    data, names = build(OPENSSL, f"-DOLD={old}", *KINDS[kind])
    found, places = found_in(tmp_path, data)
    assert (found.library, found.how, found.version) == ("openssl", "error sites", "3.9.8")
    roles = {"read": "SSL_read", "write": "SSL_write", "read_ex": "SSL_read_ex", "write_ex": "SSL_write_ex"}
    assert places == {role: names[name] for role, name in roles.items()}
    assert found.note == ""


def test_without_section_headers(tmp_path):
    data, names = build(BORING, *PEEKS["apart"], *KINDS["pie"])
    _, places = found_in(tmp_path, headless(data))
    assert places == {"read": names["SSL_read"], "write": names["SSL_write"]}


def test_every_way_out_is_a_return_instruction(tmp_path):
    data, _ = build(BORING, *PEEKS["apart"], *KINDS["fixed"])
    found, _ = found_in(tmp_path, data)
    for function in found.functions:
        assert function.returns
        assert all(data[offset] == 0xC3 for offset in function.returns)
        assert all(offset > function.entry for offset in function.returns)


def test_a_file_name_without_functions_is_told(tmp_path):
    data, _ = build('const char *name = "x/ssl/ssl_lib.cc"; int main(void) { return name[0]; }', "-no-pie", "-fno-pie")
    found, places = found_in(tmp_path, data)
    assert (found.library, places) == ("boringssl", {})
    assert found.note == "no functions look like SSL_write; no functions look like SSL_read"


@pytest.mark.skipif(not os.path.exists("/usr/lib/x86_64-linux-gnu/libssl.a"), reason="needs libssl-dev on x86-64: a real OpenSSL to link in")
def test_real_openssl_linked_in(tmp_path):
    source = """
    #include <openssl/ssl.h>
    int main(int n, char **words) { SSL *s = SSL_new(SSL_CTX_new(TLS_method())); size_t m;
        return SSL_read(s, words[0], n) + SSL_write(s, words[0], n) + SSL_read_ex(s, words[0], 1, &m) + SSL_write_ex(s, words[0], 1, &m); }
    """
    data, names = build(source, "-static", libraries=("-lssl", "-lcrypto"))
    found, places = found_in(tmp_path, data)
    assert found.library == "openssl"
    assert places == {role: names[f"SSL_{role}"] for role in ("read", "write", "read_ex", "write_ex")}
    assert all(function.returns for function in found.functions)
