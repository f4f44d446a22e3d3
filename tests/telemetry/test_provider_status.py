"""A provider's part of /status: what its adaptive limiter has learned, and its held requests."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import trio
from trio.testing import MockClock

from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import MESSAGES, failing, ok
from tests.support.network import Network, Running
from tests.telemetry.test_status import status


async def adaptive(bridge: Running, provider: str = "anthropic") -> Any:
    """Return the part about a provider's limiter, of a document that is held to the schema."""
    document = await status(bridge)
    return next(each["adaptive"] for each in document["providers"] if each["name"] == provider)


async def test_without_the_option_there_is_no_limiter(autojump_clock: MockClock, network: Network) -> None:
    """Null, as all that is off."""
    async with network.bridge() as bridge:
        assert await adaptive(bridge) is None


async def test_before_a_pushback_there_is_no_limit(autojump_clock: MockClock, network: Network) -> None:
    """Limits are null, and all is counted from 0; the budget is not used yet."""
    await network.answer("anthropic", ok)
    async with network.bridge(adaptive=True) as bridge:
        await bridge.client.post(MESSAGES, content=b"{}")
        said = await adaptive(bridge)
    limits = ("bound", "window", "pace_per_s", "pushback")
    assert [said.pop(limit) for limit in limits] == [None] * 4
    assert 0 < said.pop("background") <= 0.1
    assert said.pop("budget") >= 30
    assert said.pop("answers_per_s") > 0
    assert set(said.pop("holds").values()) == {said.pop("held_s")["count"]} == {0}
    assert set(said.values()) == {0}


async def test_an_answer_counts_when_it_begins(autojump_clock: MockClock, network: Network) -> None:
    """Not when its request came: it was long ago that a thinking model was asked."""

    async def thinks(request: Request, reply: Reply) -> None:
        await trio.sleep(60)
        await ok(request, reply)

    await network.answer("anthropic", thinks)
    async with network.bridge(adaptive=True) as bridge:
        await bridge.client.post(MESSAGES, content=b"{}", timeout=None)
        assert (await adaptive(bridge))["answers_per_s"] > 0


async def test_an_outage_and_its_held_requests_are_shown(autojump_clock: MockClock, network: Network) -> None:
    """The last pushback, the canary's time, the line by requests and callers; of this provider only."""
    await network.answer("anthropic", failing(529))
    async with network.bridge(adaptive=True) as bridge, trio.open_nursery() as nursery:
        for caller in ("one", "one", "two"):
            post = partial(bridge.client.post, MESSAGES, content=b"{}", headers={"x-api-key": caller})
            nursery.start_soon(post)
        await trio.sleep(60)
        said, other = await adaptive(bridge), await adaptive(bridge, "openai")
        assert (said["active"], said["outage"], said["held"], said["callers"]) == (True, True, 3, 2)
        assert 0 < said["resumes_in_s"] <= 3.6
        assert said["pushback"]["cause"] == "529"
        assert said["pushback"]["level"] == 1
        assert 0 <= said["pushback"]["ago_s"] <= 3.6
        assert said["pushbacks"] > said["sent_again"] > 10
        assert said["holds"]["sent"] == said["held_s"]["count"] == said["sent_again"]
        assert (other["active"], other["held"], other["pushbacks"]) == (False, 0, 0)
        # Held requests are not at their provider.
        [provider] = [each for each in (await status(bridge))["providers"] if each["name"] == "anthropic"]
        assert (provider["in_flight"], provider["unanswered"], provider["unanswered_for_s"]) == (0, 0, None)
        nursery.cancel_scope.cancel()


async def test_how_holds_end_is_counted(autojump_clock: MockClock, network: Network) -> None:
    """By the caller that left, and by time."""
    await network.answer("anthropic", failing(529))
    async with network.bridge(adaptive=True) as bridge:
        with trio.move_on_after(10):
            await bridge.client.post(MESSAGES, content=b"{}")
        while (await adaptive(bridge))["resumes_in_s"] < 1:
            with trio.move_on_after(1):
                await bridge.client.post(MESSAGES, content=b"{}")
        before = (await adaptive(bridge))["holds"]
        answer = await bridge.client.post(MESSAGES, content=b"{}", headers={"x-stainless-timeout": "1"})
        assert answer.headers["x-aibridge-reject"] == "hold_timeout"
        said = await adaptive(bridge)
        assert before["left"] >= 1
        assert (said["holds"], said["held"]) == (before | {"timed_out": 1}, 0)


async def test_a_bound_and_a_pace_are_numbers(autojump_clock: MockClock, network: Network) -> None:
    """Infinity is none in JSON, so that any reader can parse it."""
    busy = 0

    async def four_at_once(request: Request, reply: Reply) -> None:
        nonlocal busy
        async for _ in request.body:
            pass
        if busy >= 4:
            await reply.answer(529, [], b"{}")
            return
        busy += 1
        await trio.sleep(3)
        busy -= 1
        await reply.answer(200, [], b"{}")

    await network.answer("anthropic", four_at_once)
    async with network.bridge(adaptive=True) as bridge, trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(partial(bridge.client.post, MESSAGES, content=b"{}"))
        bounds = set()
        for _ in range(10):
            await trio.sleep(1)
            bounds.add((await adaptive(bridge))["bound"])
        assert bounds & {4, 5}
        line = next(each.adaptive for each in bridge.bridge.router if each.name == "anthropic")
        assert line
        line.limiter.governor.quotas.requests.rate = 66.5
        assert 66 < (await adaptive(bridge))["pace_per_s"] < 70
        assert 66 < await bridge.metric("adaptive_pace", provider="anthropic", quota="requests") < 70
        assert await bridge.metric("adaptive_pace", provider="anthropic", quota="tokens") == math.inf
        line.limiter.governor.quotas.requests.rate = math.inf
        nursery.cancel_scope.cancel()
