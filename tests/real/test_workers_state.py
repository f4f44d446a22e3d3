"""Budgets, breakers and overrides through the ends of workers and of their supervisor."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from aibridge_trio.config.caller_tokens import new_token, token_hash
from tests.real.test_workers import all_serve
from tests.support import redis_servers
from tests.support.processes import ASK, CHAT, PATIENCE, START, Bridge, Provider, a_bridge, until

pytestmark = pytest.mark.real

TOKEN = new_token()
CENTRAL: Any = {"OPENAI_API_KEY": "sk-central-0123456789"}
UNARY: Any = {"model": "m", "messages": ASK, "max_tokens": 16}
TWO = ("--workers", "2")
BREAKER = ("--circuit-breaker", "--circuit-breaker-failure-threshold", "1")
# A budget that one request spends, and one that none does.
SMALL, LARGE = 1, 1_000_000


def callers(folder: Path, tokens: int) -> tuple[str, ...]:
    """The flags for a file of callers, with a budget, and for the state."""
    file = folder / "callers.toml"
    file.write_text(
        f'[[callers]]\nname = "dev-07"\ntoken_sha256 = "{token_hash(TOKEN.encode())}"\n'
        f'budget = {{ tokens = {tokens}, per = "month" }}\n'
    )
    return "--callers-file", str(file), "--state-file", str(folder / "state.json")


def ask(bridge: Bridge) -> tuple[int, str | None]:
    """Send a request on a connection of its own; return its status and its reject."""
    answer = httpx.post(
        f"{bridge.url}{CHAT}",
        json=UNARY,
        headers={"authorization": f"Bearer {TOKEN}"},
        timeout=PATIENCE,
        trust_env=False,
    )
    return answer.status_code, answer.headers.get("x-aibridge-reject")


def end(bridge: Bridge) -> None:
    """Drain it."""
    bridge.process.signal(signal.SIGTERM)
    assert bridge.process.wait(START) == 0


def spent(folder: Path) -> int:
    """What the file says."""
    document = json.loads((folder / "state.json").read_text())
    tokens: int = document["budgets"].get("dev-07", {"month": [0, 0]})["month"][1]
    return tokens


def test_a_budget_survives_a_restart(provider: Provider, tmp_path: Path) -> None:
    """Whichever number of workers comes next; all of them know, and the file tells no token and no key."""
    flags = callers(tmp_path, SMALL)
    with a_bridge(*TWO, *flags, provider=provider, **CENTRAL) as bridge:
        all_serve(bridge)
        assert "does without" not in bridge.process.stderr
        assert ask(bridge) == (200, None)
        end(bridge)
    content = (tmp_path / "state.json").read_text()
    once = spent(tmp_path)
    assert once > 1
    assert TOKEN not in content
    assert CENTRAL["OPENAI_API_KEY"] not in content
    for workers in ("3", "1", "2"):
        with a_bridge("--workers", workers, *flags, provider=provider, **CENTRAL) as bridge:
            for _ in range(4):
                assert ask(bridge) == (403, "budget_exhausted")
            end(bridge)
        assert spent(tmp_path) == once


def test_what_all_workers_spend_is_saved(provider: Provider, tmp_path: Path) -> None:
    """The sum, and on top of what was there; a worker that is killed takes none of it along."""
    flags = callers(tmp_path, LARGE)
    with a_bridge(*TWO, *flags, provider=provider, **CENTRAL) as bridge:
        assert ask(bridge) == (200, None)
        end(bridge)
    one = spent(tmp_path)
    with a_bridge(*TWO, *flags, provider=provider, **CENTRAL) as bridge:
        pids = {row["pid"] for row in all_serve(bridge)}
        for _ in range(10):
            assert ask(bridge) == (200, None)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        all_serve(bridge, pids)
        assert ask(bridge) == (200, None)
        end(bridge)
    assert spent(tmp_path) == 12 * one


def test_an_open_breaker_survives_a_restart(provider: Provider, tmp_path: Path) -> None:
    """All of the next workers reject until the cooldown is over."""
    flags = (*callers(tmp_path, LARGE), *BREAKER)
    with a_bridge(*TWO, *flags, provider=provider, **CENTRAL) as bridge:
        all_serve(bridge)
        provider.script({"status": 503})
        assert ask(bridge) == (503, None)
        until(lambda: bridge.breaker()["state"] == "open", "all know")
        end(bridge)
    provider.clear()
    with a_bridge(*TWO, *flags, provider=provider, **CENTRAL) as bridge:
        all_serve(bridge)
        for _ in range(6):
            assert ask(bridge) == (503, "circuit_open")
        assert bridge.breaker()["state"] == "open"
    assert provider.stats()["requests"] == 0


def test_an_override_outlives_workers(provider: Provider, tmp_path: Path) -> None:
    """With its reason and its end: a new worker has it from the others, or from the supervisor if none is left."""
    with a_bridge(*TWO, *BREAKER, provider=provider, **CENTRAL) as bridge:
        pids = {row["pid"] for row in all_serve(bridge)}
        wanted = {"mode": "open", "for": "10m", "reason": "INC-12"}
        bridge.admin.post("/breakers/openai", json=wanted).raise_for_status()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        all_serve(bridge, pids)

        def known() -> bool:
            (found,) = [each for each in bridge.status()["providers"] if each["name"] == "openai"]
            override = found["breaker"]["override"] or {}
            return override.get("reason") == "INC-12" and 500 < (override.get("left_s") or 0) <= 600

        until(known, f"the override, not {bridge.status()['providers'][0]['breaker']}")
        for _ in range(6):
            assert httpx.post(bridge.url + CHAT, json=UNARY, timeout=PATIENCE).status_code == 503


def test_a_killed_supervisor_leaves_the_file_whole(provider: Provider, tmp_path: Path) -> None:
    """The next one has the state of the last write, and the lock; its workers hold neither."""
    flags = callers(tmp_path, SMALL)
    with a_bridge(*TWO, *flags, provider=provider, **CENTRAL) as bridge:
        assert ask(bridge) == (200, None)
        end(bridge)
    before = spent(tmp_path)
    for _ in range(2):
        with a_bridge(*TWO, *flags, provider=provider, **CENTRAL) as bridge:
            all_serve(bridge)
            assert ask(bridge) == (403, "budget_exhausted")
            assert "another process writes it" not in bridge.process.stderr
            bridge.process.signal(signal.SIGKILL)
            assert bridge.process.wait() == -signal.SIGKILL
        assert spent(tmp_path) == before


def test_a_damaged_file_is_kept_aside(provider: Provider, tmp_path: Path) -> None:
    """The supervisor says so, and writes a new one."""
    flags = callers(tmp_path, LARGE)
    (tmp_path / "state.json").write_text("{")
    with a_bridge(*TWO, *flags, provider=provider, **CENTRAL) as bridge:
        bridge.process.says("it is damaged: BUDGETS BEGIN ANEW")
        assert ask(bridge) == (200, None)
        end(bridge)
    assert (tmp_path / "state.json.bad").read_text() == "{"
    assert spent(tmp_path) > 0


def test_with_a_store_this_machine_s_part_is_saved(provider: Provider, tmp_path: Path) -> None:
    """As one process with a store does: what its own callers have spent; the store has the sum, and decides."""
    flags = (*callers(tmp_path, LARGE), "--store-timeout", "1s")
    with redis_servers.running() as server:
        with a_bridge(*TWO, *flags, "--store", server.url, provider=provider, **CENTRAL) as bridge:
            all_serve(bridge)
            for _ in range(10):
                assert ask(bridge) == (200, None)
            end(bridge)
        ten = spent(tmp_path)
        with a_bridge(*TWO, *flags, "--store", server.url, provider=provider, **CENTRAL) as bridge:
            pids = {row["pid"] for row in all_serve(bridge)}
            assert ask(bridge) == (200, None)
            end(bridge)
        assert len(pids) == 2
        assert spent(tmp_path) == ten * 11 // 10
