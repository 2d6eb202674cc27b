"""What tracing costs a coding agent: `ebtrace bench -- opencode run ...`, with a model that thinks and speaks as fast as people's models do.

    sudo .venv/bin/python -m tests.kernel.web.coding [--quick]

Two turns: a tool is called, and what comes of it is answered, 300 tokens at 60 a second. opencode comes from npm, at the first time.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kernel.support import EBTRACE
from tests.kernel.web import llm
from tests.kernel.web.agent import agent
from tests.kernel.web.certificate import certificate
from tests.kernel.web.secrets import new_secret
from tests.kernel.web.server import Server

FIRST_S, TOKENS, TOKENS_A_SECOND = 1.0, 300, 60


def main() -> int:
    """Prints what the benchmark does; returns its exit status."""
    llm.FIRST_S, llm.NEXT_S = FIRST_S, 1 / TOKENS_A_SECOND
    llm.WORDS[:] = (llm.WORDS * TOKENS)[:TOKENS]
    with tempfile.TemporaryDirectory(prefix="ebtrace-coding-") as folder:
        trust = certificate(Path(folder))
        with Server(trust.context("h2", "http/1.1")) as server:
            words, how = agent(Path(folder), server.url, trust, new_secret(), "please use bash to say something")
            return subprocess.run([EBTRACE, "bench", *sys.argv[1:], "--", *words], check=False, **how).returncode


if __name__ == "__main__":
    sys.exit(main())
