"""What the bridge says no with: every reason, in every dialect, through the whole path."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.http.message import Reply, Request
from tests.support.network import Network
from tests.support.rejected import ALL, KNOWN, RATE, Way, assert_reject, each, fill, ok, overloaded, raw

# Every row


@each(*ALL)
async def test_capacity(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """A full bridge answers 503 with a wait of a second, in the dialect of the path's first segment."""
    async with network.bridge(max_concurrency=1) as bridge, trio.open_nursery() as nursery:
        await fill(network, bridge, nursery)
        answer = await bridge.client.post(way.intercepted)
        message = "AI Bridge is currently at capacity. Please try again later."
        assert_reject(answer, way, 503, "capacity", message, wait=1.0)
        nursery.cancel_scope.cancel()


@each(*ALL)
async def test_rate_limit(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """A caller above its rate gets 429, with the time of its next admission and the rate's headers."""
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
    """A breaker that a status opened names the provider, and says how much of the cooldown is left."""
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
    """A breaker that failures without a status opened does not speak of rate limiting."""
    async with network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=1) as bridge:
        assert (await bridge.client.post(way.intercepted)).status_code == 502
        answer = await bridge.client.post(way.intercepted)
        message = f"{way.segment} is currently unavailable due to upstream failures. Please try again later."
        assert_reject(answer, way, 503, "circuit_open", message, wait=30.0)


@each(*KNOWN)
async def test_circuit_open_by_the_operator(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """A breaker that is forced open has no known end, so there is no Retry-After."""
    async with network.bridge(circuit_breaker=True) as bridge:
        await bridge.admin.post(f"/breakers/{way.segment}", json={"mode": "open"})
        answer = await bridge.client.post(way.intercepted)
        message = f"{way.segment} was taken out of service by its operator. Please try again later."
        assert_reject(answer, way, 503, "circuit_open", message, final=True)


@each(*KNOWN)
async def test_body_announced_too_large(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """An announced body that is too long gets 413, which names the limit and no wait."""
    async with network.bridge(max_body=10) as bridge:
        answer = await bridge.client.post(way.intercepted, content=b"x" * 11)
        message = "request body larger than the limit of 10 bytes"
        assert_reject(answer, way, 413, "body_too_large", message)


@each(*KNOWN)
async def test_body_found_too_large(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """A body without a length gets the same 413, as soon as it is too long."""

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
    """A 404 repeats method and path as they came, without the query."""
    async with network.bridge() as bridge:
        answer = await bridge.client.get(f"/{way.segment}/v1/nothing%20x?secret=1")
        message = f"route not supported: GET /{way.segment}/v1/nothing%20x"
        assert_reject(answer, way, 404, "not_found", message)


@each(*ALL)
async def test_method_not_allowed(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """TRACE is refused with 405, because it would show a caller's headers to others."""
    async with network.bridge() as bridge:
        answer = await bridge.client.request("TRACE", way.intercepted)
        assert_reject(answer, way, 405, "method_not_allowed", "method not allowed: TRACE", more={"allow"})


async def test_connect_is_no_tunnel(autojump_clock: MockClock, network: Network) -> None:
    """A proxy for APIs opens no tunnels: 405, in OpenAI's dialect, and no host is dialled."""
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
    """A WebSocket gets 426, which names the protocol spoken here, in the dialect of its path."""
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
    """A WebSocket is refused before slot, credential and rate: a full bridge answers 426 too."""
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
    """A 400 says what is malformed, in every dialect, and never repeats a credential."""
    async with network.bridge() as bridge:
        for way in ALL:
            answer = await bridge.client.get(f"/{way.segment}{path}", headers=headers)
            assert_reject(answer, way, 400, "bad_request", message)


@each(*KNOWN)
async def test_upstream_unreachable(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """502 says which phase failed: no connection, or broken before an answer."""

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
    """A bridge that stops answers 503, with a wait of a second."""
    async with network.bridge() as bridge:
        bridge.bridge.lifecycle.phase = "stopping"
        answer = await bridge.client.post(way.intercepted)
        message = "AI Bridge is shutting down. Please try again."
        assert_reject(answer, way, 503, "shutting_down", message, wait=1.0, more={"connection"})
        assert answer.headers["connection"] == "close"


async def test_shutting_down_closes_the_connection(autojump_clock: MockClock, network: Network) -> None:
    """The connection ends after the answer, as its header says."""
    async with network.bridge() as bridge:
        bridge.bridge.lifecycle.phase = "stopping"
        with trio.fail_after(0.1):
            answer = await raw(network, b"GET /anthropic HTTP/1.1\r\nhost: bridge\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"type": "overloaded_error"' in answer
