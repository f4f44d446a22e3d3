"""What the bridge says no with: every reason, in every dialect, through the whole path."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.http.message import Reply, Request
from tests.support.network import Network, Running

JSON = [(b"content-type", b"application/json")]
WAITS = {"retry-after-ms", "retry-after"}
RATE = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}


@dataclass(frozen=True)
class Way:
    """A first segment: where it leads, whose dialect it speaks."""

    segment: str
    intercepted: str
    anthropic: bool = False

    def __str__(self) -> str:
        return self.segment


OPENAI = Way("openai", "/openai/v1/chat/completions")
ANTHROPIC = Way("anthropic", "/anthropic/v1/messages", anthropic=True)
COPILOT = Way("copilot", "/copilot/chat/completions")
UNKNOWN = Way("nowhere", "/nowhere/v1/messages")
KNOWN = (OPENAI, ANTHROPIC, COPILOT)
ALL = (*KNOWN, UNKNOWN)

# status → type
OPENAI_SAYS = {
    400: "invalid_request_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
    426: "invalid_request_error",
    429: "rate_limit_error",
    502: "server_error",
    503: "service_unavailable_error",
    504: "server_error",
}
ANTHROPIC_SAYS = {
    400: "invalid_request_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    426: "invalid_request_error",
    429: "rate_limit_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def each(*ways: Way) -> pytest.MarkDecorator:
    """Run a test for each of these first segments."""
    return pytest.mark.parametrize("way", ways, ids=str)


def assert_reject(
    answer: httpx.Response,
    way: Way,
    status: int,
    reason: str,
    message: str,
    *,
    wait: float | None = None,
    more: frozenset[str] | set[str] = frozenset(),
    final: bool = False,
) -> None:
    """Hold a reject to all that is promised of it: no header more, no key less."""
    assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (status, reason)
    assert answer.headers["content-type"] == "application/json"
    request_id = answer.headers["x-request-id"]
    said = answer.json()
    if way.anthropic:
        error: dict[str, Any] = {"type": ANTHROPIC_SAYS[status], "message": message}
        assert said == {"type": "error", "message": message, "error": error, "request_id": request_id}
    else:
        error = {"message": message, "type": OPENAI_SAYS[status], "param": None, "code": reason}
        assert said == {"message": message, "error": error}
    told = parsedate_to_datetime(answer.headers["date"])
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=1)
    names = {"content-type", "x-aibridge-reject", "x-request-id", "date", "content-length", *more}
    if wait is not None:
        names |= WAITS
        milliseconds = int(answer.headers["retry-after-ms"])
        assert math.floor(wait * 1000) <= milliseconds <= math.ceil(wait * 1200)
        assert int(answer.headers["retry-after"]) == max(1, math.ceil(milliseconds / 1000))
        if milliseconds > 60_000:
            names.add("x-should-retry")
            assert answer.headers["x-should-retry"] == "false"
    if final or status in (400, 403, 404, 405, 413, 426):
        names.add("x-should-retry")
        assert answer.headers["x-should-retry"] == "false"
    keys = [name.decode().lower() for name, _ in answer.headers.raw]
    assert sorted(keys) == sorted(names)


async def endless(_: Request, reply: Reply) -> None:
    """Stream an event a second, for ever."""
    await reply.start(200, [(b"content-type", b"text/event-stream")])
    while True:
        await reply.send(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
        await trio.sleep(1)


async def overloaded(_: Request, reply: Reply) -> None:
    """Say that it is too much."""
    await reply.answer(503, JSON, b"{}")


async def ok(request: Request, reply: Reply) -> None:
    """Answer 200, once all has been read: an earlier answer would go to the caller."""
    async for _ in request.body:
        pass
    await reply.answer(200, JSON, b"{}")


async def fill(network: Network, bridge: Running, nursery: trio.Nursery) -> None:
    """Take the bridge's only slot."""
    await network.answer("openai", endless)
    nursery.start_soon(network.client("bridge", address="10.0.0.3").post, OPENAI.intercepted)
    await trio.sleep(0.5)
    assert bridge.bridge.admission.statistics().in_flight == 1


# Every row


@each(*ALL)
async def test_capacity(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """Full is 503, come back in a second; the first segment chooses the dialect before anything is checked."""
    async with network.bridge(max_concurrency=1) as bridge, trio.open_nursery() as nursery:
        await fill(network, bridge, nursery)
        answer = await bridge.client.post(way.intercepted)
        message = "AI Bridge is currently at capacity. Please try again later."
        assert_reject(answer, way, 503, "capacity", message, wait=1.0)
        nursery.cancel_scope.cancel()


@each(*ALL)
async def test_rate_limit(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """Too many is 429, come back when this caller is next admitted, and the budget is told."""
    async with network.bridge(rate_limit=2) as bridge:
        await bridge.client.get("/")
        await trio.sleep(0.4)
        await bridge.client.get("/")
        await trio.sleep(0.2)
        answer = await bridge.client.post(way.intercepted)
        message = "You've been rate limited. Please try again later."
        assert_reject(answer, way, 429, "rate_limit", message, wait=0.4, more=RATE)
        assert [answer.headers[name] for name in sorted(RATE)] == ["2", "0", "1"]
        await trio.sleep(int(answer.headers["retry-after-ms"]) / 1000)
        assert (await bridge.client.get("/")).status_code == 200


@each(*KNOWN)
async def test_circuit_open_by_overload(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """Opened by a status, it says so by the provider's name, and how much of the cooldown is left."""
    await network.answer(way.segment, overloaded)
    options = {"circuit_breaker_failure_threshold": 1, "circuit_breaker_cooldown": 20.0}
    async with network.bridge(circuit_breaker=True, **options) as bridge:
        await bridge.client.post(way.intercepted)
        message = f"{way.segment} is currently unavailable due to upstream rate limiting. Please try again later."
        for left in (20.0, 15.0, 10.0, 5.0):
            answer = await bridge.client.post(way.intercepted)
            assert_reject(answer, way, 503, "circuit_open", message, wait=left)
            await trio.sleep(5)


@each(*KNOWN)
async def test_circuit_open_by_failures(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """Opened by failures without a status, it does not speak of rate limiting."""
    async with network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=1) as bridge:
        assert (await bridge.client.post(way.intercepted)).status_code == 502
        answer = await bridge.client.post(way.intercepted)
        message = f"{way.segment} is currently unavailable due to upstream failures. Please try again later."
        assert_reject(answer, way, 503, "circuit_open", message, wait=30.0)


@each(*KNOWN)
async def test_circuit_open_by_the_operator(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """Forced open has no end that could be told, so there is no Retry-After."""
    async with network.bridge(circuit_breaker=True) as bridge:
        await bridge.admin.post(f"/breakers/{way.segment}", json={"mode": "open"})
        answer = await bridge.client.post(way.intercepted)
        message = f"{way.segment} was taken out of service by its operator. Please try again later."
        assert_reject(answer, way, 503, "circuit_open", message, final=True)


@each(*KNOWN)
async def test_body_announced_too_large(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """It is 413 and names the limit; waiting does not make a body shorter."""
    async with network.bridge(max_body=10) as bridge:
        answer = await bridge.client.post(way.intercepted, content=b"x" * 11)
        message = "request body larger than the limit of 10 bytes"
        assert_reject(answer, way, 413, "body_too_large", message)


@each(*KNOWN)
async def test_body_found_too_large(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """Without a length it is the same 413, as soon as it is too much."""

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 6
        yield b"x" * 6

    await network.answer(way.segment, ok)
    async with network.bridge(max_body=10) as bridge:
        answer = await bridge.client.post(way.intercepted, content=body())
        message = "request body larger than the limit of 10 bytes"
        assert_reject(answer, way, 413, "body_too_large", message)


@each(*ALL)
async def test_not_found(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """It repeats method and path as they came, without the query."""
    async with network.bridge() as bridge:
        answer = await bridge.client.get(f"/{way.segment}/v1/nothing%20x?secret=1")
        message = f"route not supported: GET /{way.segment}/v1/nothing%20x"
        assert_reject(answer, way, 404, "not_found", message)


@each(*ALL)
async def test_method_not_allowed(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """TRACE would show a caller's headers to others."""
    async with network.bridge() as bridge:
        answer = await bridge.client.request("TRACE", way.intercepted)
        assert_reject(answer, way, 405, "method_not_allowed", "method not allowed: TRACE", more={"allow"})


async def test_connect_is_no_tunnel(autojump_clock: MockClock, network: Network) -> None:
    """A proxy for APIs opens no tunnels: 405, in OpenAI's dialect, and nobody is dialled."""
    async with network.bridge() as bridge:
        answer = await raw(network, b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 405 ")
        assert b"x-aibridge-reject: method_not_allowed" in answer
        assert b'"error": {"message": "method not allowed: CONNECT"' in answer
        assert bridge.bridge.admission.statistics().in_flight == 0
    assert network.dialled == ["bridge"]


@each(*ALL)
@pytest.mark.parametrize("protocol", ["websocket", "WebSocket", "h2c, websocket/13"])
async def test_upgrade_refused(autojump_clock: MockClock, network: Network, way: Way, protocol: str) -> None:
    """A WebSocket is 426, which names what is spoken here, in the dialect of its path."""
    async with network.bridge() as bridge:
        answer = await bridge.client.get(
            way.intercepted,
            headers={
                "upgrade": protocol,
                "connection": "upgrade",
                "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
                "sec-websocket-version": "13",
            },
        )
        message = "WebSockets are not supported; use plain HTTP requests"
        assert_reject(answer, way, 426, "upgrade_refused", message, more={"upgrade", "connection"})
        assert (answer.headers["upgrade"], answer.headers["connection"]) == ("HTTP/1.1", "upgrade")


WEBSOCKET = {"upgrade": "websocket", "connection": "upgrade", "authorization": ""}


@each(*ALL)
async def test_a_websocket_spends_nothing(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """It is refused before slot, credential and rate: a full bridge says 426 too, and the rate is all left."""
    options = {"max_concurrency": 1, "rate_limit": 1}
    async with network.bridge(**options) as bridge, trio.open_nursery() as nursery:
        await fill(network, bridge, nursery)
        for _ in range(3):
            answer = await bridge.client.get(way.intercepted, headers=WEBSOCKET)
            assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (426, "upgrade_refused")
            assert not RATE & answer.headers.keys()
        nursery.cancel_scope.cancel()
    async with network.bridge(rate_limit=1) as bridge:
        assert (await bridge.client.get(way.intercepted, headers=WEBSOCKET)).status_code == 426
        assert (await bridge.client.get("/")).status_code == 200


@pytest.mark.parametrize("protocol", ["h2c", "foo/2", "TLS/1.2, HTTP/2.0", "", "not-websocket", "connect-udp"])
async def test_other_offers_are_ignored(autojump_clock: MockClock, network: Network, protocol: str) -> None:
    """A server may ignore an offer (RFC 9110, 7.8), and this one goes on in HTTP/1.1."""
    seen: list[Request] = []

    async def provider(request: Request, reply: Reply) -> None:
        seen.append(request)
        await ok(request, reply)

    await network.answer("openai", provider)
    async with network.bridge() as bridge:
        headers = {"upgrade": protocol, "connection": "upgrade, http2-settings", "http2-settings": "AAMAAABk"}
        answer = await bridge.client.get("/openai/v1/models", headers=headers)
    assert answer.status_code == 200
    assert not {"upgrade", "http2-settings"} & {name.decode() for name, _ in seen[0].headers}


async def test_http_2_is_no_way_round(autojump_clock: MockClock, network: Network) -> None:
    """An upgrade to HTTP/2 in the clear is ignored: no 101 goes out."""
    await network.answer("openai", ok)
    async with network.bridge():
        answer = await raw(
            network,
            b"GET /openai/v1/models HTTP/1.1\r\nhost: bridge\r\nconnection: upgrade, http2-settings\r\n"
            b"upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n",
        )
        assert answer.startswith(b"HTTP/1.1 200 ")
        answer = await raw(network, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


async def test_a_refused_websocket_says_that_its_connection_is_over(
    autojump_clock: MockClock, network: Network
) -> None:
    """A connection is either kept or said to be closing: a pool must not find out with its next request."""
    async with network.bridge() as bridge:
        answer = await bridge.client.get(
            "/openai/v1/responses",
            headers={
                "upgrade": "websocket",
                "connection": "upgrade",
                "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
                "sec-websocket-version": "13",
            },
        )
        assert answer.status_code == 426
        assert (await bridge.client.get("/")).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "message"),
    [
        (
            "/%2e%2e/x",
            [],
            "path with a dot segment, a double slash, a backslash or the like, plain or encoded",
        ),
        ("/v1", [("x-api-key", "a"), ("x-api-key", "b")], "repeated credential header: X-Api-Key"),
        ("/v1", [("authorization", "Bearer")], "empty credential header: Authorization"),
        ("/v1", [("authorization", "")], "empty credential header: Authorization"),
        ("/v1", [("authorization", "Bearer x"), ("x-api-key", "")], "empty credential header: X-Api-Key"),
    ],
)
async def test_bad_request(
    autojump_clock: MockClock, network: Network, path: str, headers: list[tuple[str, str]], message: str
) -> None:
    """In every dialect it says what is malformed, and never repeats a credential."""
    async with network.bridge() as bridge:
        for way in ALL:
            answer = await bridge.client.get(f"/{way.segment}{path}", headers=headers)
            assert_reject(answer, way, 400, "bad_request", message)


@each(*KNOWN)
async def test_upstream_unreachable(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """502 says which phase failed: nobody there, or gone before an answer."""

    async def hang_up(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.aclose()

    async with network.bridge() as bridge:
        answer = await bridge.client.post(way.intercepted)
        message = f"{way.segment} could not be reached (phase: connect)"
        assert_reject(answer, way, 502, "upstream_unreachable", message)
        network.raw(way.segment, hang_up)
        answer = await bridge.client.post(way.intercepted)
        message = f"{way.segment} failed before its answer began (phase: head)"
        assert_reject(answer, way, 502, "upstream_unreachable", message)


@each(*KNOWN)
async def test_upstream_timeout(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """504 says which phase took too long."""

    async def silent(_request: Request, _reply: Reply) -> None:
        await trio.sleep_forever()

    network.blackholes.add(way.segment)
    async with network.bridge(connect_timeout=1.0, first_byte_timeout=1.0) as bridge:
        answer = await bridge.client.post(way.intercepted)
        message = f"{way.segment} did not accept a connection in time (phase: connect)"
        assert_reject(answer, way, 504, "upstream_timeout", message)
        network.blackholes.clear()
        await network.answer(way.segment, silent)
        answer = await bridge.client.post(way.intercepted)
        message = f"{way.segment} did not begin to answer in time (phase: head)"
        assert_reject(answer, way, 504, "upstream_timeout", message)


@each(*ALL)
async def test_shutting_down(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """When it stops: 503, come back in a second."""
    async with network.bridge() as bridge:
        bridge.bridge.lifecycle.phase = "stopping"
        answer = await bridge.client.post(way.intercepted)
        message = "AI Bridge is shutting down. Please try again."
        assert_reject(answer, way, 503, "shutting_down", message, wait=1.0, more={"connection"})
        assert answer.headers["connection"] == "close"


async def test_shutting_down_closes_the_connection(autojump_clock: MockClock, network: Network) -> None:
    """What the header says is also done: the stream ends after the answer."""
    async with network.bridge() as bridge:
        bridge.bridge.lifecycle.phase = "stopping"
        with trio.fail_after(0.1):
            answer = await raw(network, b"GET /anthropic HTTP/1.1\r\nhost: bridge\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"type": "overloaded_error"' in answer


async def raw(network: Network, request: bytes) -> bytes:
    """Send bytes to the bridge; return all that comes until it closes, or is silent for a second."""
    stream = network.dial("bridge")
    await stream.send_all(request)
    answer = b""
    with trio.move_on_after(1):
        while piece := await stream.receive_some():
            answer += piece
    await stream.aclose()
    return answer


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
    """Of a path that is refused for whatever reason, the first segment as it came decides, and it alone."""
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
    """Also what is refused can be found again; an insane id is replaced, not repeated."""
    async with network.bridge() as bridge:
        for way in ALL:
            answer = await bridge.client.get(f"/{way.segment}/none", headers={"x-request-id": "mine"})
            assert answer.headers.get_list("x-request-id") == ["mine"]
            assert answer.json().get("request_id") == ("mine" if way.anthropic else None)
            answer = await bridge.client.get(f"/{way.segment}/none", headers={"x-request-id": "a b"})
            assert answer.headers["x-request-id"] != "a b"


# When to come back


def jitter(fraction: float) -> Callable[[float, float], float]:
    """Return a `random.uniform` that always draws at this fraction of its range."""
    return lambda least, most: least + (most - least) * fraction


async def opened(network: Network, cooldown: float) -> httpx.Response:
    """Return the reject at the very moment when a breaker has opened for this long."""
    options = {"circuit_breaker_failure_threshold": 1, "circuit_breaker_cooldown": cooldown}
    async with network.bridge(circuit_breaker=True, **options) as bridge:
        await bridge.client.post(OPENAI.intercepted)
        return await bridge.client.post(OPENAI.intercepted)


@pytest.mark.parametrize(
    ("wait", "told"),
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
    told: tuple[int, int, str | None],
) -> None:
    """Early is worse than late, and above a minute no SDK shall sleep inside the call."""
    cooldown, fraction = wait
    monkeypatch.setattr(random, "uniform", jitter(fraction))
    headers = (await opened(network, cooldown)).headers
    assert (int(headers["retry-after-ms"]), int(headers["retry-after"])) == told[:2]
    assert headers.get("x-should-retry") == told[2]


async def test_the_jitter_spreads_callers_over_a_fifth(autojump_clock: MockClock, network: Network) -> None:
    """Those who were told together don't come back together, none early, none later than by a fifth."""
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
    """Answers, probes and rejects after the count tell it; what never came to the count does not."""
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
            told = [int(answer.headers[f"x-ratelimit-{name}"]) for name in ("limit", "remaining", "reset")]
            assert told == [5, left, 1]
        twice = await bridge.client.get("/", headers=[("x-api-key", "a"), ("x-api-key", "b")])
        assert twice.status_code == 400
        assert not RATE & twice.headers.keys()
        bridge.bridge.lifecycle.phase = "stopping"
        assert not RATE & (await bridge.client.get("/")).headers.keys()


async def test_without_a_rate_limit_no_budget_is_told(autojump_clock: MockClock, network: Network) -> None:
    """Off is off."""
    await network.answer("openai", ok)
    async with network.bridge() as bridge:
        for answer in (await bridge.client.post(OPENAI.intercepted), await bridge.client.get("/nowhere")):
            assert not RATE & answer.headers.keys()
