"""Limits on tokens and budgets through the whole bridge, in virtual time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.known_callers import KnownCallers
from aibridge_trio.config.provider_tables import KeyTable, ProviderTable, RouteTable
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.limits.usage_window import Use
from aibridge_trio.core.terms import Rate, TokenBudget
from aibridge_trio.events import Finished
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import CHAT, JSON, SSE, failing
from tests.support.network import Network, Running
from tests.support.spenders import ask, body, known, minute, spender, streaming, usage, using

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The wall clock: seconds after noon of November 30th, besides the virtual time."""
    offset = [0.0]
    monkeypatch.setattr(
        "aibridge_trio.bridge.components._WALL_CLOCK", lambda: NOON + offset[0] + trio.current_time()
    )
    return iter([offset])


def used(bridge: Running, name: str = "a") -> Use | None:
    """What the window of a caller has counted."""
    window = bridge.bridge.spending.callers.find(name)
    return window.use(trio.current_time()) if window else None


def rejected(answer: httpx.Response) -> tuple[int, str | None]:
    """Status and reason."""
    return answer.status_code, answer.headers.get("x-aibridge-reject")


# What counts


async def test_estimate_then_what_was_used(autojump_clock: MockClock, network: Network) -> None:
    """While it runs a request counts with its size and the output that it permits; then with what it used."""
    await network.answer("openai", using(90, 20, after=10))
    async with network.bridge(known_callers=known(spender("a", tokens=1000))) as bridge, trio.open_nursery() as n:
        n.start_soon(ask, bridge.client, "a", body(100, max_tokens=300))
        await trio.sleep(5)
        assert used(bridge) == Use(1000, 0, 400, 0.0)
        await trio.sleep(10)
        now = used(bridge)
        assert now
        assert now[:3] == (1000, 110, 0)
        await trio.sleep(60)
        now = used(bridge)
        assert now
        assert now[:3] == (1000, 0, 0)


@pytest.mark.parametrize(
    ("members", "estimate"),
    [
        ({"max_tokens": 50}, 150),
        ({"max_completion_tokens": 70, "max_tokens": 50}, 170),
        ({"max_output_tokens": 0}, 100),
        ({"max_tokens": 50, "n": 3}, 250),
        ({"max_tokens": 50, "n": 0}, 150),
        ({"max_tokens": 50, "n": 10**6}, 100 + 50 * 128),
        ({}, 1100),
        ({"max_tokens": None}, 1100),
        ({"max_tokens": "many", "n": "x"}, 1100),
    ],
)
async def test_what_a_request_is_estimated_at(
    autojump_clock: MockClock, network: Network, members: dict[str, object], estimate: int
) -> None:
    """A token for four bytes, and the output that it permits; where it says nothing, a usual one."""
    await network.answer("openai", using(1, 1, after=10))
    caller = spender("a", tokens=10**6)
    async with network.bridge(known_callers=known(caller)) as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(ask, bridge.client, "a", body(100, **members))
        await trio.sleep(5)
        now = used(bridge)
        assert now
        assert now.running == estimate


async def test_an_image_is_not_estimated_as_text(autojump_clock: MockClock, network: Network) -> None:
    """Three quarters of a megabyte are ten thousand tokens, not a quarter of a million."""
    await network.answer("openai", using(1, 1, after=10))
    image = "iVBORw0KGgo" * 90_909
    content = json.dumps({"max_tokens": 50, "input": f"data:image/png;base64,{image}"}).encode()
    async with (
        network.bridge(known_callers=known(spender("a", tokens=10**6))) as bridge,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(ask, bridge.client, "a", content)
        await trio.sleep(5)
        now = used(bridge)
        assert now
        assert 10_000 <= now.running <= 11_000


async def test_the_usual_output_is_learned(autojump_clock: MockClock, network: Network) -> None:
    """Answers of a provider teach what its next one will have, about."""
    await network.answer("openai", using(10, 200, after=1))
    async with network.bridge(known_callers=known(spender("a", tokens=10**7))) as bridge:
        for _ in range(100):
            await ask(bridge.client, "a", body(100))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, bridge.client, "a", body(100))
            await trio.sleep(0.5)
            now = used(bridge)
            assert now
            assert 300 <= now.running <= 305


async def test_a_stream_is_settled_by_its_usage(autojump_clock: MockClock, network: Network) -> None:
    """As the provider reports it in its last chunk."""
    ending = b"data: " + usage(80, 33) + b"\n\ndata: [DONE]\n\n"
    await network.answer("openai", streaming(50, ending))
    async with network.bridge(known_callers=known(spender("a", tokens=1000))) as bridge:
        await ask(bridge.client, "a", body(100, max_tokens=300, stream=True))
        now = used(bridge)
        assert now
        assert now[:3] == (1000, 113, 0)


async def test_cached_tokens_count(autojump_clock: MockClock, network: Network) -> None:
    """All that was sent counts, whatever part of it a cache had."""
    counts = {
        "input_tokens": 5,
        "output_tokens": 7,
        "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 11,
    }
    answer = json.dumps({"usage": counts}).encode()

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.answer(200, JSON, answer)

    await network.answer("anthropic", provider)
    async with network.bridge(known_callers=known(spender("a", tokens=1000))) as bridge:
        await ask(bridge.client, "a", body(100), "/anthropic/v1/messages")
        now = used(bridge)
        assert now
        assert now.settled == 83


async def test_a_stream_without_usage_is_settled_by_what_came(autojump_clock: MockClock, network: Network) -> None:
    """Chat Completions report none unless asked: its size, and a token for each piece."""
    await network.answer("openai", streaming(50))
    async with network.bridge(known_callers=known(spender("a", tokens=1000))) as bridge:
        await ask(bridge.client, "a", body(100, max_tokens=300, stream=True))
        now = used(bridge)
        assert now
        assert now[:3] == (1000, 150, 0)


async def test_an_aborted_stream_is_settled_by_what_came(autojump_clock: MockClock, network: Network) -> None:
    """Its caller leaves after ten pieces: never for nothing, never for what was not said."""
    await network.answer("openai", streaming(1000, pause=1.0))
    async with network.bridge(known_callers=known(spender("a", tokens=1000))) as bridge:
        with trio.move_on_after(9.5):
            await ask(bridge.client, "a", body(100, max_tokens=300, stream=True))
        await trio.sleep(1)
        now = used(bridge)
        assert now
        assert now[:3] == (1000, 110, 0)


async def test_a_broken_stream_is_settled_by_what_came(autojump_clock: MockClock, network: Network) -> None:
    """A provider that breaks off has sent what it has sent."""

    async def breaks(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        await stream.send_all(b"transfer-encoding: chunked\r\n\r\n")
        piece = (
            b'data: {"id":"0123456789012345678901234567890123456789","choices":[{"delta":{"content":"x"}}]}\n\n'
        )
        for _ in range(7):
            await stream.send_all(b"%x\r\n%b\r\n" % (len(piece), piece))
        await stream.aclose()

    network.raw("openai", breaks)
    async with network.bridge(known_callers=known(spender("a", tokens=1000))) as bridge:
        with pytest.raises(httpx.HTTPError):
            await ask(bridge.client, "a", body(100, max_tokens=300, stream=True))
        now = used(bridge)
        assert now
        assert now[:3] == (1000, 107, 0)


async def test_a_caller_that_leaves_before_the_head_has_sent_its_prompt(
    autojump_clock: MockClock, network: Network
) -> None:
    """The provider has it, and may have begun."""
    await network.answer("openai", using(1, 1, after=100))
    async with network.bridge(known_callers=known(spender("a", tokens=1000))) as bridge:
        with trio.move_on_after(5):
            await ask(bridge.client, "a", body(100, max_tokens=300))
        await trio.sleep(1)
        now = used(bridge)
        assert now
        assert now[:3] == (1000, 100, 0)


@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
async def test_what_a_provider_refuses_costs_nothing(
    autojump_clock: MockClock, network: Network, status: int
) -> None:
    """An error is no answer; its request is given back."""
    await network.answer("openai", failing(status))
    async with network.bridge(known_callers=known(spender("a", tokens=1000))) as bridge:
        assert (await ask(bridge.client, "a", body(100, max_tokens=300))).status_code == status
        now = used(bridge)
        assert now
        assert now[:3] == (1000, 0, 0)


async def test_what_never_went_up_costs_nothing(autojump_clock: MockClock, network: Network) -> None:
    """No connection, or a reject after the charge: an open breaker's."""
    caller = spender("a", tokens=10_000)
    async with network.bridge(
        known_callers=known(caller), circuit_breaker=True, circuit_breaker_failure_threshold=2
    ) as bridge:
        found = [rejected(await ask(bridge.client, "a", body(100, max_tokens=300))) for _ in range(4)]
        assert found == [(502, "upstream_unreachable")] * 2 + [(503, "circuit_open")] * 2
        now = used(bridge)
        assert now is None or now[:3] == (10_000, 0, 0)


@pytest.mark.parametrize("adaptive", [False, True])
async def test_a_caller_that_leaves_between_two_providers_has_used_nothing(
    autojump_clock: MockClock, network: Network, adaptive: bool
) -> None:
    """The first has refused its request, and there is no connection to the second yet."""
    await network.answer("a", failing(429))
    network.blackholes.add("b")
    tables = tuple(
        ProviderTable(name=name, dialect="openai", base_url=f"http://{name}", keyless=True, token_rate=minute(999))
        for name in "ab"
    )
    routes = (RouteTable(model="m", providers=("a", "b")),)
    options: dict[str, Any] = {"provider_tables": tables, "routes": routes, "adaptive": adaptive}
    async with network.bridge(known_callers=known(spender("a", tokens=1000)), **options) as bridge:
        with trio.move_on_after(2):
            await ask(bridge.client, "a", body(100, model="m", max_tokens=300), "/v1/chat/completions")
        await trio.sleep(1)
        now = used(bridge)
        assert now
        assert now[:3] == (1000, 0, 0)
        limits = bridge.bridge.spending.providers
        assert [limit.tokens.use(0).settled for limit in limits.values() if limit.tokens] == [0, 0]


async def test_a_caller_that_leaves_between_two_keys_has_used_nothing(
    autojump_clock: MockClock, network: Network
) -> None:
    """The first has been refused, and there is no connection for the second yet."""

    async def refuses(request: Request, reply: Reply) -> None:
        network.blackholes.add("openai")
        async for _ in request.body:
            pass
        await reply.answer(429, [*JSON, (b"connection", b"close")], b"{}")

    await network.answer("openai", refuses)
    keys = tuple(KeyTable(label=name, secret=Secret(f"sk-{name}-0123456789abcdef")) for name in ("one", "two"))
    table = ProviderTable(name="openai", dialect="openai", base_url="http://openai/v1", keys=keys)
    options: dict[str, Any] = {"provider_tables": (table,)}
    async with network.bridge(known_callers=known(spender("a", tokens=1000)), **options) as bridge:
        pool = bridge.bridge.router.get("openai")
        assert pool
        with trio.move_on_after(2):
            await ask(bridge.client, "a", body(100, max_tokens=300))
        await trio.sleep(1)
        assert [each.state for each in pool.key_statistics()] == ["resting", "ready"]
        now = used(bridge)
        assert now
        assert now[:3] == (1000, 0, 0)


async def test_a_caller_that_leaves_while_held_has_used_nothing(
    autojump_clock: MockClock, network: Network
) -> None:
    """Its provider said in a stream that it is overloaded, before any content."""

    async def overloaded(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        if next(answers, None):
            await reply.answer(529, JSON, b"{}")
            return
        await reply.start(200, SSE)
        await reply.send(b'data: {"error":{"type":"overloaded_error","message":"Overloaded"}}\n\n')
        await reply.end()

    answers = iter([529])
    await network.answer("openai", overloaded)
    async with network.bridge(known_callers=known(spender("a", tokens=1000)), adaptive=True) as bridge:
        with trio.move_on_after(1.5):
            await ask(bridge.client, "a", body(100, max_tokens=300, stream=True))
        await trio.sleep(1)
        assert await bridge.metric("adaptive_held", provider="openai") == 0
        [finished] = bridge.published(Finished)
        assert finished.left
        assert finished.sent_again
        now = used(bridge)
        assert now
        assert now[:3] == (1000, 0, 0)


async def test_a_request_that_is_held_and_sent_again_is_charged_once(
    autojump_clock: MockClock, network: Network
) -> None:
    """However often it goes up, its estimate counts once, and what it used in the end."""
    answers = iter([429, 529, 503])

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        if status := next(answers, None):
            await reply.answer(status, JSON, b"{}")
        else:
            await reply.answer(200, JSON, usage(90, 20))

    await network.answer("openai", provider)
    caller = spender("a", tokens=1000)
    async with (
        network.bridge(known_callers=known(caller), adaptive=True) as bridge,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(ask, bridge.client, "a", body(100, max_tokens=300))
        await trio.sleep(0.1)
        assert used(bridge) == Use(1000, 0, 400, 0.0)
        await trio.sleep(30)
        now = used(bridge)
        assert now
        assert now[:3] == (1000, 110, 0)


# What is refused


async def test_the_limit_is_exact(autojump_clock: MockClock, network: Network) -> None:
    """Hundreds of requests: each is admitted if and only if a naive model admits it, with the true wait else."""
    randomness = random.Random(14)
    durations: dict[bytes, tuple[float, int]] = {}

    async def provider(request: Request, reply: Reply) -> None:
        content = b"".join([piece async for piece in request.body])
        after, output = durations[content]
        await trio.sleep(after)
        await reply.answer(200, JSON, usage(len(content) // 4, output))

    await network.answer("openai", provider)
    running: dict[int, int] = {}
    settled: list[tuple[float, int]] = []
    admitted = refused = 0

    async def one(number: int, size: int, permitted: int) -> None:
        nonlocal admitted, refused
        now = trio.current_time()
        content = body(size, max_tokens=permitted, number=number)
        durations[content] = (randomness.uniform(0, 20), randomness.randint(0, permitted))
        counts = sum(running.values()) + sum(each for at, each in settled if at + 60 > now)
        fits = counts + size + permitted <= 3000 or not counts
        if fits:
            running[number] = size + permitted
        answer = await ask(bridge.client, "a", content)
        assert rejected(answer) == ((200, None) if fits else (429, "token_limit"))
        if fits:
            admitted += 1
            del running[number]
            settled.append((trio.current_time(), size + durations[content][1]))
        else:
            refused += 1
            assert 0 < int(answer.headers["retry-after-ms"]) <= 120_000

    options = {"keep_alive_timeout": 3600.0}
    callers = known(spender("a", tokens=3000))
    async with network.bridge(known_callers=callers, **options) as bridge, trio.open_nursery() as nursery:
        for number in range(400):
            nursery.start_soon(one, number, randomness.randint(30, 300), randomness.randint(0, 400))
            await trio.sleep(randomness.expovariate(0.5))
    assert admitted > 100
    assert refused > 50


async def test_the_wait_is_true(autojump_clock: MockClock, network: Network) -> None:
    """A refused request that comes back then is admitted, and a moment earlier it is not."""
    await network.answer("openai", using(400, 100))
    async with network.bridge(known_callers=known(spender("a", tokens=1000))) as bridge:
        for _ in range(2):
            assert rejected(await ask(bridge.client, "a", body(400, max_tokens=100))) == (200, None)
            await trio.sleep(10)
        answer = await ask(bridge.client, "a", body(400, max_tokens=100))
        assert rejected(answer) == (429, "token_limit")
        assert "You may use 1000 tokens in a minute, and too few are left" in answer.text
        assert (answer.headers["retry-after-ms"], answer.headers["retry-after"]) == ("40000", "40")
        assert "x-should-retry" not in answer.headers
        await trio.sleep(39.99)
        assert rejected(await ask(bridge.client, "a", body(400, max_tokens=100))) == (429, "token_limit")
        await trio.sleep(0.01)
        assert rejected(await ask(bridge.client, "a", body(400, max_tokens=100))) == (200, None)


async def test_one_request_above_the_whole_limit(autojump_clock: MockClock, network: Network) -> None:
    """It goes alone; then all others wait until it has left the window."""
    await network.answer("openai", using(3000, 100, after=5))
    async with network.bridge(known_callers=known(spender("a", tokens=1000))) as bridge:
        assert rejected(await ask(bridge.client, "a", body(3000, max_tokens=300))) == (200, None)
        answer = await ask(bridge.client, "a", body(30, max_tokens=3))
        assert (rejected(answer), answer.headers["retry-after"]) == ((429, "token_limit"), "60")
        await trio.sleep(60)
        assert rejected(await ask(bridge.client, "a", body(3000, max_tokens=300))) == (200, None)


async def test_the_limit_is_one_callers(autojump_clock: MockClock, network: Network) -> None:
    """Another caller has its own; one without a limit, and one that is not known, have none."""
    await network.answer("openai", using(900, 100))
    callers = known(spender("a", tokens=1000), spender("b", tokens=1000), spender("c"))
    async with network.bridge(known_callers=callers) as bridge:
        for name in "ab":
            assert rejected(await ask(bridge.client, name, body(900, max_tokens=50))) == (200, None)
            assert rejected(await ask(bridge.client, name, body(900, max_tokens=50))) == (429, "token_limit")
        for _ in range(5):
            assert rejected(await ask(bridge.client, "c", body(900, max_tokens=50))) == (200, None)


async def test_a_class_in_all(autojump_clock: MockClock, network: Network) -> None:
    """Its callers share what the class may use, and the reject says that it is the limit of the class."""
    await network.answer("openai", using(500, 100))
    callers = known(spender("a", "ci"), spender("b", "ci"), spender("c", "people"), ci=1000)
    async with network.bridge(known_callers=callers) as bridge:
        assert rejected(await ask(bridge.client, "a", body(500, max_tokens=100))) == (200, None)
        answer = await ask(bridge.client, "b", body(500, max_tokens=100))
        assert rejected(answer) == (429, "token_limit")
        assert "of your class" in answer.text
        assert rejected(await ask(bridge.client, "c", body(500, max_tokens=100))) == (200, None)


async def test_a_provider_in_all(autojump_clock: MockClock, network: Network) -> None:
    """Tokens and requests of all callers to one provider, named in the reject; anonymous callers too."""
    await network.answer("openai", using(500, 100))
    table = ProviderTable(name="openai", dialect="openai", base_url="http://openai/v1", token_rate=minute(1000))
    async with network.bridge(provider_tables=(table,)) as bridge:
        assert rejected(await bridge.client.post(CHAT, content=body(500, max_tokens=100))) == (200, None)
        answer = await bridge.client.post(CHAT, content=body(500, max_tokens=100))
        assert rejected(answer) == (429, "token_limit")
        assert "in a minute at openai" in answer.text
        assert "x-ratelimit-limit-tokens" not in answer.headers


async def test_requests_to_a_provider(autojump_clock: MockClock, network: Network) -> None:
    """Counted when they are sent, of all routes, and given back where nothing went up."""
    await network.answer("openai", using(500, 100))
    table = ProviderTable(name="openai", dialect="openai", base_url="http://openai/v1", rate=Rate(2, 60.0))
    async with network.bridge(provider_tables=(table,)) as bridge:
        for path in (CHAT, "/openai/v1/embeddings"):
            assert rejected(await bridge.client.post(path, content=b"{}")) == (200, None)
            await trio.sleep(10)
        answer = await bridge.client.post(CHAT, content=b"{}")
        assert (rejected(answer), answer.headers["retry-after"]) == ((429, "rate_limit"), "40")
        assert "AI Bridge's requests to openai have been rate limited" in answer.text


async def test_requests_that_never_went_up_are_given_back(autojump_clock: MockClock, network: Network) -> None:
    """No connection: whatever the route, the provider's limit has counted nothing."""
    table = ProviderTable(name="openai", dialect="openai", base_url="http://openai/v1", rate=Rate(2, 60.0))
    async with network.bridge(provider_tables=(table,)) as bridge:
        for path in (CHAT, "/openai/v1/embeddings") * 3:
            assert rejected(await bridge.client.post(path, content=b"{}")) == (502, "upstream_unreachable")


async def test_a_reject_charges_nothing_elsewhere(autojump_clock: MockClock, network: Network) -> None:
    """What the class refuses is counted neither of the caller nor of the provider."""
    await network.answer("openai", using(500, 100))
    table = ProviderTable(
        name="openai", dialect="openai", base_url="http://openai/v1", rate=Rate(9, 60.0), token_rate=minute(9000)
    )
    callers = known(spender("a", "ci", tokens=9000), ci=1000)
    async with network.bridge(provider_tables=(table,), known_callers=callers) as bridge:
        found = [rejected(await ask(bridge.client, "a", body(500, max_tokens=100))) for _ in range(5)]
        assert found == [(200, None)] + [(429, "token_limit")] * 4
        now = used(bridge)
        limits = bridge.bridge.spending.providers["openai"]
        assert now
        assert now[:3] == (9000, 600, 0)
        assert limits.tokens
        assert limits.tokens.use(trio.current_time()).settled == 600
        assert limits.requests
        assert limits.requests.use(trio.current_time()).settled == 1


async def test_refused_requests_do_not_come_back_together(autojump_clock: MockClock, network: Network) -> None:
    """Each gets a later turn than the one before it."""
    await network.answer("openai", using(900, 100))
    async with network.bridge(known_callers=known(spender("a", tokens=1000))) as bridge:
        await ask(bridge.client, "a", body(900, max_tokens=100))
        await trio.sleep(30)
        waits = [
            int((await ask(bridge.client, "a", body(50, max_tokens=50))).headers["retry-after-ms"])
            for _ in range(5)
        ]
        assert waits == sorted(set(waits))
        assert waits[0] == 30_000


async def test_answers_say_what_is_left(autojump_clock: MockClock, network: Network) -> None:
    """To a caller with a limit, unless the provider says it of its own."""
    headers = [*JSON]

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.answer(200, headers, usage(90, 20))

    await network.answer("openai", provider)
    async with network.bridge(known_callers=known(spender("a", tokens=1000), spender("b"))) as bridge:
        answer = await ask(bridge.client, "a", body(100, max_tokens=300))
        assert answer.headers["x-ratelimit-limit-tokens"] == "1000"
        assert answer.headers["x-ratelimit-remaining-tokens"] == "600"
        assert answer.headers["x-ratelimit-reset-tokens"] == "1s"
        answer = await ask(bridge.client, "b", body(100, max_tokens=300))
        assert "x-ratelimit-limit-tokens" not in answer.headers
        headers.append((b"x-ratelimit-remaining-tokens", b"7"))
        answer = await ask(bridge.client, "a", body(100, max_tokens=300))
        assert answer.headers["x-ratelimit-remaining-tokens"] == "7"
        assert "x-ratelimit-limit-tokens" not in answer.headers


async def test_requests_that_are_not_read_are_not_metered(autojump_clock: MockClock, network: Network) -> None:
    """Passed-through routes cost no tokens, and are not refused for want of them."""
    await network.answer("openai", using(900, 100))
    async with network.bridge(known_callers=known(spender("a", tokens=1000))) as bridge:
        await ask(bridge.client, "a", body(900, max_tokens=100))
        for _ in range(3):
            assert rejected(await ask(bridge.client, "a", body(900), "/openai/v1/embeddings")) == (200, None)


# Budgets

TODAY = TokenBudget(1000, "day")


async def test_a_spent_budget_is_no_rate_limit(autojump_clock: MockClock, network: Network) -> None:
    """403 without a wait, which SDKs do not repeat; its text says until when."""
    await network.answer("openai", using(900, 100))
    async with network.bridge(known_callers=known(spender("a", budget=TODAY), spender("b"))) as bridge:
        assert rejected(await ask(bridge.client, "a", body(100, max_tokens=100))) == (200, None)
        answer = await ask(bridge.client, "a", body(100, max_tokens=100))
        assert rejected(answer) == (403, "budget_exhausted")
        assert answer.headers["x-should-retry"] == "false"
        assert not {"retry-after", "retry-after-ms"} & answer.headers.keys()
        text = "You have spent your budget of 1000 tokens for this day. The next one begins on 2026-12-01 at 00:00"
        assert text in answer.text
        assert rejected(await ask(bridge.client, "b", body(100, max_tokens=100))) == (200, None)


async def test_a_budget_is_new_in_its_next_period(
    autojump_clock: MockClock, network: Network, wall: Iterator[list[float]]
) -> None:
    """At midnight, UTC, and not before."""
    await network.answer("openai", using(900, 100))
    [offset] = wall
    async with network.bridge(known_callers=known(spender("a", budget=TODAY))) as bridge:
        await ask(bridge.client, "a", body(100, max_tokens=100))
        offset[0] = 12 * 3600 - trio.current_time() - 1
        assert rejected(await ask(bridge.client, "a", body(100, max_tokens=100))) == (403, "budget_exhausted")
        offset[0] += 1
        assert rejected(await ask(bridge.client, "a", body(100, max_tokens=100))) == (200, None)


async def test_fifty_at_once_do_not_spend_fifty_budgets(autojump_clock: MockClock, network: Network) -> None:
    """Running requests count with their estimates; the others may come back when they have ended."""
    await network.answer("openai", using(100, 20, after=5))
    async with network.bridge(known_callers=known(spender("a", budget=TODAY))) as bridge:
        found: list[tuple[int, str | None]] = []

        async def one() -> None:
            found.append(rejected(await ask(bridge.client, "a", body(100, max_tokens=200))))

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(one)
        assert sorted(found, key=str) == [(200, None)] * 4 + [(429, "token_limit")] * 46
        state = bridge.bridge.spending.budgets.state("a", TODAY, NOON + trio.current_time())
        assert (state.spent, state.running) == (480, 0)


# Changed while running


async def test_a_changed_limit_counts_at_once(autojump_clock: MockClock, network: Network) -> None:
    """What was used stays counted: of classes and providers; callers bring their own limit."""
    await network.answer("openai", using(500, 100, after=1))
    tables = [
        ProviderTable(name="openai", dialect="openai", base_url="http://openai/v1", token_rate=minute(amount))
        for amount in (1000, 2000)
    ]
    async with network.bridge(
        known_callers=known(spender("a", "ci"), ci=1000), provider_tables=(tables[0],)
    ) as bridge:
        spending = bridge.bridge.spending
        assert rejected(await ask(bridge.client, "a", body(500, max_tokens=100))) == (200, None)
        assert rejected(await ask(bridge.client, "a", body(500, max_tokens=100))) == (429, "token_limit")
        spending.apply(known(spender("a", "ci"), ci=2000), [tables[1]])
        assert rejected(await ask(bridge.client, "a", body(500, max_tokens=100))) == (200, None)
        spending.apply(known(spender("a", "ci"), ci=1500), [tables[1]])
        assert rejected(await ask(bridge.client, "a", body(500, max_tokens=100))) == (429, "token_limit")
        async with trio.open_nursery() as nursery:
            spending.apply(KnownCallers(), [])
            nursery.start_soon(ask, bridge.client, "a", body(500, max_tokens=100))
            await trio.sleep(0.5)
            spending.apply(known(spender("a", "ci"), ci=1), [tables[0]])
        assert spending.classes["ci"].use(trio.current_time()).settled == 0


# Keys


async def test_keys_have_limits_of_their_own(autojump_clock: MockClock, network: Network) -> None:
    """A key whose tokens are used up is passed over; without another one the reject says when one is free."""
    seen: list[bytes | None] = []

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        seen.append(request.header(b"authorization"))
        await reply.answer(200, JSON, usage(500, 100))

    await network.answer("openai", provider)
    keys = tuple(
        KeyTable(label=name, secret=Secret(f"sk-{name}-0123456789abcdef"), token_rate=minute(1000))
        for name in ("one", "two")
    )
    table = ProviderTable(name="openai", dialect="openai", base_url="http://openai/v1", keys=keys)
    async with network.bridge(provider_tables=(table,)) as bridge:
        for _ in range(2):
            assert rejected(await bridge.client.post(CHAT, content=body(500, max_tokens=100))) == (200, None)
        assert len(set(seen)) == 2
        answer = await bridge.client.post(CHAT, content=body(500, max_tokens=100))
        assert rejected(answer) == (503, "keys_resting")
        assert 60 <= int(answer.headers["retry-after"]) <= 72
        # what passes through uses no tokens, and can go
        assert rejected(await bridge.client.post("/openai/v1/embeddings", content=body(900))) == (200, None)
        await trio.sleep(61)
        assert rejected(await bridge.client.post(CHAT, content=body(500, max_tokens=100))) == (200, None)


async def test_the_key_that_answers_is_charged(autojump_clock: MockClock, network: Network) -> None:
    """The one that was refused before it is given back."""

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        if b"one" in (request.header(b"authorization") or b""):
            await reply.answer(429, [*JSON, (b"retry-after", b"30")], b"{}")
        else:
            await reply.answer(200, JSON, usage(500, 100))

    await network.answer("openai", provider)
    keys = tuple(
        KeyTable(label=name, secret=Secret(f"sk-{name}-0123456789abcdef"), token_rate=minute(1000), weight=weight)
        for name, weight in (("one", 5), ("two", 1))
    )
    table = ProviderTable(name="openai", dialect="openai", base_url="http://openai/v1", keys=keys)
    async with network.bridge(provider_tables=(table,)) as bridge:
        assert rejected(await bridge.client.post(CHAT, content=body(500, max_tokens=100))) == (200, None)
        backend = bridge.bridge.router.get("openai")
        assert backend
        assert backend.key
        assert backend.key.keys
        pool = backend.key.keys
        limits = {key.label: pool.limits(key) for key in pool.pool}
        counted = {
            label: each.tokens.use(trio.current_time())[1:3]
            for label, each in limits.items()
            if each and each.tokens
        }
        assert counted == {"one": (0, 0), "two": (600, 0)}
