"""Access to the admin API: its token, and requests that web pages cause."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.admin.api import Admin
from aibridge_trio.config.settings import Address, Secret
from aibridge_trio.events import Bug, Overridden
from aibridge_trio.gateway.browser_origins import Origins
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.http.message import Request
from aibridge_trio.server.asgi import AsgiBody, AsgiReply, Message
from tests.support.network import Network

CHAT = "/openai/v1/chat/completions"
PAGES = ("/healthz", "/readyz", "/metrics", "/status", "/status/stream")


async def raw(network: Network, request: bytes) -> bytes:
    """Send bytes to the admin listener; return all that comes within a second."""
    stream = network.dial("admin")
    await stream.send_all(request)
    answer = b""
    with trio.move_on_after(0.9):
        while piece := await stream.receive_some():
            answer += piece
    await stream.aclose()
    return answer


TOKEN = Secret("operators-token")


@pytest.mark.parametrize("path", ["/metrics", "/status", "/status/stream", "/breakers/openai", "/nowhere"])
@pytest.mark.parametrize(
    "sent",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        ["Bearer wrong"],
        ["Bearer operators-toke"],
        ["Bearer operators-token2"],
        ["Bearer Operators-Token"],
        ["Basic operators-token"],
        ["operators-token"],
        ["Bearer \xe9"],
        ["Bearer wrong", "Bearer operators-token"],
    ],
)
async def test_without_the_token_all_but_health_is_401(
    autojump_clock: MockClock, network: Network, path: str, sent: list[str]
) -> None:
    """Without a token, with a wrong one or another scheme: 401 with WWW-Authenticate, before any other answer."""
    headers = [("authorization", value.strip().encode("latin-1")) for value in sent]
    async with network.bridge(admin_token=TOKEN, circuit_breaker=True) as bridge:
        answer = await bridge.admin.request(
            "POST" if path.startswith("/breakers") else "GET",
            path,
            headers=[(b"host", b"localhost"), *((name.encode(), value) for name, value in headers)],
        )
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert "operators" not in answer.text
        assert "aibridge_" not in answer.text
        assert bridge.published(Bug) == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_the_probes_ask_for_no_token(autojump_clock: MockClock, network: Network, path: str) -> None:
    """Orchestrators have none."""
    async with network.bridge(admin_token=TOKEN) as bridge:
        assert (await bridge.admin.get(path)).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_with_the_token_all_is_open(autojump_clock: MockClock, network: Network, scheme: str) -> None:
    """The scheme in any case."""
    headers = {"authorization": f"{scheme} operators-token"}
    async with network.bridge(admin_token=TOKEN, circuit_breaker=True) as bridge:
        for path in ("/metrics", "/status"):
            assert (await bridge.admin.get(path, headers=headers)).status_code == 200
        answer = await bridge.admin.post("/breakers/openai", json={"mode": "open"}, headers=headers)
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"localhost:4002",
        b"LocalHost:4002",
        b"admin",  # its own address, as the peer sees it
        b"ADMIN:80",
        b"bridge.internal",
        b"Bridge.Internal:4002",
        b"bridge.internal.",
        b"localhost.:4002",
    ],
)
async def test_its_own_names_are_answered(autojump_clock: MockClock, network: Network, host: bytes) -> None:
    """localhost, its own address and the host of --admin-bind: in any case, with any port or trailing dot."""
    async with network.bridge(admin_bind=Address("Bridge.Internal", 4002)):
        answer = await raw(network, b"GET /status HTTP/1.1\r\nhost: %s\r\n\r\n" % host)
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("own", "host", "status"),
    [
        ("::1", b"[::1]", b"200"),
        ("::1", b"[::1]:4002", b"200"),
        ("::1", b"[::2]:4002", b"403"),
        ("::1", b"::1", b"403"),
        ("2001:db8::A", b"[2001:DB8::a]:1", b"200"),
        ("127.0.0.1", b"127.0.0.1:4002", b"200"),
        ("127.0.0.1", b"127.0.0.2", b"403"),
    ],
)
async def test_addresses_are_names_too(
    autojump_clock: MockClock, network: Network, own: str, host: bytes, status: bytes
) -> None:
    """IPv6 stands in brackets, with or without a port."""
    async with network.bridge(admin_bind=Address(own, 4002)):
        answer = await raw(network, b"GET /healthz HTTP/1.1\r\nhost: %s\r\n\r\n" % host)
    assert answer.startswith(b"HTTP/1.1 %s " % status)


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"evil.example:4002",
        b"localhost.evil.example",
        b"evil.localhost",
        b"localhost@evil.example",
        b"evil.example:localhost",
        b"[localhost",
        b"127.0.0.1.nip.io",
        b"10.9.9.9",
        b":4002",
        b".",
        b"",
        b"[]",
    ],
)
@pytest.mark.parametrize("request_line", [b"GET /healthz", b"GET /status", b"POST /breakers/openai"])
async def test_a_foreign_host_is_403(
    autojump_clock: MockClock, network: Network, host: bytes, request_line: bytes
) -> None:
    """A page whose name was rebound to this address gets nothing, whatever it asks for."""
    async with network.bridge(circuit_breaker=True) as bridge:
        answer = await raw(
            network,
            b"%s HTTP/1.1\r\nhost: %s\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n"
            b'{"mode":"open"}' % (request_line, host),
        )
        assert bridge.published(Overridden) == []
    assert answer.startswith(b"HTTP/1.1 403 ")


async def test_a_missing_host_is_refused(autojump_clock: MockClock, network: Network) -> None:
    """HTTP/1.0 may leave it out, and gets 403; HTTP/1.1 may not, and gets 400."""
    async with network.bridge():
        assert (await raw(network, b"GET /status HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 403 ")
        assert (await raw(network, b"GET /status HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_behind_a_server_without_an_address_a_missing_host_is_refused_too() -> None:
    """An empty Host matches no name."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    nothing = cast(Any, None)
    admin = Admin(
        lifecycle=Lifecycle(),
        router=nothing,
        metrics=nothing,
        status=nothing,
        recent=nothing,
        publish=lambda _: None,
        origins=Origins(),
        host="bridge.internal",
        token=None,
    )
    for headers in ([], [(b"host", b"")], [(b"host", b":80")]):
        body = AsgiBody()
        body._ended.set()
        await admin.handle(Request("GET", b"/healthz", b"", headers, None, None, body), AsgiReply(send, body))
    assert [message["status"] for message in sent if "status" in message] == [403, 403, 403]


async def test_two_hosts_are_none(autojump_clock: MockClock, network: Network) -> None:
    """Two readers could believe different ones."""
    async with network.bridge():
        answer = await raw(network, b"GET /status HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_the_host_is_checked_before_the_token(autojump_clock: MockClock, network: Network) -> None:
    """A foreign web page does not learn that there is a token."""
    async with network.bridge(admin_token=TOKEN):
        answer = await raw(network, b"GET /status HTTP/1.1\r\nhost: evil.example\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"www-authenticate" not in answer.lower()
