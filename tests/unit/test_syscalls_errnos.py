import errno

from tracer.syscalls.errnos import errno_name


def test_every_name_is_the_hosts_number() -> None:
    for number in errno.errorcode:
        assert getattr(errno, errno_name(number)) == number


def test_numbers_that_programs_never_see() -> None:
    assert [errno_name(number) for number in range(512, 518)] == [
        "ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "ENOIOCTLCMD", "ERESTART_RESTARTBLOCK", "EPROBE_DEFER"]
    assert errno_name(521) == "EBADHANDLE"
    assert errno_name(524) == "ENOTSUPP"
    assert errno_name(529) == "EIOCBQUEUED"


def test_one_of_two_names_as_strace_prints_it() -> None:
    assert [errno_name(number) for number in (11, 35, 95, 133)] == ["EAGAIN", "EDEADLK", "EOPNOTSUPP", "EHWPOISON"]


def test_numbers_without_a_name() -> None:
    assert [errno_name(number) for number in (0, 41, 58, 134, 511, 520, 4095)] == [
        "errno_0", "errno_41", "errno_58", "errno_134", "errno_511", "errno_520", "errno_4095"]
