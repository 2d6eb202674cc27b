"""opencode with the language model of these tests: without network, in a home of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.kernel.web.certificate import Certificate
from tests.kernel.web.programs import opencode

__all__ = ("agent",)


def agent(folder: Path, url: str, trust: Certificate, key: str, question: str) -> tuple[list[str], dict[str, Any]]:
    """The command, and how Popen is to start it: environment and working folder.

    It reads its working folder from $PWD. ``key`` is in its settings and in its environment, as people have it.
    """
    work, home = folder / "work", folder / "home"
    work.mkdir()
    home.mkdir()
    model = "mock/mock-1"
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "Mock", "options": {"baseURL": f"{url}/v1", "apiKey": key},
                "models": {"mock-1": {"name": "mock-1"}}}
    settings = {"autoupdate": False, "share": "disabled", "model": model, "small_model": model, "provider": {"mock": provider}}
    (work / "opencode.json").write_text(json.dumps(settings))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "OPENCODE", "ANTHROPIC", "OPENAI", "GEMINI"))}
    environment |= {"HOME": str(home), "PWD": str(work), "NODE_EXTRA_CA_CERTS": str(trust.authority), "OPENCODE_DISABLE_MODELS_FETCH": "1",
                    "npm_config_registry": "http://localhost:1/", "npm_config_fetch_retries": "0",  # it would fetch plugins of its own
                    "MOCK_API_KEY": key, "NO_COLOR": "1"}
    return [str(opencode()), "run", question], {"env": environment, "cwd": work}
