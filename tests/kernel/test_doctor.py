"""`ebtrace doctor` on this machine: as root, as nobody in particular, and with the two capabilities that are enough."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.support import DEADLINE, EBTRACE, cli, need
from tracer.kernel.cost import Trial, added_ns
from tracer.kernel.image import image
from tracer.kernel.sys import arch
from tracer.syscalls.plans import plans

STRANGER = 54321  # a user id that nobody has
ENOUGH = "+bpf,+perfmon"


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ebtrace-home-") as folder:
        os.chown(folder, STRANGER, STRANGER)
        yield Path(folder)


def examined(*words: str | Path, home: Path | None = None) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit status and the checks by name."""
    environment = {**os.environ, **({"HOME": str(home), "XDG_CACHE_HOME": ""} if home else {})}
    options: dict[str, Any] = {"capture_output": True, "encoding": "utf-8", "timeout": DEADLINE, "env": environment, "check": False}
    done = subprocess.run([*words, EBTRACE, "doctor", "--json"], **options)
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert document["ok"] is (done.returncode == 0)
    return done.returncode, {check["name"]: check for check in document["checks"]}


def stranger(capabilities: str) -> list[str]:
    need(shutil.which("setpriv") is not None, "needs setpriv: apt install util-linux")
    one = f"-all,{capabilities}".rstrip(",")
    return ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", f"--inh-caps={one}", f"--ambient-caps={one}", "--no-new-privs"]


def test_as_root_all_that_is_needed_works() -> None:
    status, checks = examined()
    assert status == 0, [check for check in checks.values() if not check["ok"]]
    assert all(check["ok"] for check in checks.values() if check["required"])
    assert all(check["status"] != "untested" for check in checks.values())
    assert checks["self-test"]["detail"].startswith("of 10,007 calls 10,007 were counted and 10,007 recorded")


@pytest.mark.parametrize("capabilities", ["", "+bpf", "+perfmon"])
def test_without_rights_it_says_what_it_could_not_test(capabilities: str, home: Path) -> None:
    status, checks = examined(*stranger(capabilities), home=home)
    assert status == 3
    assert checks["kernel"]["ok"]
    assert checks["type information (BTF)"]["ok"]
    assert not checks["rights"]["ok"]
    for name in ("raw tracepoints", "iterator over tasks", "self-test"):
        assert (checks[name]["ok"], checks[name]["status"], checks[name]["required"]) == (False, "untested", True)
        assert "sudo ebtrace doctor" in checks[name]["remedy"]


def test_two_capabilities_are_enough(home: Path) -> None:
    status, checks = examined(*stranger(ENOUGH), home=home)
    assert status == 0, [check for check in checks.values() if not check["ok"]]
    assert checks["rights"]["detail"] == f"user {STRANGER} with CAP_BPF and CAP_PERFMON"
    assert checks["other users' processes"]["status"] == "optional"
    assert checks["self-test"]["ok"]


def test_in_a_container_the_ids_are_the_hosts() -> None:
    need(shutil.which("unshare") is not None, "needs unshare: apt install util-linux")
    status, checks = examined("unshare", "--pid", "--fork", "--mount-proc")
    assert status == 0
    assert checks["host's process ids"]["status"] == "optional"
    assert "it calls itself 1)" in checks["self-test"]["detail"]


def test_without_type_information_nothing_crashes() -> None:
    need(shutil.which("unshare") is not None, "needs unshare: apt install util-linux")
    status, checks = examined("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh")
    assert status == 3
    assert checks["type information (BTF)"]["status"] == "missing"
    assert checks["raw tracepoints"]["status"] == "untested"


def test_a_cache_that_others_could_write_to_is_noticed() -> None:
    need(shutil.which("unshare") is not None, "needs unshare: apt install util-linux")
    status, checks = examined("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o mode=0755 none /var/cache/ebtrace && exec "$@"', "sh")
    assert status == 0
    assert checks["cache of probes"]["status"] == "optional"
    assert "rm -r /var/cache/ebtrace" in checks["cache of probes"]["remedy"]


def test_table() -> None:
    table = cli("doctor")
    assert table.returncode == 0, table.stdout
    assert table.stderr == ""
    assert table.stdout.rstrip().endswith("Everything that tracing needs works here.")


@pytest.mark.parametrize("transport", ["ring", "perf"])
@pytest.mark.parametrize("mode", ["full", "summary", "counts"])
def test_cost_of_a_call(mode: str, transport: str) -> None:
    probes = image(mode, transport)[0]
    before, trials = set(os.listdir("/proc/self/fd")), []

    def look(trial: Trial) -> None:
        trials.append(trial.made)
        assert trial.tracing.missed() == 0
        assert all(lane[2] == 0 for lane in trial.tracing.lane_counts().values())

    assert added_ns(probes, plans(arch(), "", 1), look) >= 0
    assert trials == [10_007]
    assert set(os.listdir("/proc/self/fd")) == before
