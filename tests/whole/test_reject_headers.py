"""Of rejects: dialect, request id, when to come back, and the rate's headers."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import httpx
import pytest
import trio
from trio.testing import MockClock

from tests.support.network import Network
from tests.support.rejected import ALL, ANTHROPIC, OPENAI, RATE, fill, ok, raw

# The dialect


@pytest.mark.parametrize(
    ("target", "anthropic"),
    [
        (b"/anthropic", True),
        (b"/anthropic?x=/openai", True),
        (b"/anthropic/../openai/v1/models", True),
        (b"/anthropic//v1", True),
        (b"/anthropic\\v1", False),
        (b"//anthropic/v1", False),
        (b"/Anthropic/v1/messages", False),
        (b"/anthropicx/v1/messages", False),
        (b"/openai/anthropic", False),
        (b"/copilot/anthropic", False),
        (b"*", False),
        (b"http://bridge/anthropic/v1/messages", False),
    ],
)
@pytest.mark.parametrize("full", [False, True])
async def test_the_first_segment_chooses_the_dialect_before_any_check(
    autojump_clock: MockClock, network: Network, target: bytes, anthropic: bool, full: bool
) -> None:
    """The first segment of a path, as it came, alone chooses the dialect of a reject, whatever its reason."""
    async with network.bridge(max_concurrency=1) as bridge, trio.open_nursery() as nursery:
        if full:
            await fill(network, bridge, nursery)
        answer = await raw(network, b"DELETE %s HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n\r\n" % target)
        assert (b'"type": "error"' in answer) is anthropic
        assert (b'"param": null' in answer) is not anthropic
        assert (b"x-aibridge-reject: capacity" in answer) is full
        nursery.cancel_scope.cancel()


async def test_a_rejected_head_has_the_head_and_no_body(autojump_clock: MockClock, network: Network) -> None:
    """HEAD gets the same head as GET, the length too, and the connection is good for the next request."""
    async with network.bridge() as bridge:
        get = await bridge.client.get("/openai/v1/evals")
        head = await bridge.client.head("/openai/v1/evals")
        assert (head.status_code, head.content) == (404, b"")
        assert int(head.headers["content-length"]) == len(get.content) + 2 * len("D")  # said twice
        assert (await bridge.client.get("/")).status_code == 200
    assert network.dialled == ["bridge"]


# The request's id


async def test_a_reject_answers_with_the_callers_request_id(autojump_clock: MockClock, network: Network) -> None:
    """A reject has the caller's request id, so that it can be found; an invalid id is replaced, not repeated."""
    async with network.bridge() as bridge:
        for way in ALL:
            answer = await bridge.client.get(f"/{way.segment}/none", headers={"x-request-id": "mine"})
            assert answer.headers.get_list("x-request-id") == ["mine"]
            assert answer.json()["request_id"] == "mine"
            answer = await bridge.client.get(f"/{way.segment}/none", headers={"x-request-id": "a b"})
            assert answer.headers["x-request-id"] != "a b"


# When to come back


async def opened(network: Network, cooldown: float) -> httpx.Response:
    """Return the reject at the very moment when a breaker has opened for this long."""
    options = {"circuit_breaker_failure_threshold": 1, "circuit_breaker_cooldown": cooldown}
    async with network.bridge(circuit_breaker=True, **options) as bridge:
        await bridge.client.post(OPENAI.intercepted)
        return await bridge.client.post(OPENAI.intercepted)


@pytest.mark.parametrize(
    ("wait", "shown"),
    [
        ((0.25, 0.0), (250, 1, None)),
        ((1.0, 0.0), (1000, 1, None)),
        ((1.0, 1.0), (1200, 2, None)),
        ((1.0001, 0.0), (1001, 2, None)),
        ((30.0, 0.5), (33000, 33, None)),
        ((60.0, 0.0), (60000, 60, None)),
        ((60.5, 0.0), (60500, 61, "false")),
        ((60.0, 1.0), (72000, 72, "false")),
        ((120.0, 0.0), (120000, 120, "false")),
        ((120.0, 1.0), (144000, 144, "false")),
    ],
)
async def test_waits_are_rounded_up_and_long_ones_leave_the_sdk(
    autojump_clock: MockClock,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    wait: tuple[float, float],
    shown: tuple[int, int, str | None],
) -> None:
    """Early is worse than late, and above a minute no SDK shall sleep inside the call."""
    cooldown, fraction = wait
    monkeypatch.setattr(random, "random", lambda: fraction)
    headers = (await opened(network, cooldown)).headers
    assert (int(headers["retry-after-ms"]), int(headers["retry-after"])) == shown[:2]
    assert headers.get("x-should-retry") == shown[2]


async def test_the_jitter_spreads_callers_over_a_fifth(autojump_clock: MockClock, network: Network) -> None:
    """Callers that were refused together come back apart, none early, none later than by a fifth."""
    async with network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=1) as bridge:
        await bridge.client.post(OPENAI.intercepted)
        waits = []
        for caller in range(50):
            headers = {"authorization": f"Bearer caller-{caller}"}
            answer = await bridge.client.post(OPENAI.intercepted, headers=headers)
            waits.append(int(answer.headers["retry-after-ms"]))
    assert min(waits) >= 30_000
    assert max(waits) <= 36_000
    assert len(set(waits)) > 25
    assert max(waits) - min(waits) > 2_000


# X-RateLimit


async def test_the_budget_stands_on_every_answer_behind_the_rate(
    autojump_clock: MockClock, network: Network
) -> None:
    """Answers, probes and rejects after the rate was charged have it; rejects before do not."""
    await network.answer("openai", ok)
    probes: list[tuple[Callable[[httpx.AsyncClient], Awaitable[httpx.Response]], int]] = [
        (lambda client: client.post(OPENAI.intercepted), 200),
        (lambda client: client.get("/"), 200),
        (lambda client: client.get("/openai/v1/evals"), 404),
        (lambda client: client.post(ANTHROPIC.intercepted), 502),
        (lambda client: client.get("/a//b"), 400),
    ]
    async with network.bridge(rate_limit=5, max_concurrency=1, drain_delay=1.0) as bridge:
        for left, (ask, status) in zip((4, 3, 2, 1, 0), probes, strict=True):
            answer = await ask(bridge.client)
            assert answer.status_code == status
            shown = [int(answer.headers[f"x-ratelimit-{name}"]) for name in ("limit", "remaining", "reset")]
            assert shown == [5, left, 1]
        twice = await bridge.client.get("/", headers=[("x-api-key", "a"), ("x-api-key", "b")])
        assert twice.status_code == 400
        assert not RATE & twice.headers.keys()
        bridge.bridge.lifecycle.phase = "stopping"
        assert not RATE & (await bridge.client.get("/")).headers.keys()


async def test_without_a_rate_limit_there_is_no_budget(autojump_clock: MockClock, network: Network) -> None:
    """Without a rate limit no reply has the rate's headers."""
    await network.answer("openai", ok)
    async with network.bridge() as bridge:
        for answer in (await bridge.client.post(OPENAI.intercepted), await bridge.client.get("/nowhere")):
            assert not RATE & answer.headers.keys()
