"""The front with a worker that only speaks the protocol: no root, no BPF. Run as a program, so that signals and exit statuses are real.

    python front_fake.py PLAN WORDS...    ebtrace WORDS with a forked fake worker
    python front_fake.py sudo:SECONDS WORDS...   the same with sudo_worker, its patience, and the `sudo` of PATH
    python front_fake.py join PLAN SOCKET  the fake worker itself, as such a sudo has to start it

PLAN is JSON: {"log": FILE for the messages received, "steps": [after "start": a message to send, or one of the words below]}.
    "die"  ends the worker by SIGKILL          "wait FILE"  waits until FILE exists          "crash"  raises an exception
After the steps it waits for "stop", writes the session and says "done".
"""

import json
import os
import signal
import sys
from functools import partial

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SESSION = b"ebtrace session"
DONE = {
    "is": "done", "calls": 12345, "session_bytes": 678, "peak_rss_mb": 9.5, "problems": [],
    "ledger": {"syscalls": {"counted": 100, "delivered": 90, "sampled_out": 7, "lost": 3}, "strings": {"counted": 11, "delivered": 11}},
}


def serve(plan, connection):
    from tracer.link import Link

    link = Link(connection)
    log = open(plan["log"], "a", buffering=1)  # noqa: SIM115
    start = link.wait()
    if start is None:
        return 0
    print(json.dumps(start), file=log)
    for step in plan["steps"]:
        if step == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif step == "crash":
            raise ValueError("fake crash")
        elif isinstance(step, dict):
            link.send(step)
        else:
            while not os.path.exists(step.removeprefix("wait ")) and not link.ended:
                link.wait(0.01)
    stop = link.wait()
    print(json.dumps(stop), file=log)
    os.write(start["fd"], SESSION)
    link.send(plan.get("done", DONE))
    return 0


def main():
    sys.path.insert(0, ROOT)
    first, *words = sys.argv[1:]
    if first == "join":
        from tracer.link import join

        sys.exit(serve(json.loads(words[0]), join(words[1])))
    from tracer.commands import main as ebtrace
    from tracer.commands._live import live
    from tracer.commands._workers import forked_worker, sudo_worker
    from tracer.fork import fork

    def prepare():
        if first.startswith("sudo:"):
            return partial(sudo_worker, worker_uid=os.getuid(), patience_s=float(first.removeprefix("sudo:")))
        worker = forked_worker(*fork(partial(live, partial(serve, json.loads(first)))))
        return lambda: worker

    sys.exit(ebtrace(words, prepare))


if __name__ == "__main__":
    main()
