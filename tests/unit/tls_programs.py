"""Small programs that hold what the finder looks for, compiled on the spot, and what nm says of them before they are stripped."""

import functools
import os
import subprocess
import tempfile

BORING = r"""
typedef struct { void *quic; int (*handshake)(void); char *pending; unsigned long left; int shut; char kept[64]; } SSL;
#define KEEP __attribute__((noipa, used))  // as in a file of its own: callers assume nothing
KEEP void put_error(int library, int unused, int reason, const char *file, unsigned line) { __asm__ volatile("" ::"r"(file), "r"(line) : "memory"); }
#define PUT(reason) put_error(16, 0, reason, "../../vendor/boringssl/src/ssl/ssl_lib.cc", __LINE__)
KEEP void clear_error(SSL *s) { __asm__ volatile("" ::"r"(s) : "memory"); }
KEEP int SSL_do_handshake(SSL *s) { if (!s->handshake) { PUT(144); return -1; } return s->handshake(); }
KEEP static void discard(SSL *s) { s->pending = 0; }
KEEP static int ssl_read_impl(SSL *s) {
    clear_error(s);
    if (!s->handshake) { PUT(226); return -1; }
    while (!s->left) {
        int done = SSL_do_handshake(s);
        if (done < 0) return done;
        if (!done) { PUT(215); return -1; }
    }
    return 1;
}
PEEK int peek(SSL *s, void *to, int length) {
    if (s->quic) { PUT(66); return -1; }
    int done = ssl_read_impl(s);
    if (done <= 0) return done;
    unsigned long todo = s->left < (unsigned long)length ? s->left : (unsigned long)length;
    __builtin_memcpy(to, s->pending, todo);
    return (int)todo;
}
#if BOTH
#define AGAIN SSL_peek
KEEP int SSL_peek(SSL *s, void *to, int length) { return peek(s, to, length); }
#else
#define AGAIN SSL_write
#endif
KEEP int SSL_read(SSL *s, void *to, int length) {
    int done = peek(s, to, length);
    if (done <= 0) return done;
    s->pending += done;
    s->left -= done;
    if (!s->left) discard(s);
    return done;
}
KEEP int SSL_write(SSL *s, const void *from, int length) {
    clear_error(s);
    if (s->quic) { PUT(66); return -1; }
    if (!s->handshake) { PUT(226); return -1; }
    int done = SSL_do_handshake(s);
    if (done < 0) return done;
    if (!done) { PUT(215); return -1; }
    if (length < 0) { PUT(111); return -1; }
    __builtin_memcpy(s->kept, from, 64);
    return length;
}
KEEP int SSL_shutdown(SSL *s) { if (!s->handshake) { PUT(226); return -1; } return ssl_read_impl(s); }
int main(int count, char **words) {
    SSL s = {0};
    return SSL_read(&s, words[0], count) + SSL_write(&s, words[0], count) + SSL_shutdown(&s) + AGAIN(&s, words[0], count);
}
"""

OPENSSL = r"""
typedef unsigned long size_t;
typedef struct { void *method; size_t left; } SSL;
#define KEEP __attribute__((noipa, used))  // as in a file of its own: callers assume nothing
KEEP void ERR_new(void) { __asm__ volatile("" ::: "memory"); }
KEEP void ERR_set_debug(const char *file, int line, const char *function) { __asm__ volatile("" ::"r"(file), "r"(function) : "memory"); }
KEEP void ERR_set_error(int library, int reason, const char *format, ...) { __asm__ volatile("" ::"r"(reason) : "memory"); }
KEEP void ERR_put_error(int library, int function, int reason, const char *file, int line) { __asm__ volatile("" ::"r"(file) : "memory"); }
#if OLD
#define RAISE(number, reason) ERR_put_error(20, number, reason, "ssl/ssl_lib.c", __LINE__)
#else
#define RAISE(number, reason) (ERR_new(), ERR_set_debug("ssl/ssl_lib.c", __LINE__, __func__), ERR_set_error(20, reason, 0))
#endif
const char *version(void) { return "OpenSSL 3.9.8 1 Jan 2031"; }
KEEP int ssl_read_internal(SSL *s, void *to, size_t length, size_t *got) {
    if (!s->method) { RAISE(523, 276); return -1; }
    *got = length;
    return 1;
}
KEEP int SSL_read(SSL *s, void *to, int length) {
    size_t got;
    if (length < 0) { RAISE(223, 271); return -1; }
    int done = ssl_read_internal(s, to, length, &got);
    return done > 0 ? (int)got : done;
}
KEEP int SSL_read_ex(SSL *s, void *to, size_t length, size_t *got) { int done = ssl_read_internal(s, to, length, got); return done > 0 ? 1 : 0; }
KEEP int SSL_read_early_data(SSL *s, void *to, size_t length, size_t *got) {
    if (!s->left) { RAISE(529, 66); return 0; }
    return ssl_read_internal(s, to, length, got) > 0;
}
KEEP int ssl_write_internal(SSL *s, const void *from, size_t length, size_t *put) {
    if (!s->method) { RAISE(524, 276); return -1; }
    *put = length;
    return 1;
}
KEEP int SSL_write(SSL *s, const void *from, int length) {
    size_t put;
    if (length < 0) { RAISE(208, 271); return -1; }
    int done = ssl_write_internal(s, from, length, &put);
    return done > 0 ? (int)put : done;
}
KEEP int SSL_write_ex(SSL *s, const void *from, size_t length, size_t *put) {
    int done = ssl_write_internal(s, from, length, put);
    return done > 0 ? 1 : 0;
}
int main(int count, char **words) {
    SSL s = {0};
    size_t n = 0;
    int sum = SSL_read(&s, words[0], count) + SSL_write(&s, words[0], count) + SSL_read_ex(&s, words[0], 1, &n) + SSL_write_ex(&s, words[0], 1, &n);
    return sum + SSL_read_early_data(&s, words[0], 1, &n) + version()[0];
}
"""

_INSIDE = "-DPEEK=static inline __attribute__((always_inline))"
PEEKS = {"apart": ("-DPEEK=KEEP",), "inside": (_INSIDE,), "both": (_INSIDE, "-DBOTH=1")}  # where SSL_peek's code is
KINDS = {
    "pie": ("-fPIE", "-pie"),
    "fixed": ("-fno-pie", "-no-pie"),
    "no unwinding": ("-fno-pie", "-no-pie", "-fno-asynchronous-unwind-tables", "-falign-functions=16", "-Wl,--no-eh-frame-hdr"),
    "pie, no unwinding": ("-fPIE", "-pie", "-fno-asynchronous-unwind-tables", "-falign-functions=16", "-Wl,--no-eh-frame-hdr"),
    "code and texts together": ("-fno-pie", "-no-pie", "-Wl,-z,noseparate-code"),
}


@functools.cache
def build(source: str, *options: str, libraries: tuple[str, ...] = ()) -> tuple[bytes, dict[str, int]]:
    """A program as bytes, stripped, and the addresses that its functions had names for."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "program")
        command = ["gcc", "-x", "c", "-O2", "-fno-builtin-memcpy", "-w", *options, "-o", path, "-", *libraries]
        subprocess.run(command, input=source.encode(), check=True)
        names = subprocess.run(["nm", path], capture_output=True, check=True).stdout.decode().splitlines()
        subprocess.run(["strip", path], check=True)
        with open(path, "rb") as file:
            data = file.read()
    rows = [line.split() for line in names]
    return data, {row[2]: int(row[0], 16) for row in rows if len(row) == 3 and row[1] in "Tt"}


def headless(data: bytes) -> bytes:
    """The same file without section headers."""
    return data[:40] + bytes(8) + data[48:58] + bytes(6) + data[64:]
