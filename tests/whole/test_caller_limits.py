"""Limits of known callers and their classes through the whole path, and while they change."""

from __future__ import annotations

from dataclasses import replace

import httpx
import trio
from trio.testing import MockClock

from aibridge_trio.config.caller_tokens import new_token, token_hash
from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.core.terms import ClassTotals, Rate, Terms
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import failing
from tests.support.known_callers import bearer
from tests.support.network import Network

CHAT = "/openai/v1/chat/completions"
TOKENS = {name: new_token() for name in ("ci-1", "ci-2", "dev")}
CI = Terms(max_concurrency=2, rate=Rate(5, 60.0), priority="low")


def known(ci: Terms = CI, total: int = 0) -> KnownCallers:
    """Return two callers of class `ci` and one of none."""
    callers = tuple(
        KnownCaller(
            name=name,
            class_name="ci" if name.startswith("ci") else "",
            terms=ci if name.startswith("ci") else Terms(),
            token_sha256=(token_hash(token.encode()),),
        )
        for name, token in TOKENS.items()
    )
    return KnownCallers(callers=callers, totals={"ci": ClassTotals(max_concurrency=total)}, classes=("ci",))


async def slow(request: Request, reply: Reply) -> None:
    """Answer after ten seconds."""
    async for _ in request.body:
        pass
    await trio.sleep(10)
    await reply.answer(200, [(b"content-type", b"application/json")], b"{}")


class Crowd:
    """Callers of a bridge, and what each got when."""

    def __init__(self, client: httpx.AsyncClient, nursery: trio.Nursery) -> None:
        self.client, self.nursery = client, nursery
        self.answers: list[tuple[str, int, str]] = []

    async def come(self, *names: str) -> None:
        for name in names:
            self.nursery.start_soon(self._ask, name)
            await trio.sleep(0.001)

    async def _ask(self, name: str) -> None:
        answer = await self.client.post(CHAT, headers=bearer(TOKENS[name]), json={})
        reason = answer.headers.get("x-aibridge-reject", "")
        self.answers.append((name, answer.status_code, reason or answer.headers.get("x-ratelimit-limit", "")))


async def test_each_caller_has_the_limits_of_its_class(autojump_clock: MockClock, network: Network) -> None:
    """Its concurrency, its rate, and the class's total; and the headers tell its own rate."""
    await network.answer("openai", slow)
    callers = known(total=3)
    async with (
        network.bridge(known_callers=callers, rate_limit=50) as bridge,
        trio.open_nursery() as nursery,
    ):
        crowd = Crowd(bridge.client, nursery)
        await crowd.come("ci-1", "ci-1", "ci-1", "ci-2", "ci-2", "dev", "dev", "dev", "dev")
        await trio.sleep(1)
        full = [("ci-1", 429, "caller_capacity"), ("ci-2", 429, "caller_capacity")]
        assert crowd.answers == full
        await trio.sleep(10)
        assert (
            sorted(crowd.answers[2:]) == [("ci-1", 200, "5")] * 2 + [("ci-2", 200, "5")] + [("dev", 200, "")] * 4
        )
        await crowd.come("ci-1", "ci-1", "ci-1")
        await trio.sleep(11)
        assert sorted(crowd.answers[9:]) == [("ci-1", 200, "5")] * 2 + [("ci-1", 429, "rate_limit")]


async def test_low_priority_waits_behind_others(autojump_clock: MockClock, network: Network) -> None:
    """In the queue."""
    await network.answer("openai", slow)
    options = {"max_concurrency": 1, "queue_size": 9, "queue_timeout": 500.0}
    async with network.bridge(known_callers=known(), **options) as bridge, trio.open_nursery() as nursery:
        crowd = Crowd(bridge.client, nursery)
        await crowd.come("dev", "ci-1", "ci-2", "dev", "dev")
        await trio.sleep(51)
        assert [name for name, *_ in crowd.answers] == ["dev", "dev", "dev", "ci-1", "ci-2"]


async def test_limits_change_under_requests(autojump_clock: MockClock, network: Network) -> None:
    """What is in flight counts for limits that begin, and what they free goes to those that wait."""
    await network.answer("openai", slow)
    async with (
        network.bridge(known_callers=known(), queue_size=9, max_concurrency=9) as bridge,
        trio.open_nursery() as nursery,
    ):
        crowd, own = Crowd(bridge.client, nursery), bridge.bridge
        await crowd.come("dev", "ci-1", "ci-2")

        await bridge.reload(known_callers=known(replace(CI, max_concurrency=1)), max_concurrency=3)
        await crowd.come("ci-1", "dev")
        await trio.sleep(1)
        assert own.admission.statistics().queue.waiting == 2
        assert await bridge.metric("max_concurrency") == 3
        await bridge.reload(max_concurrency=4)
        await trio.sleep(1)
        assert own.admission.statistics().queue.waiting == 1
        await bridge.reload(max_concurrency=0, known_callers=known())
        await trio.sleep(1)
        assert own.admission.statistics().queue.waiting == 0
        await trio.sleep(12)
        assert sorted(crowd.answers) == [("ci-1", 200, "5")] * 2 + [("ci-2", 200, "5")] + [("dev", 200, "")] * 2
        assert own.admission.statistics().in_flight == 0


async def test_low_priority_is_known_to_the_adaptive_line(autojump_clock: MockClock, network: Network) -> None:
    """Where it is served behind others, too (core/priority.py)."""
    await network.answer("openai", failing(503))
    async with (
        network.bridge(known_callers=known(replace(CI, rate=None)), adaptive=True) as bridge,
        trio.open_nursery() as nursery,
    ):
        await Crowd(bridge.client, nursery).come("ci-1", "ci-2", "ci-1", "dev", "dev")
        await trio.sleep(5)
        line = next(backend.adaptive for backend in bridge.bridge.router if backend.name == "openai")
        assert line
        assert sorted((lane.low, len(lane)) for lane in line.limiter._line._lanes.values()) == [
            (False, 2),
            (True, 1),
            (True, 2),
        ]
        nursery.cancel_scope.cancel()
