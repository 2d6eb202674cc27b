"""Places where an uprobe costs least: libraries made on the spot, as OpenSSL's compilers lay them out."""

import platform

import pytest

from tests.unit.test_tls_symbols import entries, library
from tracer.tls.elf import Elf
from tracer.tls.quick import quick
from tracer.tls.symbols import lookup

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="instructions of x86-64")

# The inner functions need registers that they have to save first; INNER is before their types, FLAGS is "int flags," or nothing.
PAIRS = r"""
typedef unsigned long size_t;
#define KEEP __attribute__((noipa, used))
KEEP void fail(void) { __asm__ volatile("" ::: "memory"); }
KEEP static void work(void *at, size_t length) { __asm__ volatile("" ::"r"(at), "r"(length) : "memory"); }
INNER KEEP int read_within(void *s, void *to, size_t length, size_t *got) { work(s, length); *got = length; return to != 0; }
INNER KEEP int write_within(void *s, void *from, size_t length, FLAGS size_t *put) { work(s, length); *put = length; return from != 0; }
int SSL_read(void *s, void *to, int length) {
    size_t got;
    if (length < 0) { fail(); return -1; }
    int done = read_within(s, to, length, &got);
    return done > 0 ? (int)got : done;
}
int SSL_read_ex(void *s, void *to, size_t length, size_t *got) { int done = read_within(s, to, length, got); return done < 0 ? 0 : done; }
int SSL_write(void *s, void *from, int length) {
    size_t put;
    if (length < 0) { fail(); return -1; }
    int done = write_within(s, from, length, ZERO &put);
    return done > 0 ? (int)put : done;
}
int SSL_write_ex(void *s, void *from, size_t length, size_t *put) { int done = write_within(s, from, length, ZERO put); return done < 0 ? 0 : done; }
void SSL_free(void *s) { work(s, 0); }
"""
STATIC = "-DINNER=static"


def made(tmp_path, *options: str) -> str:
    return library(tmp_path, "", "-O2", "-fcf-protection=none", "-fstack-protector-strong", *options, source=PAIRS)


@pytest.mark.parametrize(("options", "role"), [
    (("-DFLAGS=", "-DZERO="), "write_ex"),  # up to 3.2
    (("-DFLAGS=int flags,", "-DZERO=0,"), "write_inner"),  # from 3.3 on
])
def test_the_inner_functions_of_openssl(tmp_path, options, role):
    path = made(tmp_path, STATIC, *options)
    found = quick(path)
    assert entries(path, found)["read_inner"] == "read_within"
    assert entries(path, found)[role] == "write_within"
    assert {function.role for function in found.functions} == {"read_inner", role, "free"}


def test_functions_that_others_may_replace_are_called_through_stubs(tmp_path):
    """So what both forms call is a stub, and no place for a probe."""
    found = quick(made(tmp_path, "-DINNER=", "-DFLAGS=", "-DZERO="))
    assert {function.role for function in found.functions} == {"read", "read_ex", "write", "write_ex", "free"}


def test_the_plain_function_where_it_begins_well_itself(tmp_path):
    path = made(tmp_path, STATIC, "-DFLAGS=", "-DZERO=", "-fno-omit-frame-pointer")
    assert entries(path, quick(path))["read"] == "SSL_read"


@pytest.mark.parametrize(("code", "ahead"), [
    ("endbr64; push %rbx; pop %rbx; ret", 4),
    ("push %r14; pop %r14; ret", 0),
    ("endbr64; test %rdi, %rdi; je 1f; nop; 1: ret", 7),
    ("test %rdi, %rdi; je 2f; .skip 200; 2: ret", 3),
    ("test %rsi, %rsi; je 1f; 1: ret", 0),  # not known to be harmless
    ("sub $8, %rsp; add $8, %rsp; ret", 0),
    ("endbr64; sub $8, %rsp; add $8, %rsp; ret", 0),
    ("ret", 0),
])
def test_behind_what_changes_nothing(tmp_path, code, ahead):
    types = ".type SSL_read, @function\\n.type SSL_free, @function\\n"
    path = library(tmp_path, "", source=f'__asm__(".globl SSL_free, SSL_read\\n{types}SSL_read: ret\\n.skip 99\\nSSL_free: {code}\\n");')
    found = {function.role: function.entry for function in quick(path).functions}
    with open(path, "rb") as file:
        elf = Elf(file.fileno())
        entry = elf.offset(lookup(elf, ["SSL_free"])["SSL_free"].address)
    assert found["free"] == entry + ahead


def test_calls_out_of_bounds_of_a_broken_file(tmp_path):
    """A symbol may claim any length, and calls lead anywhere."""
    source = r"""
__asm__(".globl SSL_read, SSL_read_ex\n.type SSL_read, @function\n.type SSL_read_ex, @function\n"
        "SSL_read: sub $8, %rsp; lea 8(%rsp), %rcx; .byte 0xe8, 0xff, 0xff, 0xff, 0x7f, 0xe8, 1\n.size SSL_read, 1 << 40\n"
        "SSL_read_ex: .byte 0xe8, 0, 0, 0, 0x80, 0xe8\n.size SSL_read_ex, 0x7fffffffffffffff\n");
"""
    found = quick(library(tmp_path, "", source=source))
    assert {function.role for function in found.functions} == {"read", "read_ex"}
