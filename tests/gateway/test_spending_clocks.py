"""Budgets of replicas whose clocks differ from the store's: the store's decides. In virtual time."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.terms import TokenBudget
from tests.support.handlers import CHAT
from tests.support.ledger_store import Common
from tests.support.network import Network
from tests.support.spenders import ask, body, known, spender, token, using

# The store's clock begins here (tests/support/ledger_store.py); so long until its midnight.
BEGIN = 1e6
TO_MIDNIGHT = 86_400 - BEGIN % 86_400


@pytest.mark.parametrize("ahead", [0.0, 0.7, -0.7, 3600.0, -3600.0, -200_000.0, 90 * 86_400.0])
@pytest.mark.parametrize("drift", [1.0, 1.001])
async def test_a_budget_is_new_when_the_store_says(
    autojump_clock: MockClock, network: Network, monkeypatch: pytest.MonkeyPatch, ahead: float, drift: float
) -> None:
    """A replica's own clock may be ahead, behind, or too fast: a spent budget is new a second after midnight."""
    monkeypatch.setattr(
        "aibridge_trio.bridge.components._WALL_CLOCK", lambda: BEGIN + ahead + drift * trio.current_time()
    )
    common = Common()
    await network.answer("openai", using(90, 20))
    callers = known(spender("a", budget=TokenBudget(200, "day")))
    async with network.bridge(common_store=common.store(), known_callers=callers) as bridge:
        start = trio.current_time()

        async def outcome() -> str:
            await trio.sleep(0.01)
            headers = {"authorization": f"Bearer {token('a')}", "connection": "close"}
            answer = await bridge.client.post(CHAT, content=body(100, max_tokens=50), headers=headers)
            return str(answer.headers.get("x-aibridge-reject", answer.status_code))

        assert [await outcome() for _ in range(3)] == ["200", "200", "budget_exhausted"]
        for before in (20_000, 4_000, 3_000, 100, 2, 0.9, 0.3):
            autojump_clock.jump(TO_MIDNIGHT - before - (trio.current_time() - start))
            assert await outcome() == "budget_exhausted", before
        autojump_clock.jump(TO_MIDNIGHT + 1.1 - (trio.current_time() - start))
        assert [await outcome() for _ in range(3)] == ["200", "200", "budget_exhausted"]
        autojump_clock.jump(7_200)
        assert await outcome() == "budget_exhausted"
        autojump_clock.jump(86_400)
        assert [await outcome() for _ in range(3)] == ["200", "200", "budget_exhausted"]


async def test_an_exhausted_budget_is_asked_for_once_a_second(autojump_clock: MockClock, network: Network) -> None:
    """However many requests its caller sends."""
    common = Common()
    await network.answer("openai", using(90, 20))
    callers = known(spender("a", budget=TokenBudget(100, "day")))
    async with network.bridge(common_store=common.store(), known_callers=callers) as bridge:
        await ask(bridge.client, "a", body(100, max_tokens=50))
        before = common.asks
        for _ in range(200):
            answer = await ask(bridge.client, "a", body(100, max_tokens=50))
            assert answer.headers["x-aibridge-reject"] == "budget_exhausted"
            await trio.sleep(0.05)
        assert 8 <= common.asks - before <= 11
