"""Limits and breaker, through the whole path."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import CHAT, MESSAGES, SSE, endless, failing, ok
from tests.support.network import Network

# Concurrency and rate, through the whole stack


async def test_the_nth_is_admitted_and_the_next_rejected_at_once(
    autojump_clock: MockClock, network: Network
) -> None:
    """A reject does not wait, and says when to come back; the slot held longest is back after its last byte."""
    await network.answer("openai", endless)
    async with network.bridge(max_concurrency=2) as bridge, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(bridge.client.post, CHAT)
        await trio.sleep(1)
        began = trio.current_time()
        answer = await bridge.client.post(CHAT)
        assert trio.current_time() - began < 0.01
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "capacity")
        assert 1 <= int(answer.headers["retry-after"]) <= 2
        assert 1000 <= int(answer.headers["retry-after-ms"]) <= 1200
        assert await bridge.metric("requests_in_flight") == 2
        assert await bridge.metric("rejects_total", reason="capacity") == 1
        nursery.cancel_scope.cancel()
    await trio.sleep(0.5)
    assert bridge.bridge.admission.statistics().in_flight == 0


async def test_every_request_needs_a_slot(autojump_clock: MockClock, network: Network) -> None:
    """404s, probes and passed-through requests need a slot too, and concurrency is checked before all else."""
    await network.answer("openai", endless)
    async with network.bridge(max_concurrency=1, rate_limit=1) as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(bridge.client.post, CHAT)
        await trio.sleep(1.5)
        for path in ("/", "/nowhere", "/openai/v1/models", "/a//b"):
            answer = await bridge.client.get(path, headers=[("x-api-key", "a"), ("x-api-key", "b")])
            assert answer.headers["x-aibridge-reject"] == "capacity"
        nursery.cancel_scope.cancel()


async def test_the_admin_listener_answers_when_the_proxy_is_full(
    autojump_clock: MockClock, network: Network
) -> None:
    """The admin listener shares no limiter with the proxy."""
    await network.answer("openai", endless)
    async with network.bridge(max_concurrency=1) as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(bridge.client.post, CHAT)
        await trio.sleep(1)
        status = await bridge.status()
        assert (status["concurrency"]["limit"], status["concurrency"]["in_flight"]) == (1, 1)
        nursery.cancel_scope.cancel()


async def test_a_reject_is_written_after_its_slot_is_back(autojump_clock: MockClock, network: Network) -> None:
    """A reject holds no slot while it is written: a caller that never reads its 404 blocks no other request."""
    await network.answer("openai", ok)
    async with network.bridge(max_concurrency=1) as bridge:
        stream = network.dial("bridge")
        await stream.send_all(b"POST /nowhere HTTP/1.1\r\nhost: bridge\r\ncontent-length: 10\r\n\r\n")
        await trio.sleep(1)  # the 404 is out, its upload still drained
        assert (await bridge.client.post(CHAT)).status_code == 200
        await stream.aclose()


async def test_the_rate_is_counted_by_caller_over_all_routes(autojump_clock: MockClock, network: Network) -> None:
    """N requests pass at once, the next one a second later; other callers are not affected."""
    await network.answer("openai", ok)
    async with network.bridge(rate_limit=2) as bridge:
        alice, bob = {"authorization": "Bearer alice"}, {"x-api-key": "bob"}
        assert (await bridge.client.post(CHAT, headers=alice)).status_code == 200
        assert (await bridge.client.get("/nowhere", headers=alice)).status_code == 404
        answer = await bridge.client.get("/openai/v1/models", headers=alice)
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (429, "rate_limit")
        assert 900 <= int(answer.headers["retry-after-ms"]) <= 1200
        assert [answer.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")] == [
            "2",
            "0",
            "1",
        ]
        assert (await bridge.client.post(CHAT, headers=bob)).status_code == 200
        assert (await bridge.client.post(CHAT)).status_code == 200
        await trio.sleep(1)
        answer = await bridge.client.post(CHAT, headers=alice)
        assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (200, "1")


async def test_the_providers_own_ratelimit_headers_win(autojump_clock: MockClock, network: Network) -> None:
    """The bridge's rate headers are sent only where the provider sent none of those names."""

    async def provider(_: Request, reply: Reply) -> None:
        await reply.answer(200, [(b"x-ratelimit-limit", b"9")], b"{}")

    await network.answer("openai", provider)
    async with network.bridge(rate_limit=2) as bridge:
        answer = await bridge.client.post(CHAT)
    assert answer.headers.get_list("x-ratelimit-limit") == ["9"]
    assert "x-ratelimit-remaining" not in answer.headers


# The breaker, through the whole stack


async def test_the_breaker_opens_refuses_probes_and_closes(autojump_clock: MockClock, network: Network) -> None:
    """429s open the breaker; while open nothing goes up and Retry-After is the rest; probes close it."""
    status = 429
    calls = 0

    async def provider(request: Request, reply: Reply) -> None:
        nonlocal calls
        calls += 1
        await failing(status)(request, reply)

    await network.answer("anthropic", provider)
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(5):
            assert (await bridge.client.post(MESSAGES, content=b"{}")).status_code == 429
        await trio.sleep(10)
        answer = await bridge.client.post(MESSAGES, content=b"{}")
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "circuit_open")
        assert answer.json()["message"] == (
            "anthropic is currently unavailable due to upstream rate limiting. Please try again later."
        )
        assert answer.json()["error"]["type"] == "overloaded_error"
        assert 20_000 <= int(answer.headers["retry-after-ms"]) <= 24_000
        assert (await bridge.client.get("/anthropic/v1/models")).headers["x-aibridge-reject"] == "circuit_open"
        assert calls == 5
        assert await bridge.metric("circuit_breaker_state", provider="anthropic") == 1
        assert await bridge.metric("circuit_breaker_rejects_total", provider="anthropic") == 2
        await trio.sleep(20.1)
        assert await bridge.metric("circuit_breaker_state", provider="anthropic") == 2
        status = 200
        for _ in range(3):
            assert (await bridge.client.post(MESSAGES, content=b"{}")).status_code == 200
        assert await bridge.metric("circuit_breaker_state", provider="anthropic") == 0
        assert await bridge.metric("circuit_breaker_trips_total", provider="anthropic") == 1
        because = [event["because"] for event in (await bridge.status())["events"] if event["kind"] == "breaker"]
        assert because == ["5 failures in 10 s, last 429", "cooldown over", "3 of 3 probes succeeded"]


async def test_one_breaker_per_provider_for_all_callers(autojump_clock: MockClock, network: Network) -> None:
    """Failures of different callers add up in one breaker, and count for no other provider's."""
    for host in ("openai", "anthropic"):
        await network.answer(host, failing(503))
    async with network.bridge(circuit_breaker=True) as bridge:
        for n in range(5):
            await bridge.client.post(CHAT, headers={"authorization": f"Bearer caller-{n}"})
        states = {each["name"]: each["breaker"]["state"] for each in (await bridge.status())["providers"]}
    assert states == {"openai": "open", "anthropic": "closed", "copilot": "closed"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 502])
async def test_other_statuses_never_trip(autojump_clock: MockClock, network: Network, status: int) -> None:
    """Other statuses never open the breaker, and are relayed as they are."""
    await network.answer("openai", failing(status, b'{"error":{"message":"m"}}'))
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(10):
            answer = await bridge.client.post(CHAT)
            assert (answer.status_code, answer.content) == (status, b'{"error":{"message":"m"}}')
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 0


async def test_an_exhausted_account_never_trips(autojump_clock: MockClock, network: Network) -> None:
    """An exhausted account never opens the breaker: waiting would not help, and the provider is well."""
    await network.answer("openai", failing(429, b'{"error":{"code":"insufficient_quota"}}'))
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(10):
            assert (await bridge.client.post(CHAT)).status_code == 429
        assert await bridge.metric("verdicts_total", provider="openai", verdict="neutral") == 10
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 0


async def test_refused_connections_trip_and_the_reject_says_failures(
    autojump_clock: MockClock, network: Network
) -> None:
    """A dead provider is a failure without a status."""
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(5):
            assert (await bridge.client.post(CHAT)).status_code == 502
        answer = await bridge.client.post(CHAT)
    assert answer.json()["message"] == (
        "openai is currently unavailable due to upstream failures. Please try again later."
    )


@pytest.mark.parametrize(
    ("path", "host", "event"),
    [
        (MESSAGES, "anthropic", b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'),
        (CHAT, "openai", b'data: {"error":{"type":"rate_limit_error","code":"rate_limit_exceeded"}}\n\n'),
        (
            "/openai/v1/responses",
            "openai",
            b'event: error\ndata: {"type":"error","code":"server_is_overloaded"}\n\n',
        ),
        (
            "/openai/v1/responses",
            "openai",
            (
                b'event: response.failed\ndata: {"type":"response.failed","response":'
                b'{"error":{"code":"slow_down"}}}\n\n'
            ),
        ),
    ],
)
async def test_an_overload_event_inside_a_200_trips(
    autojump_clock: MockClock, network: Network, path: str, host: str, event: bytes
) -> None:
    """A status of 200 does not make a failure a success; the bytes go through all the same."""

    async def provider(_: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        await reply.send(event)
        await reply.end()

    await network.answer(host, provider)
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(5):
            assert (await bridge.client.post(path, content=b"{}")).content == event
        assert await bridge.metric("circuit_breaker_trips_total", provider=host) == 1
        answer = await bridge.client.post(path, content=b"{}")
        assert "due to upstream rate limiting" in answer.json()["message"]


async def test_half_open_lets_only_so_many_probe(autojump_clock: MockClock, network: Network) -> None:
    """While three probes hang a fourth request is rejected for a second; after their deadline others may probe."""
    network.blackholes.add("openai")
    async with network.bridge(circuit_breaker=True, connect_timeout=1.0) as bridge, trio.open_nursery() as nursery:
        for _ in range(5):
            await bridge.client.post(CHAT)
        network.blackholes.clear()
        await trio.sleep(31)

        async def hangs(request: Request, reply: Reply) -> None:
            await trio.sleep_forever()

        await network.answer("openai", hangs)
        for _ in range(3):
            nursery.start_soon(bridge.client.post, CHAT)
        await trio.sleep(1)
        answer = await bridge.client.post(CHAT)
        assert answer.headers["x-aibridge-reject"] == "circuit_open"
        assert 1000 <= int(answer.headers["retry-after-ms"]) <= 1200
        breaker = (await bridge.status())["providers"][0]["breaker"]
        assert (breaker["state"], breaker["probes"], breaker["max_probes"]) == ("half-open", 3, 3)
        await trio.sleep(30)
        assert (await bridge.status())["providers"][0]["breaker"]["probes"] == 0
        nursery.cancel_scope.cancel()


async def test_off_lets_everything_through_and_still_counts(autojump_clock: MockClock, network: Network) -> None:
    """Breakers are off by default."""
    await network.answer("openai", failing(503))
    async with network.bridge() as bridge:
        for _ in range(20):
            assert (await bridge.client.post(CHAT)).status_code == 503
        assert await bridge.metric("verdicts_total", provider="openai", verdict="failure") == 20
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 0


async def test_the_breaker_is_asked_before_the_body_is_read(autojump_clock: MockClock, network: Network) -> None:
    """A refused request costs no upload: the answer is there while the body still comes."""
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(5):
            await bridge.client.post(CHAT)
        stream = network.dial("bridge")
        await stream.send_all(
            b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: bridge\r\ncontent-length: 100000000\r\n\r\n"
        )
        with trio.fail_after(0.1):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 503")
        await stream.aclose()
