"""Restarts of a whole bridge with a state file, in virtual time."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.breaker import Mode, State
from aibridge_trio.core.terms import TokenBudget
from aibridge_trio.events import Transitioned
from aibridge_trio.http.message import Reply, Request
from tests.gateway.test_spending import rejected
from tests.support.handlers import CHAT, JSON, failing
from tests.support.network import Network, Running
from tests.support.spenders import KEY, ask, body, known, spender, token, usage, using

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
DAY = TokenBudget(1000, "day")
BREAKER = {"circuit_breaker": True, "circuit_breaker_failure_threshold": 2}


@pytest.fixture(autouse=True)
def wall(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The wall clock: seconds to add to the virtual time, which begins at noon."""
    offset = [0.0]
    monkeypatch.setattr(
        "aibridge_trio.bridge.components._WALL_CLOCK", lambda: NOON + offset[0] + trio.current_time()
    )
    return offset


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in place what runs in a thread: virtual time does not wait for threads."""

    async def run_sync(function: Callable[[], Any], *_: Any, **__: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return function()

    monkeypatch.setattr("trio.to_thread.run_sync", run_sync)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The state file."""
    return tmp_path / "state.json"


async def stop(bridge: Running) -> None:
    """Drain a bridge, and wait for its end."""
    await bridge.signals.send(signal.SIGTERM)
    await bridge.ended.wait()


def saved(path: Path) -> dict[str, Any]:
    """What the file says."""
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document


async def test_a_restart_keeps_budgets(
    autojump_clock: MockClock, network: Network, path: Path, wall: list[float]
) -> None:
    """Spent is spent, until midnight."""
    await network.answer("openai", using(900, 100))
    options: dict[str, Any] = {"known_callers": known(spender("a", budget=DAY)), "state_file": path}
    async with network.bridge(**options) as bridge:
        assert rejected(await ask(bridge.client, "a", body(100, max_tokens=100))) == (200, None)
        await stop(bridge)
    assert saved(path)["budgets"]["a"]["day"][1] == 1000
    async with network.bridge(**options) as bridge:
        assert rejected(await ask(bridge.client, "a", body(100, max_tokens=100))) == (403, "budget_exhausted")
        await stop(bridge)
    wall[0] = 13 * 3600
    async with network.bridge(**options) as bridge:
        assert rejected(await ask(bridge.client, "a", body(100, max_tokens=100))) == (200, None)


async def test_streams_that_end_in_the_drain_are_spent(
    autojump_clock: MockClock, network: Network, path: Path
) -> None:
    """What is written last has the requests that were served last."""
    await network.answer("openai", using(900, 100, after=20))
    options: dict[str, Any] = {"known_callers": known(spender("a", budget=DAY)), "state_file": path}
    async with network.bridge(**options) as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(ask, bridge.client, "a", body(100, max_tokens=100))
        await trio.sleep(1)
        await stop(bridge)
    assert saved(path)["budgets"]["a"]["month"][1] == 1000


async def test_it_is_written_every_half_minute(autojump_clock: MockClock, network: Network, path: Path) -> None:
    """A process that is killed loses half a minute at most."""
    await network.answer("openai", using(90, 10))
    async with network.bridge(known_callers=known(spender("a", budget=DAY)), state_file=path) as bridge:
        await ask(bridge.client, "a", body(100, max_tokens=100))
        await trio.sleep(31)
        assert saved(path)["budgets"]["a"]["day"][1] == 100
        await ask(bridge.client, "a", body(100, max_tokens=100))
        await trio.sleep(30)
        assert saved(path)["budgets"]["a"]["day"][1] == 200


async def test_an_open_breaker_stays_open(
    autojump_clock: MockClock, network: Network, path: Path, wall: list[float]
) -> None:
    """For the rest of its cooldown, the time of the restart included; then it probes."""
    await network.answer("openai", failing(503))
    async with network.bridge(state_file=path, **BREAKER) as bridge:
        for _ in range(2):
            await bridge.client.post(CHAT)
        await trio.sleep(5)
        await stop(bridge)
    wall[0] += 10
    async with network.bridge(state_file=path, **BREAKER) as bridge:
        answer = await bridge.client.post(CHAT)
        assert rejected(answer) == (503, "circuit_open")
        assert 15 <= int(answer.headers["retry-after"]) <= 18
        [change] = bridge.published(Transitioned)
        assert (change.provider, change.target, change.trip) == ("openai", State.OPEN, False)
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 1
        assert await bridge.metric("circuit_breaker_trips_total", provider="openai") == 0
        await trio.sleep(16)
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 2
        await stop(bridge)
    wall[0] += 601
    async with network.bridge(state_file=path, **BREAKER) as bridge:
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 0


async def test_each_scope_has_its_own(autojump_clock: MockClock, network: Network, path: Path) -> None:
    """The breaker of one endpoint is open, the other's is not."""
    await network.answer("openai", failing(503))
    options: dict[str, Any] = {"state_file": path, "circuit_breaker_scope": "endpoint", **BREAKER}
    async with network.bridge(**options) as bridge:
        for _ in range(2):
            await bridge.client.post(CHAT)
        await stop(bridge)
    async with network.bridge(**options) as bridge:
        assert rejected(await bridge.client.post(CHAT)) == (503, "circuit_open")
        assert rejected(await bridge.client.post("/openai/v1/responses")) == (503, None)


async def test_an_override_ends_with_its_process(autojump_clock: MockClock, network: Network, path: Path) -> None:
    """A breaker that was forced open lets probes through."""
    await network.answer("openai", using(1, 1))
    async with network.bridge(state_file=path, **BREAKER) as bridge:
        bridge.bridge.router.get("openai").circuits.override(Mode.OPEN)  # type: ignore[union-attr]
        assert rejected(await bridge.client.post(CHAT)) == (503, "circuit_open")
        await stop(bridge)
    async with network.bridge(state_file=path, **BREAKER) as bridge:
        assert rejected(await bridge.client.post(CHAT, content=b"{}")) == (200, None)


async def test_a_deploy_in_an_outage_does_not_hammer(
    autojump_clock: MockClock, network: Network, path: Path
) -> None:
    """Of fifty requests that meet the new bridge at once, one goes up; without the file all would."""
    asked: list[float] = []

    async def ill(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        asked.append(trio.current_time())
        await trio.sleep(0.5)
        await reply.answer(529, JSON, b'{"error":{"type":"overloaded_error"}}')

    await network.answer("openai", ill)

    async def restarted(**options: Any) -> int:
        """How many requests reach the provider in the first moments of a bridge."""
        async with network.bridge(adaptive=True, **options) as bridge:
            asked.clear()
            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(bridge.client.post, CHAT)
                await trio.sleep(5)
                nursery.cancel_scope.cancel()
            count = len(asked)
            await stop(bridge)
            return count

    async with network.bridge(adaptive=True, state_file=path) as bridge, trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(bridge.client.post, CHAT)
            await trio.sleep(0.5)
        document = await bridge.status()
        assert document["providers"][0]["adaptive"]["outage"]
        await stop(bridge)
        nursery.cancel_scope.cancel()
    assert await restarted() >= 50
    assert await restarted(state_file=path) <= 3


async def test_nothing_secret_is_in_it(autojump_clock: MockClock, network: Network, path: Path) -> None:
    """Neither keys nor tokens, nor what was asked or answered."""
    await network.answer("openai", failing(429))
    options: dict[str, Any] = {"adaptive": True, "state_file": path, "openai_api_key": KEY, **BREAKER}
    async with network.bridge(known_callers=known(spender("a", budget=DAY)), **options) as bridge:
        with trio.move_on_after(10):
            await ask(bridge.client, "a", b'{"input":"a private question"}')
        await stop(bridge)
    content = path.read_text()
    assert '"a private question"' not in content
    assert token("a") not in content
    assert KEY.reveal() not in content
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is damaged"),
        (b"\x00\xff" * 1000, "it is damaged"),
        (b"[" * 100_000, "it is damaged"),
        (b'{"format":"aibridge-state","version":2}', "it has version 2, not 1"),
        (b'{"format":"another","version":1}', "it is damaged"),
        (
            b'{"format":"aibridge-state","version":1,"saved_at":1,"budgets":{"a":3},"providers":{}}',
            "it is damaged",
        ),
        (
            b'{"format":"aibridge-state","version":1,"saved_at":1%s,"budgets":{},"providers":{}}' % (b"0" * 400),
            "it is damaged",
        ),
    ],
)
async def test_a_file_that_cannot_be_used_is_kept_aside(
    autojump_clock: MockClock,
    network: Network,
    path: Path,
    content: bytes,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The bridge says so, starts without it, and writes a new one."""
    path.write_bytes(content)
    async with network.bridge(state_file=path) as bridge:
        await stop(bridge)
    assert f"{said}: BUDGETS BEGIN ANEW" in capsys.readouterr().err
    assert path.with_name("state.json.bad").read_bytes() == content
    assert saved(path)["version"] == 1


@pytest.mark.parametrize("wrong", [{"state": "ajar"}, {"age": 10**400}, {"left": 10**400}, {"successes": 1e300}])
async def test_a_damaged_part_costs_only_itself(
    autojump_clock: MockClock,
    network: Network,
    path: Path,
    capsys: pytest.CaptureFixture[str],
    wrong: dict[str, Any],
) -> None:
    """Budgets go on although what was saved of a provider is no breaker."""
    await network.answer("openai", using(900, 100))
    options: dict[str, Any] = {"known_callers": known(spender("a", budget=DAY)), "state_file": path, **BREAKER}
    async with network.bridge(**options) as bridge:
        await ask(bridge.client, "a", body(100, max_tokens=100))
        await stop(bridge)
    document = saved(path)
    document["providers"]["openai"]["breakers"][""] |= wrong
    path.write_text(json.dumps(document))
    async with network.bridge(**options) as bridge:
        assert rejected(await ask(bridge.client, "a", body(100, max_tokens=100))) == (403, "budget_exhausted")
    assert "what it has of openai is damaged, and ignored" in capsys.readouterr().err


async def test_a_folder_that_is_not_there(
    autojump_clock: MockClock, network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning; the bridge serves nevertheless."""
    await network.answer("openai", using(1, 1))
    async with network.bridge(state_file=tmp_path / "no" / "state.json") as bridge:
        assert rejected(await bridge.client.post(CHAT, content=b"{}")) == (200, None)
        await stop(bridge)
    assert "No such file or directory; the bridge does without it" in capsys.readouterr().err


async def test_a_disk_that_is_full(
    autojump_clock: MockClock,
    network: Network,
    path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One warning, not one every half minute; when there is space again it is written."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with network.bridge(state_file=path) as bridge:
        with monkeypatch.context() as patch:
            patch.setattr("aibridge_trio.process.state_file.StateFile.write", full)
            await trio.sleep(100)
        assert not path.exists()
        await trio.sleep(40)
        assert path.exists()
        await stop(bridge)
    assert capsys.readouterr().err.count("it cannot be written: No space left on device") == 1


async def test_two_processes_with_one_file(
    autojump_clock: MockClock, network: Network, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second waits with its writing, and adds what the first has spent until its end."""
    answers = usage(90, 10)

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.answer(200, JSON, answers)

    await network.answer("openai", provider)
    options: dict[str, Any] = {"known_callers": known(spender("a", budget=DAY)), "state_file": path}
    async with network.bridge(**options) as first:
        await ask(first.client, "a", body(100, max_tokens=100))
        await trio.sleep(31)
        listener = network.listeners["bridge"]
        async with network.bridge(**options) as second:
            assert "another process writes it" in capsys.readouterr().err
            await ask(second.client, "a", body(100, max_tokens=100))
            network.listeners["bridge"] = listener
            for _ in range(2):
                await ask(first.client, "a", body(100, max_tokens=100))
            await stop(first)
            assert saved(path)["budgets"]["a"]["day"][1] == 300
            await trio.sleep(31)
            assert saved(path)["budgets"]["a"]["day"][1] == 400
            await stop(second)


async def test_a_disk_that_hangs_does_not_hold_up_the_end(
    autojump_clock: MockClock,
    network: Network,
    path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bridge ends after five seconds without a write, and says so; it begins no second write meanwhile."""
    writes: list[float] = []

    async def hang(_: Callable[[], Any], *__: Any, **___: Any) -> None:
        writes.append(trio.current_time())
        await trio.sleep_forever()

    async with network.bridge(state_file=path) as bridge:
        monkeypatch.setattr("trio.to_thread.run_sync", hang)
        await trio.sleep(100)
        began = trio.current_time()
        await stop(bridge)
        assert 4 < trio.current_time() - began < 8
    assert len(writes) == 1
    assert "it was not written within 5 s" in capsys.readouterr().err
