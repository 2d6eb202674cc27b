import pytest

from tracer.errors import UsageError
from tracer.records import SYSNO_COMPAT, SYSNO_LIMIT, SYSNO_UNKNOWN
from tracer.syscalls.classes import CLASSES, members, select
from tracer.syscalls.names import name

EVERY = frozenset(range(SYSNO_LIMIT))


def names(expression: str, arch: str = "x86_64") -> set[str]:
    return {name(arch, sysno) for sysno in select(expression, arch)}


@pytest.mark.parametrize("expression", [
    "read,openat", "trace=read,openat", "t=read,openat", "read,,openat,", "!!read,openat", "trace=?read,?nosuch,openat"])
def test_lists(expression: str) -> None:
    assert names(expression) == {"read", "openat", "read (32-bit)", "openat (32-bit)"}


@pytest.mark.parametrize("expression", ["", "all", "trace=all", "!none", "!?nosuch", "all,read"])
def test_everything(expression: str) -> None:
    assert select(expression, "x86_64") == EVERY


@pytest.mark.parametrize("expression", ["none", "trace=none", "!all", "?nosuch", "?", "?%nosuch", "?/^nosuch", "?waitpid@64"])
def test_nothing(expression: str) -> None:
    assert select(expression, "x86_64") == frozenset()


def test_inversion_keeps_numbers_without_a_name() -> None:
    assert select("!read", "x86_64") == EVERY - {0, SYSNO_COMPAT + 3}
    assert SYSNO_UNKNOWN in select("!%file", "x86_64")
    assert SYSNO_UNKNOWN not in select("%file", "x86_64")


def test_the_last_of_several_counts_as_in_strace() -> None:
    assert select("trace=read;trace=openat", "x86_64") == select("openat", "x86_64")
    assert select("%file;!openat", "x86_64") == EVERY - select("openat", "x86_64")
    with pytest.raises(UsageError):
        select("nosuch;openat", "x86_64")


def test_personalities() -> None:
    assert names("read@64") == {"read"}
    assert names("read@32") == {"read (32-bit)"}
    assert names("%stat@32") == {"stat (32-bit)", "stat64 (32-bit)", "oldstat (32-bit)"}
    assert len(select("all@64", "x86_64")) == len(select("all@32", "x86_64")) == SYSNO_COMPAT
    assert names("waitpid") == {"waitpid (32-bit)"}


def test_regular_expressions_match_anywhere() -> None:
    assert names("/^(.*_)?statv?fs@64") == {"statfs"}
    assert names("/re.d$@64") == {"read"}
    assert names("/statfs,close") >= {"statfs", "fstatfs64 (32-bit)", "close"}
    assert names("/^open|x=y@64") == {"open", "openat", "openat2", "open_tree", "open_tree_attr", "open_by_handle_at"}


def test_numbers() -> None:
    assert select("0", "x86_64") == {0, SYSNO_COMPAT}
    assert select("500@64", "x86_64") == {500}, "a call of a newer kernel"


@pytest.mark.parametrize("word", ["file", "process", "network", "signal", "ipc", "desc", "memory"])
def test_old_words_for_classes(word: str) -> None:
    assert select(word, "x86_64") == select(f"%{word}", "x86_64") != frozenset()


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_every_class_is_a_word(arch: str) -> None:
    for group in CLASSES:
        assert select(f"%{group}", arch) or (arch == "aarch64" and group in ("stat", "lstat"))
    assert select("%net", arch) == select("%network", arch)


def test_samples_of_classes() -> None:
    """The whole of them is compared with strace itself in test_syscalls_strace.py."""
    assert names("%file@64") >= {"openat", "stat", "execve", "mount", "getcwd", "fchmodat2", "setxattrat", "linkat"}
    assert not names("%file") & {"read", "close", "memfd_create", "mq_open", "socket"}
    assert names("%desc@64") >= {"read", "close", "openat", "mmap", "poll", "epoll_wait", "pipe", "sendfile", "cachestat"}
    assert not names("%desc") & {"socket", "recvmsg", "fork", "unlink"}
    assert names("%network@64") >= {"socket", "sendto", "recvmmsg", "sendfile"}
    assert names("%network@32") >= {"socketcall (32-bit)"}
    assert names("%memory@64") >= {"mmap", "brk", "mseal"}
    assert names("%pure", "aarch64") >= {"getpid", "gettid", "getuid32 (32-bit)"}
    assert names("%%stat", "aarch64") >= {"newfstatat", "fstat", "statx", "lstat64 (32-bit)"}
    assert names("%network@32", "aarch64") >= {"recv (32-bit)", "send (32-bit)", "accept (32-bit)"}


def test_listed_calls_exist_somewhere() -> None:
    everywhere = {name(arch, sysno).split()[0] for arch in ("x86_64", "aarch64") for sysno in range(SYSNO_LIMIT)}
    for group in CLASSES:
        for table in ("x86_64", "i386", "arm64", "arm"):
            assert members(group, table) <= everywhere


@pytest.mark.parametrize(("expression", "message", "remedy"), [
    ("opnat", "there is no system call opnat", "did you mean openat"),
    ("trace=read,opnat", "there is no system call opnat", "openat"),
    ("%fiel", "there is no class of system calls %fiel", "%file"),
    ("%nothingofthekind", "there is no class", "names and classes are those of strace"),
    ("READ", "there is no system call READ", "strace"),
    ("waitpid@64", "x86_64 has no system call waitpid@64", "write ?waitpid@64"),
    ("sync_file_range2", "x86_64 has no system call sync_file_range2", "write ?sync_file_range2"),
    ("/^nosuch", "no system call matches -e /^nosuch", "write ?/^nosuch"),
    ("/[", "-e /[: unterminated character set", "regular expression"),
    ("/[[:alpha:]]+at$", "-e /[[:alpha:]]+at$: Possible nested set", "regular expression"),
    ("none,read", "there is no system call none", ""),
    ("read@x32", "-e read@x32: there is no personality @x32", "@64"),
    ("9999", "there is no system call 9999", ""),
    (str(SYSNO_UNKNOWN), "there is no system call", ""),
    ("trace=", "-e names no system call", "trace=%file"),
    (",", "-e names no system call", "trace=%file"),
    (";read", "-e names no system call", "trace=%file"),
    ("!", "-e names no system call", "trace=%file"),
    ("signal=none", "-e signal=none is not supported", "write -e trace=LIST"),
    ("decode-fds=all", "-e decode-fds=all is not supported", "write -e trace=LIST"),
    ("openat,!read", "there is no system call !read", ""),
])
def test_mistakes(expression: str, message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(expression, "x86_64")
    assert caught.value.message.startswith(message)
    assert remedy in caught.value.remedy
    assert caught.value.status == 2


def test_a_call_of_another_machine() -> None:
    with pytest.raises(UsageError, match="aarch64 has no system call iopl"):
        select("iopl", "aarch64")
    assert names("open", "aarch64") == {"open (32-bit)"}
