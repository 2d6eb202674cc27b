from typing import Any

from report.html.story import story, warnings

SESSION: dict[str, Any] = {"duration_s": 1.5, "kind": "run", "pid": 7, "exit_status": 0, "problems": (), "complete": True, "reason": "target ended"}
TLS: dict[str, Any] = {"connections": [], "images": [], "redacted": {}, "percent": None}
LANE = {"counted": 5, "delivered": 5, "sampled_out": 0, "lost": 0, "unaccounted": 0}


def told(**parts: Any) -> list[str]:
    document = {"session": SESSION, "processes": [], "syscalls": [], "files": [], "searches": [], "connections": [], "dns": [],
                "http": [], "llm": [], "tls": TLS, **parts}
    return ["".join(part.text for part in sentence) for sentence in story(document)]


def file(path: str, **fields: Any) -> dict[str, Any]:
    return {"path": path, "kind": "file", "read_bytes": 0, "written_bytes": 0, "created": False, "deleted": False, **fields}


def test_how_it_ran_and_ended() -> None:
    assert told() == ["The program ran for 1.50 s and exited with 0."]
    assert told(session={**SESSION, "exit_status": 137}) == ["The program ran for 1.50 s and was killed by a signal, exit status 137."]
    assert told(session={**SESSION, "exit_status": None}) == ["The program ran for 1.50 s; how it ended was not seen."]
    assert told(session={**SESSION, "kind": "attach"}) == ["Process 7 was watched for 1.50 s."]
    assert told(session={**SESSION, "kind": "attach", "pid": None}) == ["Running processes were watched for 1.50 s."]


def test_processes() -> None:
    processes = [{"calls": 3, "title": "sh"}, {"calls": 1200, "title": "<b>"}]
    assert told(processes=processes)[1] == "It started 1 process; the busiest was <b> with 1,200 calls."
    assert told(processes=processes, session={**SESSION, "kind": "attach"})[1].startswith("There were 2 processes")
    assert told(processes=processes[:1]) == told()


def test_calls() -> None:
    rows = [{"name": "read", "calls": 2, "errors": 0, "total_ns": 10}, {"name": "open", "calls": 1, "errors": 1, "total_ns": 2000}]
    assert told(syscalls=rows)[1] == "It made 3 system calls; 1 of them failed. Most time went to open (2.00 us)."
    assert told(syscalls=[{**rows[0], "calls": 1, "total_ns": 0}])[1] == "It made 1 system call; none failed."


def test_files() -> None:
    rows = [file("/a/x", read_bytes=1000, deleted=True), file("/a/y", read_bytes=500, written_bytes=3, created=True),
            file("/dev/tty", kind="device", written_bytes=9)]
    assert told(files=rows)[1:] == ["It read 1.50 kB from 2 files in 1 folder and wrote 3 B to 1 file in 1 folder.",
                                    "It created 1 file and deleted 1 file."]


def test_names_looked_for_and_looked_up() -> None:
    missing = {"name": "libx.so", "error": "ENOENT", "found": None, "tries": 12}
    assert told(searches=[missing, {**missing, "found": "/lib/libx.so"}, {**missing, "error": "EACCES"}])[1] == (
        "It looked in vain for 1 name, most often for libx.so (12 tries).")
    lookups = [{"name": "a.example", "status": "ok"}, {"name": "b.example", "status": "NXDOMAIN"}, {"name": "b.example", "status": "lost"}]
    assert told(dns=lookups)[1] == "It looked up 2 names: a.example, b.example; 1 of them in vain."


def test_connections_by_host() -> None:
    known = (("h1", "1.1.1.1:443"), (None, "[::1]:80"), (None, "[::1]:81"), ("h2", "x:1"), ("h3", "y:2"), (None, ""))
    rows = [{"name": name, "remote": remote, "protocol": "tcp", "error": None} for name, remote in known]
    rows += [{"name": None, "remote": "/run/x", "protocol": "unix", "error": None}]
    rows += [{"name": "h9", "remote": "h9:1", "protocol": "tcp", "error": "ECONNREFUSED"}]
    assert told(connections=rows)[1] == "It had 5 connections to 4 hosts: h1, [::1], h2 and 1 more."


def test_http() -> None:
    def row(url: str, status: int | None = 200, side: str = "client") -> dict[str, Any]:
        return {"url": url, "status": status, "side": side}

    assert told(http=[row("https://a.example/x"), row("http://a.example/y"), row("https://b.example:8443/", 404)])[1] == (
        "It sent 3 HTTP requests to 2 hosts: a.example, b.example:8443, of which 1 failed.")
    assert told(http=[row("/x", 204, "server")])[1] == "It answered 1 HTTP request."
    assert told(http=[row("http://[", None), row("/", 500, "server")])[1] == (
        "It sent 1 HTTP request to 1 host: ?, of which 1 failed, and answered 1 HTTP request, of which 1 failed.")


def test_llm_calls() -> None:
    def call(started: int, ended: int | None, **fields: Any) -> dict[str, Any]:
        return {"started_ns": started, "ended_ns": ended, "model": "m1", "response_model": "m1-2", "input_tokens": 1000, "output_tokens": 10,
                "cached_tokens": None, "error": None, "retry_of": None, "tool_calls": [], **fields}

    assert told(llm=[call(0, 500_000_000), call(400_000_000, 600_000_000, model=None), call(700_000_000, None, model="<m>", error="x")])[1] == (
        "It made 3 LLM calls to m1, m1-2, <m>, 600 ms of 1.50 s waiting for the model; 3,000 tokens went in and 30 came out; 1 of them failed.")
    assert told(llm=[call(0, 5, input_tokens=None, output_tokens=None)])[1] == "It made 1 LLM call to m1, 5 ns of 1.50 s waiting for the model."


def test_warnings() -> None:
    document = {"session": {**SESSION, "problems": ("One.\n",)}, "ledger": {"syscalls": LANE}, "tls": TLS}
    assert warnings(document) == ["One.\\n"]
    lanes = {"syscalls": {**LANE, "lost": 1200, "counted": 2000}, "strings": {**LANE, "unaccounted": -2, "sampled_out": 9}}
    assert warnings({"session": {**SESSION, "complete": False, "reason": None}, "ledger": lanes,
                     "tls": {**TLS, "redacted": {"header": 2}}}) == [
        "Lost: 1,200 of 2,000 records of syscalls. Totals are exact all the same.", "Unaccounted for: 2 records of strings.",
        "Left out as asked: 9 records. Totals count them; lists of calls, and what is told of files, do not.",
        "The session has no end: what happened after its last block is in no count.", "2 secrets were taken out: 2 in headers."]
