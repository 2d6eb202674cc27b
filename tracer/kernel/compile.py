"""Compiles the C code in bpf/ with BCC: two processes do it side by side, since LLVM takes two seconds and 135 MB for what one image holds.

The C code is given to BCC as it is: everything that varies is a -D flag (see flags in build.py) or a line of shapes.h.
"""

from __future__ import annotations

import marshal
import os
import sys

from tracer.bare import partial, suppress
from tracer.errors import CompilerMissing, EbtraceError, HostError
from tracer.fork import apart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, BinaryIO, NoReturn

__all__ = ("Compilation", "bcc_module")

_SOURCES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))), "bpf")
# About the same work each; process.c and census.c use what syscalls.c defines.
_PARTS = (("syscalls.c", "process.c", "census.c", "streams.c", "payload.c", "passing.c"), ("tls.c", "uring.c", "sockets.c"))


_KEPT: list[object] = []  # to take a compiler apart takes longer than to leave with it

# BCC runs all of LLVM's passes over what clang gives it, so clang need not; and nobody reads the debug information.
_QUICKER = ("-Xclang", "-disable-llvm-passes", "-g0")
_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000  # include/uapi/linux/sched.h, mount.h


def _hide_symbols() -> None:
    """Has /proc/kallsyms be empty for this process, where that is allowed.

    BCC reads all of it, a fifth of a second, to find out which helper its rewriter is to use; there is nothing here that it rewrites.
    """
    import ctypes

    libc = ctypes.CDLL(None)
    if libc.unshare(_CLONE_NEWNS) == 0 and libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None) == 0:
        libc.mount(b"/dev/null", b"/proc/kallsyms", None, ctypes.c_ulong(_MS_BIND), None)


def bcc_module() -> Any:
    """BCC's Python module: the distribution's, which no virtual environment holds. The `bcc` of PyPI is another project."""
    for folder in ("/usr/lib/python3/dist-packages", "/usr/lib/python3/site-packages"):
        if os.path.isdir(os.path.join(folder, "bcc")):
            sys.path.append(folder)
    try:
        import bcc
        from bcc.libbcc import lib

        return bcc.BPF, lib
    except (ImportError, AttributeError, OSError) as error:
        raise CompilerMissing(f"BCC is not installed ({error}); it compiles the probes at first use") from error


def _compiled(files: Sequence[str], asked: BinaryIO) -> dict[str, bytes]:
    """The programs in these files of bpf/, by name. Raises HostError and CompilerMissing."""
    import ctypes
    import pathlib
    import tempfile

    from tracer.kernel.headers import write_headers

    compiler, lib = bcc_module()
    lib.bpf_num_functions.argtypes, lib.bpf_num_functions.restype = [ctypes.c_void_p], ctypes.c_ulonglong
    lib.bpf_function_name.argtypes, lib.bpf_function_name.restype = [ctypes.c_void_p, ctypes.c_ulonglong], ctypes.c_char_p
    raw = asked.read()
    if not raw:
        os._exit(0)  # whoever asks has met an error, and says so
    options, shape_text = marshal.loads(raw)
    with tempfile.TemporaryDirectory(prefix="ebtrace-build-") as folder:
        write_headers(pathlib.Path(folder), shape_text)
        os.environ["BCC_KERNEL_SOURCE"] = folder
        text = "".join(f'#include "{name}"\n' for name in ("kernel.h", *files))  # what this kernel has decides what of them is compiled
        options = [*options, *_QUICKER, f"-I{_SOURCES}", f"-I{folder}/include", "-Wno-unused-function", "-Wno-unused-variable"]
        try:
            # Clang's diagnostics go to descriptor 2; they belong in the build's own error.
            module = compiler(text=text.encode(), cflags=options)
        except Exception as error:  # BCC raises a bare Exception
            raise HostError(f"the probes do not compile for this kernel: {error}", "report this with the messages above") from error
        _KEPT.append(module)
        names = [lib.bpf_function_name(module.module, i) for i in range(lib.bpf_num_functions(module.module))]
        return {name.decode(): module.dump_func(name) for name in names}


def _answer(work: Callable[[], dict[str, bytes]], answer: int) -> None:
    """Tells what came of it: programs, or why there are none."""
    told: dict[str, Any] = {}
    try:
        told = {"programs": work()}
    except EbtraceError as error:
        told = {"message": error.message, "remedy": error.remedy}
    finally:
        with os.fdopen(answer, "wb") as file:
            file.write(marshal.dumps(told))


def _serve(asked: Sequence[int], answers: Sequence[int]) -> NoReturn:
    """In the process that compiles: answers with the programs of each part, or what is wrong with it. All parts but the last are a fork's."""
    others: list[int] = []
    try:
        _hide_symbols()
        with suppress(CompilerMissing):  # who compiles meets it again
            bcc_module()
        import tempfile  # noqa: F401  # once for all parts, while nobody has asked for one

        import tracer.kernel.headers  # noqa: F401

        for number, files in enumerate(_PARTS):
            pid = apart() if number < len(_PARTS) - 1 else 0
            if pid:
                others.append(pid)
                continue
            for answer in {*answers} - {answers[number]}:
                os.close(answer)  # whoever waits for it waits for the last who could give it
            with os.fdopen(asked[number], "rb") as file:
                _answer(partial(_compiled, files, file), answers[number])
            break
        for pid in others:
            os.waitpid(pid, 0)
    finally:
        os._exit(0)


class Compilation:
    """All parts. The compiler is loaded at once, beside whatever else there is to find out before `begin`, and then forked."""

    def __init__(self) -> None:
        asked, answers = [os.pipe() for _ in _PARTS], [os.pipe() for _ in _PARTS]
        self._asks, self._answers = [ask for _, ask in asked], [answer for answer, _ in answers]
        theirs = [fd for fd, _ in asked], [fd for _, fd in answers]
        self._pid = apart()
        if not self._pid:
            for fd in (*self._asks, *self._answers):
                os.close(fd)
            _serve(*theirs)
        for fd in (*theirs[0], *theirs[1]):
            os.close(fd)

    def begin(self, options: Sequence[str], shape_text: str) -> None:
        """With these -D flags, and the lines of shapes.h."""
        for ask in self._asks:
            with suppress(BrokenPipeError), os.fdopen(ask, "wb") as file:  # it has met an error, and told it
                file.write(marshal.dumps([list(options), shape_text]))

    def programs(self) -> dict[str, bytes]:
        """Waits for them, and not for the processes' end. Raises HostError with what one of them said."""
        programs: dict[str, bytes] = {}
        failed: list[HostError] = []
        for answer in self._answers:
            with os.fdopen(answer, "rb") as file:
                raw = file.read()
            told = marshal.loads(raw) if raw else {}
            programs |= told.get("programs", {})
            if "programs" not in told:
                failed.append(HostError(told.get("message", "the compiler ended without a word: is there memory for it?"), told.get("remedy")))
        if failed:
            raise failed[0]
        return programs
