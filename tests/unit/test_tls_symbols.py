"""TLS functions by symbol: libraries made on the spot, with the names that the real ones export."""

import os
import subprocess

import pytest

from tests.unit.tls_programs import headless
from tracer.tls.elf import Elf
from tracer.tls.found import Found
from tracer.tls.quick import quick
from tracer.tls.search import search
from tracer.tls.symbols import lookup

_NSS = """
typedef int (*operation)();
#define PLAIN(name) static int name(int a) { return a; }
#define SECURE(name) __attribute__((section(".text.secure"))) static int name(int a) { return a * 3; }
PLAIN(connect_) PLAIN(bind_) PLAIN(listen_) PLAIN(shut) PLAIN(close_) PLAIN(recv_) PLAIN(send_) PLAIN(read_) PLAIN(write_) PLAIN(peer) PLAIN(name)
__asm__(".section .text.secure; .skip 4096");
SECURE(sconnect) SECURE(sshut) SECURE(sclose) SECURE(srecv) SECURE(ssend) SECURE(sread) SECURE(swrite)
struct table { operation connect, accept, bind, listen, shutdown, close, recv, send, read, write, peer, name; };
const struct table plain = { connect_, 0, bind_, listen_, shut, close_, recv_, send_, read_, write_, peer, name };
const struct table secure = { sconnect, 0, bind_, listen_, sshut, sclose, srecv, ssend, sread, swrite, peer, name };
const operation other[] = { connect_, bind_, listen_, shut, close_, recv_, send_, read_, write_, peer, name, peer, name };
int SSL_ImportFD(void) { return 0; }
"""


def library(tmp_path, names: str, *options: str, source: str = "") -> str:
    path = str(tmp_path / "library.so")
    source = source or "".join(f"int {name}(int a) {{ return a * __LINE__; }}\n" for name in names.split())
    subprocess.run(["gcc", "-x", "c", "-O1", "-w", "-fPIC", "-shared", *options, "-o", path, "-"], input=source.encode(), check=True)
    return path


def entries(path: str, found: Found) -> dict[str, str]:
    """role -> the name that stands at the entry."""
    names = subprocess.run(["nm", path], capture_output=True, check=True).stdout.decode().split("\n")
    at = {int(row[0], 16): row[2] for row in map(str.split, names) if len(row) == 3 and row[1] in "tT"}
    with open(path, "rb") as file:
        elf = Elf(file.fileno())
        return {function.role: at[elf.address(function.entry)] for function in found.functions}


def test_openssl(tmp_path):
    path = library(tmp_path, "SSL_read SSL_write SSL_read_ex SSL_write_ex SSL_free SSL_peek", "-Wl,-soname,libssl.so.1.1")
    found = quick(path)
    assert (found.library, found.version, found.how, found.note) == ("openssl", "1.1", "symbols", "")
    roles = {"read": "SSL_read", "write": "SSL_write", "read_ex": "SSL_read_ex", "write_ex": "SSL_write_ex", "free": "SSL_free"}
    assert entries(path, found) == roles


@pytest.mark.parametrize(("extra", "name"), [("", "boringssl"), ("SSL_to_bytes", "aws-lc")])
def test_boringssl_reads_once(tmp_path, extra, name):
    path = library(tmp_path, f"SSL_read SSL_write SSL_read_ex SSL_write_ex SSL_free SSL_CTX_set_grease_enabled {extra}")
    found = quick(path)
    assert found.library == name
    assert entries(path, found) == {"read": "SSL_read", "write": "SSL_write", "free": "SSL_free"}


def test_gnutls_writes_by_the_inner_function(tmp_path):
    path = library(tmp_path, "gnutls_record_recv gnutls_record_send gnutls_record_send2 gnutls_deinit")
    assert entries(path, quick(path)) == {"read": "gnutls_record_recv", "write": "gnutls_record_send2", "free": "gnutls_deinit"}
    path = library(tmp_path, "gnutls_record_recv gnutls_record_send gnutls_deinit")
    assert entries(path, quick(path)) == {"read": "gnutls_record_recv", "write": "gnutls_record_send", "free": "gnutls_deinit"}


@pytest.mark.parametrize("options", [(), ("-Wl,-z,pack-relative-relocs",)], ids=["rela", "relr"])
def test_nss_by_its_table(tmp_path, options):
    if options and b"pack-relative-relocs" not in subprocess.run(["ld", "--help"], capture_output=True, check=True).stdout:
        pytest.skip("this linker cannot pack relocations")
    path = library(tmp_path, "", *options, source=_NSS)
    found = quick(path)
    assert (found.library, found.how) == ("nss", "operations")
    assert entries(path, found) == {"free": "sclose", "read": "srecv", "write": "ssend"}


def test_nss_without_its_table(tmp_path):
    found = quick(library(tmp_path, "SSL_ImportFD"))
    assert found == Found("nss", "3", note="its table of socket operations was not found")


def test_nspr_is_no_tls(tmp_path):
    found = quick(library(tmp_path, "PR_Read PR_Write PR_GetLayersIdentity"))
    assert (found.library, found.functions) == ("", ())
    assert "NSS" in found.note


def test_symbols_that_are_only_used_are_not_defined_here(tmp_path):
    path = library(tmp_path, "", source="int SSL_read(); int SSL_write(); int use(void) { return SSL_read() + SSL_write(); }")
    assert quick(path) == Found("")


@pytest.mark.parametrize("style", ["gnu", "sysv"])
def test_without_section_headers(tmp_path, style):
    path = library(tmp_path, "SSL_read SSL_write unSSL_free", f"-Wl,--hash-style={style}")
    whole = quick(path)
    with open(path, "rb") as file:
        data = file.read()
    with open(path, "wb") as file:
        file.write(headless(data))
    assert quick(path) == whole
    assert [function.role for function in whole.functions] == ["read", "write"]


def test_names_that_share_an_ending(tmp_path):
    path = library(tmp_path, "DTLS_SSL_read SSL_read SSL_rea xSSL_read")
    with open(path, "rb") as file:
        found = lookup(Elf(file.fileno()), ["SSL_read", "SSL_rea", "SSL_r", "xSSL_read"])
    assert sorted(found) == ["SSL_rea", "SSL_read", "xSSL_read"]
    assert len({symbol.address for symbol in found.values()}) == 3


def test_local_symbols_of_a_program(tmp_path):
    source = "static __attribute__((used)) int SSL_read(int a) { return a; } static __attribute__((used)) int SSL_write(int a) { return a * 2; }"
    path = library(tmp_path, "", source=source)
    assert entries(path, quick(path)) == {"read": "SSL_read", "write": "SSL_write"}


def test_ways_out_of_functions_with_symbols(tmp_path):
    source = """
    int outer(int); int SSL_write(int a) { return outer(a); }
    int SSL_read(int a, int *b) { if (a > 3) { *b = a; return outer(a) + 1; } return outer(7) * 3; }
    """
    found = search(library(tmp_path, "", "-O2", source=source))
    read, write = found.functions
    with open(tmp_path / "library.so", "rb") as file:
        data = file.read()
    assert read.returns
    assert {data[offset] for offset in read.returns} == {0xC3}
    assert write.returns == ()
    assert found.note == "write: it ends in a jump to another function"


def test_switches_do_not_hide_ways_out(tmp_path):
    cases = "".join(f"case {n}: sink({n * n + 3}); sink(a); return {n * 7919 % 1000};" for n in range(12))
    source = f"void sink(int); int SSL_write(int a) {{ return a; }} int SSL_read(int a) {{ switch (a) {{ {cases} }} sink(2); return 5; }}"
    found = search(library(tmp_path, "", "-O2", "-fcf-protection=none", source=source))
    assert found.note == ""
    assert len(found.functions[0].returns) >= 1


def test_what_cannot_be_read():
    assert quick("/nowhere/at/all") == Found("", note="cannot be read: No such file or directory")
    assert quick(os.devnull) == Found("", note="not an ELF file")
    assert search(os.devnull) == Found("", note="not an ELF file")
