"""What can be seen of the host without loading anything: kernel, rights, namespaces, settings, the compiler."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys

from tracer.doctor.checks import Capability, Check
from tracer.errors import CompilerMissing, HostError
from tracer.kernel.sys import arch
from tracer.syscalls.names import table_name
from tracer.target.rights import CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE, can_trace, capable

__all__ = ("SUDO_DOCTOR", "bcc", "kernel", "namespace", "others", "rights", "settings", "sudo")

SUDO_DOCTOR = "test it with root rights: sudo ebtrace doctor"

_KERNEL = Capability("kernel", "what is traced: Linux on x86-64 or arm64")
_RIGHTS = Capability("rights", "loading probes: root, or CAP_BPF and CAP_PERFMON")
_OTHERS = Capability("other users' processes", "attaching to them, and seeing what they have open", required=False)
_SUDO = Capability("sudo", "starts the tracer for users without these rights", required=False)
_NAMESPACE = Capability("host's process ids", "sessions show the ids that you know", required=False)
_SETTINGS = Capability("kernel settings", "what the administrator allows, and how fast BPF is", required=False)
_BCC = Capability("BCC", "compiles the probes, once for each kernel")

_CAP_DAC_READ_SEARCH = 2
_INITIAL_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO of include/linux/proc_ns.h
# The distribution's BCC is outside a virtual environment, and LLVM takes 135 MB: it is looked for in a process of its own.
_ASK_BCC = "from tracer.kernel.compile import bcc_module; bcc_module(); import bcc, os; print(bcc.__version__, os.path.dirname(bcc.__file__))"


def kernel() -> Check:
    """Name, release and machine."""
    system = os.uname()
    detail = f"{system.sysname} {system.release} {system.machine}"
    try:
        table_name(arch())
    except HostError as error:
        return _KERNEL.missing(error.message, error.remedy)
    return _KERNEL.found(detail)


def rights() -> Check:
    """Who this process is to the kernel. Tried with a throw-away user on Linux 6.18: these two capabilities are enough, each alone is not."""
    needed = {"CAP_BPF": CAP_BPF, "CAP_PERFMON": CAP_PERFMON}
    lacks = [] if capable(CAP_SYS_ADMIN) else [name for name, number in needed.items() if not capable(number)]
    who = "root" if os.geteuid() == 0 else f"user {_user()}"
    if not lacks:
        return _RIGHTS.found(who if os.geteuid() == 0 else f"{who} with " + ("CAP_SYS_ADMIN" if capable(CAP_SYS_ADMIN) else " and ".join(needed)))
    detail = f"{who} without {' and '.join(lacks)}"
    if os.geteuid() == 0:
        return _RIGHTS.missing(detail, "a container takes them away: run ebtrace on the host, or start the container with them")
    if shutil.which("sudo"):
        return _RIGHTS.untested(detail, "run and attach start their tracer through sudo by themselves; to test the rest: sudo ebtrace doctor")
    return _RIGHTS.missing(detail, "become root, or have them given to you: setpriv --ambient-caps +bpf,+perfmon, or pam_cap at login")


def others() -> Check:
    """Attaching to another user's process asks for CAP_SYS_PTRACE; its list of open files is behind CAP_DAC_READ_SEARCH too."""
    needed = {"CAP_SYS_PTRACE": CAP_SYS_PTRACE, "CAP_DAC_READ_SEARCH": _CAP_DAC_READ_SEARCH}
    lacks = [name for name, number in needed.items() if not capable(number)]
    if not lacks:
        return _OTHERS.found("every process")
    if not can_trace():
        return _OTHERS.untested("own processes only, but for sudo", SUDO_DOCTOR)
    return _OTHERS.missing(f"without {' and '.join(lacks)}", "to trace the processes of other users: run it as root, or add " + " and ".join(lacks))


def sudo() -> Check:
    """Whether sudo is there; whether it lets this user through is only known by asking."""
    found = shutil.which("sudo")
    if found:
        return _SUDO.found(found)
    return _SUDO.missing("not installed", "only needed by users without rights of their own: apt install sudo")


def namespace() -> Check:
    """In a container the kernel's ids are not the ones that programs see there."""
    if os.stat("/proc/self/ns/pid").st_ino == _INITIAL_PID_NAMESPACE:
        return _NAMESPACE.found("this is the host's own namespace")
    return _NAMESPACE.missing("this is a container's namespace", "sessions hold the host's process ids: run ebtrace on the host")


def settings() -> Check:
    """Lockdown and the sysctls that have a say in BPF. What they forbid shows in the tests; here is why."""
    sysctls = {name: _read(f"/proc/sys/{path}") for name, path in (
        ("unprivileged_bpf_disabled", "kernel/unprivileged_bpf_disabled"),
        ("perf_event_paranoid", "kernel/perf_event_paranoid"),
        ("bpf_stats_enabled", "kernel/bpf_stats_enabled"),
    )}
    lockdown = _read("/sys/kernel/security/lockdown").partition("[")[2].partition("]")[0] or "unknown"
    detail = ", ".join([f"lockdown {lockdown}", *(f"{name} {value}" for name, value in sysctls.items() if value)])
    if lockdown == "confidentiality":
        return _SETTINGS.missing(detail, "lockdown=confidentiality forbids BPF to read kernel memory: boot with lockdown=integrity or none")
    if sysctls["bpf_stats_enabled"] == "1":
        return _SETTINGS.missing(detail, "the kernel times every BPF program, which makes probes slower: sysctl kernel.bpf_stats_enabled=0")
    return _SETTINGS.found(detail)


def bcc(cached: bool) -> Check:
    """BCC's version and place; with the probes ``cached`` it is not needed before the next kernel."""
    capability = Capability(_BCC.name, _BCC.purpose, required=not cached)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r}); {_ASK_BCC}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        version, _, place = done.stdout.strip().rpartition("\n")[2].partition(" ")
        return capability.found(f"version {version} in {place}")
    told = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    return capability.missing(told.partition(": ")[2] or told, CompilerMissing.default_remedy)


def _user() -> str:
    try:
        return getpass.getuser() if os.getuid() == os.geteuid() else str(os.geteuid())
    except (KeyError, OSError):  # a uid without a name
        return str(os.geteuid())


def _read(path: str) -> str:
    """The text of a small file; empty where it is not there or not for us."""
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
