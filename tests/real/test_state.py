"""Budgets and breakers through real restarts: a drain, a crash, and a restart that comes at once."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from aibridge_trio.config.caller_tokens import new_token, token_hash
from tests.support.processes import ASK, CHAT, PATIENCE, Bridge, Provider, a_bridge

pytestmark = pytest.mark.real

TOKEN = new_token()
CALLERS = f"""\
[[callers]]
name = "dev-07"
token_sha256 = "{token_hash(TOKEN.encode())}"
budget = {{ tokens = 1, per = "month" }}
"""
CENTRAL: Any = {"OPENAI_API_KEY": "sk-central-0123456789"}
UNARY: Any = {"model": "m", "messages": ASK, "max_tokens": 16}


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, Path]:
    """A file of callers, and where the state goes."""
    callers = tmp_path / "callers.toml"
    callers.write_text(CALLERS)
    return str(callers), tmp_path / "state.json"


def ask(bridge: Bridge) -> tuple[int, str | None]:
    """Send a request; return its status and its reject."""
    answer = httpx.post(
        f"{bridge.url}{CHAT}",
        json=UNARY,
        headers={"authorization": f"Bearer {TOKEN}"},
        timeout=PATIENCE,
        trust_env=False,
    )
    return answer.status_code, answer.headers.get("x-aibridge-reject")


def test_a_budget_survives_a_restart(provider: Provider, files: tuple[str, Path]) -> None:
    """SIGTERM, and the next process knows what was spent; the file tells no token and no key."""
    callers, state = files
    options = ("--callers-file", callers, "--state-file", str(state))
    with a_bridge(*options, provider=provider, **CENTRAL) as bridge:
        assert ask(bridge) == (200, None)
        bridge.process.signal(signal.SIGTERM)
        assert bridge.process.wait() == 0
    assert state.stat().st_mode & 0o777 == 0o600
    content = state.read_text()
    assert json.loads(content)["budgets"]["dev-07"]["month"][1] > 1
    assert TOKEN not in content
    assert CENTRAL["OPENAI_API_KEY"] not in content
    with a_bridge(*options, provider=provider, **CENTRAL) as bridge:
        assert ask(bridge) == (403, "budget_exhausted")


def test_an_open_breaker_survives_a_restart(provider: Provider, files: tuple[str, Path]) -> None:
    """The next process rejects until the cooldown is over."""
    callers, state = files
    breaker = ("--circuit-breaker", "--circuit-breaker-failure-threshold", "1")
    options = ("--callers-file", callers, "--state-file", str(state), *breaker)
    with a_bridge(*options, provider=provider, **CENTRAL) as bridge:
        provider.script({"status": 503})
        assert ask(bridge) == (503, None)
        bridge.process.signal(signal.SIGTERM)
        assert bridge.process.wait() == 0
    provider.clear()
    with a_bridge(*options, provider=provider, **CENTRAL) as bridge:
        assert ask(bridge) == (503, "circuit_open")
        assert bridge.breaker()["state"] == "open"


def test_a_killed_process_leaves_the_file_whole(provider: Provider, files: tuple[str, Path]) -> None:
    """The lock is free at once, and the next process has the state of the last write."""
    callers, state = files
    options = ("--callers-file", callers, "--state-file", str(state))
    for _ in range(2):
        with a_bridge(*options, provider=provider, **CENTRAL) as bridge:
            bridge.process.signal(signal.SIGTERM)
            assert bridge.process.wait() == 0
        before = state.read_bytes()
        with a_bridge(*options, provider=provider, **CENTRAL) as bridge:
            bridge.process.signal(signal.SIGKILL)
            assert bridge.process.wait() == -signal.SIGKILL
            assert "another process writes it" not in bridge.process.stderr
        assert state.read_bytes() == before
