"""The whole path in memory: retry hints and trips in a row, late first bytes, the ramp, and shadow."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.events import Finished, Transitioned
from aibridge_trio.http.message import Reply, Request
from tests.support.failing_provider import (
    ALICE,
    BY_KEY,
    CHAT,
    JSON,
    MESSAGES,
    OVERLOADED,
    RESPONSES,
    RULES,
    SSE,
    Provider,
    breaker,
    fail,
    reason,
)
from tests.support.network import Network


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"retry-after": "60"}, 60),
        (503, {"retry-after": "90"}, 90),
        (529, {"retry-after-ms": "45500"}, 45.5),
        (429, {"retry-after": "5"}, 30),  # the configured one is longer
        (503, {"retry-after": "86400"}, 300),  # no word is longer than this
        (429, {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m30s"}, 90),
        (429, {"x-ratelimit-remaining-tokens": "7", "x-ratelimit-reset-tokens": "1m30s"}, 30),
        (
            429,
            {"retry-after": "40", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "50s"},
            50,
        ),
        (503, {"retry-after": "soon"}, 30),
    ],
)
async def test_the_cooldown_is_the_longest_of_what_was_said(
    autojump_clock: MockClock, network: Network, status: int, headers: dict[str, str], seconds: float
) -> None:
    """Retry-After and the reset times of exhausted quotas lengthen the cooldown, up to five minutes."""
    await network.answer("openai", Provider(status, headers))
    async with network.bridge(**RULES) as bridge:
        await fail(bridge)
        state = breaker(bridge)
        assert (state["state"], state["cooldown_left_s"]) == ("open", seconds)
        answer = await bridge.client.post(CHAT)
        assert reason(answer) == "circuit_open"
        assert seconds * 1000 <= int(answer.headers["retry-after-ms"]) <= seconds * 1200
        await trio.sleep(seconds - 0.1)
        assert breaker(bridge)["state"] == "open"
        await trio.sleep(0.2)
        assert breaker(bridge)["state"] == "half-open"


async def test_anthropics_reset_times_are_read_by_its_own_clock(
    autojump_clock: MockClock, network: Network
) -> None:
    """A reset in RFC 3339 counts from the answer's own Date, whatever our clock says."""
    headers = {
        "date": "Thu, 26 Nov 2020 09:00:00 GMT",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2020-11-26T09:01:15Z",
        "anthropic-ratelimit-requests-remaining": "9",
        "anthropic-ratelimit-requests-reset": "2020-11-26T09:04:00Z",
    }
    await network.answer("anthropic", Provider(429, headers))
    async with network.bridge(**RULES) as bridge:
        await fail(bridge, path=MESSAGES)
        assert breaker(bridge, 1)["cooldown_left_s"] == 75


async def test_a_later_longer_word_extends_and_a_shorter_one_never_cuts(
    autojump_clock: MockClock, network: Network
) -> None:
    """Retry hints of requests that were under way when it opened still count."""
    words = {b"60": 5.0, b"120": 10.0, b"1": 15.0}

    async def provider(request: Request, reply: Reply) -> None:
        seconds = b"".join([piece async for piece in request.body])
        await trio.sleep(words.get(seconds, 0))
        await reply.answer(503, [*JSON, (b"retry-after", seconds or b"0")], b"{}")

    await network.answer("openai", provider)
    left = []
    async with network.bridge(**RULES) as bridge, trio.open_nursery() as nursery:
        for word in words:
            nursery.start_soon(partial(bridge.client.post, CHAT, content=word))
        await trio.sleep(1)
        await fail(bridge, path=RESPONSES)
        for _ in range(4):
            left.append(breaker(bridge)["cooldown_left_s"])
            await trio.sleep(5)
    assert left == [30, 65 - 6, 130 - 11, 130 - 16]  # said at 5 s: a minute, at 10 s: two, at 15 s: a second


async def test_trips_in_a_row_take_longer_and_health_takes_that_back(
    autojump_clock: MockClock, network: Network
) -> None:
    """Each trip without a healthy spell lengthens the cooldown; a spell as long as a cooldown takes one back."""
    provider = Provider(503)
    await network.answer("openai", provider)
    async with network.bridge(**RULES) as bridge:
        lengths: list[float] = []
        for _ in range(3):
            await fail(bridge, 2 if not lengths else 1)
            lengths.append(breaker(bridge)["cooldown_s"])
            await trio.sleep(lengths[-1] + 0.01)
        assert lengths[0] == 30
        assert 30 < lengths[1] < lengths[2] < 300
        provider.status = 200
        await fail(bridge, 3)
        await trio.sleep(3600)
        provider.status = 503
        await fail(bridge)
        assert breaker(bridge)["cooldown_s"] == 30
    causes = [event.because for event in bridge.published(Transitioned) if event.trip]
    assert causes[0] == "2 failures in 10 s, last 503"
    assert causes[1].startswith("a probe failed: 503; trip 2 in a row, for ")


async def test_a_word_counts_from_its_head(autojump_clock: MockClock, network: Network) -> None:
    """A stream that says "overloaded" after a minute has aged the reset times of its head by that minute."""

    async def provider(_: Request, reply: Reply) -> None:
        await reply.start(
            200, [*SSE, (b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"100s")]
        )
        await trio.sleep(20)
        await reply.send(OVERLOADED)
        await reply.end()

    await network.answer("openai", provider)
    async with network.bridge(**RULES | {"circuit_breaker_failure_threshold": 1}) as bridge:
        await bridge.client.post(CHAT)
        assert breaker(bridge)["cooldown_left_s"] == 80


async def test_a_late_first_byte_is_a_failure(autojump_clock: MockClock, network: Network) -> None:
    """A first byte counts as a failure when it becomes late, and the answer is relayed all the same."""
    provider = Provider()
    provider.body_after = 60.0
    await network.answer("openai", provider)
    options = {**RULES, "circuit_breaker_slow_first_byte": 20.0}
    async with network.bridge(**options) as bridge, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(bridge.client.post, CHAT)
        await trio.sleep(19.9)
        assert breaker(bridge)["state"] == "closed"
        await trio.sleep(0.2)
        assert breaker(bridge)["state"] == "open"
        await trio.sleep(50)
    assert [(event.status, event.verdict) for event in bridge.published(Finished)] == [(200, "failure")] * 2
    assert bridge.published(Transitioned)[0].because == "2 failures in 10 s, last no first byte in 20 s"


@pytest.mark.parametrize("asked", [True, False])
async def test_a_first_byte_in_time_is_none(autojump_clock: MockClock, network: Network, asked: bool) -> None:
    """An answer in time gets its ordinary verdict; without the option no first byte is late."""
    provider = Provider()
    provider.head_after, provider.body_after = (5.0, 14.0) if asked else (300.0, 200.0)
    await network.answer("openai", provider)
    options = {"circuit_breaker_slow_first_byte": 20.0} if asked else {}
    async with network.bridge(**RULES, **options) as bridge:
        assert (await bridge.client.post(CHAT)).status_code == 200
        await trio.sleep(60)
        assert breaker(bridge)["verdicts"] == {"success": 1, "failure": 0, "neutral": 0}


async def test_a_slow_upload_is_not_the_providers_slowness(autojump_clock: MockClock, network: Network) -> None:
    """The first byte's time begins when the whole request is on its way."""
    provider = Provider()
    await network.answer("openai", provider)

    async def slowly() -> Any:
        for _ in range(5):
            await trio.sleep(15)
            yield b"x" * 20_000

    async with network.bridge(**RULES, circuit_breaker_slow_first_byte=20.0) as bridge:
        assert (await bridge.client.post(CHAT, content=slowly())).status_code == 200
        assert breaker(bridge)["verdicts"]["failure"] == 0


async def test_a_ramp_admits_more_and_more(autojump_clock: MockClock, network: Network) -> None:
    """After closing the ramp admits a tenth, half-way a little more than half, at its end all."""
    provider = Provider(503)
    await network.answer("openai", provider)
    async with network.bridge(**RULES, circuit_breaker_ramp=100.0) as bridge:
        await fail(bridge)
        provider.status = 200
        await trio.sleep(30)
        for _ in range(3):
            assert reason(await bridge.client.post(CHAT)) == "200"
        assert breaker(bridge)["share"] == 0.1

        async def admitted() -> float:
            found = [reason(await bridge.client.post(CHAT)) for _ in range(100)]
            assert set(found) <= {"200", "circuit_open"}
            return found.count("200") / 100

        assert await admitted() == pytest.approx(0.1, abs=0.011)
        answers = [await bridge.client.post(CHAT) for _ in range(2)]  # of which one is refused
        refused = next(answer for answer in answers if reason(answer) == "circuit_open")
        assert "is coming back from an outage" in refused.json()["message"]
        assert 1000 <= int(refused.headers["retry-after-ms"]) <= 120_000
        assert await bridge.metric("circuit_breaker_ramp_share", provider="openai") == pytest.approx(0.1)
        await trio.sleep(50)
        assert await admitted() == pytest.approx(0.55, abs=0.011)
        await trio.sleep(50)
        assert await admitted() == 1.0


async def test_a_breaker_in_shadow_refuses_no_request(autojump_clock: MockClock, network: Network) -> None:
    """A breaker in shadow opens, probes and closes as usual, and counts what it would have refused."""
    provider = Provider(503)
    await network.answer("openai", provider)
    async with network.bridge(**RULES, shadow=("breaker",)) as bridge:
        await fail(bridge, 5)
        await bridge.client.get("/openai/v1/models")
        assert len(provider.bodies) == 6
        state = breaker(bridge)
        assert (state["state"], state["trips"], state["rejects"]) == ("open", 1, 0)
        assert await bridge.metric("would_reject_total", reason="circuit_open") == 4
        assert await bridge.metric("rejects_total", reason="circuit_open") == 0
        await trio.sleep(30)
        provider.status = 200
        for _ in range(3):
            await bridge.client.post(CHAT)
        assert breaker(bridge)["state"] == "closed"


async def test_a_resting_key_in_shadow_is_served(autojump_clock: MockClock, network: Network) -> None:
    """A key's cooldown is counted and refuses no request; its 429s count as without key cooldowns."""
    provider = Provider(429, {"retry-after": "20"})
    await network.answer("openai", provider)
    async with network.bridge(**BY_KEY, shadow=("credential",)) as bridge:
        await fail(bridge, 2, headers=ALICE)
        assert len(provider.bodies) == 2
        assert await bridge.metric("would_reject_total", reason="credential_cooldown") == 1
        assert breaker(bridge)["state"] == "open"


async def test_an_operators_word_is_no_shadow(autojump_clock: MockClock, network: Network) -> None:
    """Forced open refuses all requests, also while the breaker is in shadow."""
    await network.answer("openai", Provider())
    async with network.bridge(**RULES, shadow=("breaker",)) as bridge:
        await bridge.admin.post("/breakers/openai", json={"mode": "open"})
        assert reason(await bridge.client.post(CHAT)) == "circuit_open"
        assert reason(await bridge.client.get("/openai/v1/models")) == "circuit_open"
