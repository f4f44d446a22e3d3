"""The way through a proxy: by the same rules as our own, on httpx's transport."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress

import pytest
import trio
import trustme

from aibridge_trio.errors import CircuitOpen, UpstreamFault
from aibridge_trio.server.asgi import AsgiBody
from aibridge_trio.upstream.client import Timeouts, Upstream
from aibridge_trio.upstream.exchange import Outgoing
from aibridge_trio.upstream.transport import Transports
from tests.support.forward_proxy import a_proxy
from tests.support.unharmed import reset

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nall of it"

Speak = Callable[[socket.socket], None]


@contextmanager
def a_host(speak: Speak, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Let a function speak on each connection, in a thread of its own; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(sock: socket.socket) -> None:
            with suppress(OSError), context.wrap_socket(sock, server_side=True) if context else sock as stream:
                speak(stream)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    threading.Thread(target=serve, args=(sock,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@asynccontextmanager
async def way(url: str, proxy: str | None, context: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """Return a way to a base URL."""
    transports = Transports(None)
    if context:
        transports.__dict__["_context"] = context
    upstream = Upstream(url, transports(proxy), Timeouts(5.0, 5.0, 5.0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(upstream.run)
        try:
            yield upstream
        finally:
            await upstream.aclose()
            nursery.cancel_scope.cancel()


async def outcome_of(upstream: Upstream, *pieces: bytes, pause: float = 0.0) -> UpstreamFault | bytes:
    """Send these as a chunked body; return the answer's body, or what broke."""
    body = AsgiBody()
    outgoing = Outgoing("POST", b"/x", [], body, None, chunked=True, max_body=10_000_000)
    async with trio.open_nursery() as nursery:

        async def feed() -> None:
            for piece in pieces:
                await body._send_channel.send(piece)
                await trio.sleep(pause)
            body._send_channel.close()

        nursery.start_soon(feed)
        heard = b""
        try:
            async with upstream.send(outgoing, lambda: None) as response:
                while piece := await response.read():
                    heard += piece
        except UpstreamFault as fault:
            return fault
        finally:
            nursery.cancel_scope.cancel()
    return heard


def until_the_end(sock: socket.socket) -> None:
    """Read a chunked request."""
    heard = b""
    while b"0\r\n\r\n" not in heard:
        if not (piece := sock.recv(65536)):
            raise OSError
        heard += piece


def hangs_up_early(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.close()


def resets_early(sock: socket.socket) -> None:
    sock.recv(65536)
    reset(sock)


def hangs_up(sock: socket.socket) -> None:
    until_the_end(sock)
    sock.close()


def once(sock: socket.socket) -> None:
    """Answer, and end a kept connection under the next request."""
    until_the_end(sock)
    sock.sendall(OK)
    until_the_end(sock)


@pytest.mark.real
@pytest.mark.parametrize("through", ["proxy", "pool"])
@pytest.mark.parametrize(("speak", "neutral"), [(hangs_up_early, True), (resets_early, True), (hangs_up, False)])
async def test_an_unfinished_request_that_is_lost_says_nothing(through: str, speak: Speak, neutral: bool) -> None:
    """Through a proxy as without: its caller was slow; a request that was whole is another matter."""
    with a_proxy() as proxy, a_host(speak) as port:
        async with way(f"http://127.0.0.1:{port}", proxy.url() if through == "proxy" else None) as upstream:
            # Through the proxy a loss shows three writes later: its host's end, its own end, the reset.
            fault = await outcome_of(upstream, *[b"piece"] * 6, pause=0.3)
    assert isinstance(fault, UpstreamFault)
    assert (fault.phase, fault.neutral) == ("head", neutral)
    assert fault.detail in ("closed before the head", "reset by peer")


@pytest.mark.real
@pytest.mark.parametrize("through", ["proxy", "pool"])
@pytest.mark.parametrize(("size", "neutral"), [(100_000, True), (10_000, False)])
async def test_a_long_upload_that_is_reset_at_its_end_says_nothing(through: str, size: int, neutral: bool) -> None:
    """What was taken by kernels on the way need not have come; a short request has."""

    def resets(sock: socket.socket) -> None:
        sock.recv(1000)
        time.sleep(0.2)
        reset(sock)

    with a_host(resets) as port:
        url = f"http://127.0.0.1:{port}"
        way_out = way("http://provider.test", url) if through == "proxy" else way(url, None)
        async with way_out as upstream:
            fault = await outcome_of(upstream, bytes(size))
    assert isinstance(fault, UpstreamFault)
    assert (fault.phase, fault.detail, fault.neutral) == ("head", "reset by peer", neutral)


@pytest.mark.real
async def test_a_kept_connection_that_ends_says_nothing() -> None:
    """The proxy's as well as the provider's."""

    def speak(sock: socket.socket) -> None:  # a proxy that answers by itself
        once(sock)

    with a_host(speak) as port:
        async with way("http://provider.test", f"http://127.0.0.1:{port}") as upstream:
            assert await outcome_of(upstream, b"one") == b"{}"
            fault = await outcome_of(upstream, b"two")
            assert isinstance(fault, UpstreamFault)
            assert (fault.phase, fault.neutral, fault.timeout) == ("head", True, False)


@pytest.mark.real
@pytest.mark.parametrize("close_notify", [True, False])
@pytest.mark.parametrize("through", ["proxy", "pool"])
async def test_an_answer_that_ends_with_its_connection_needs_a_close_notify(
    through: str, close_notify: bool
) -> None:
    """Over TLS an answer that ends without close_notify is broken: an attacker may have cut it (RFC 9112, 9.8)."""
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)

    def speak(sock: socket.socket) -> None:
        assert isinstance(sock, ssl.SSLSocket)
        until_the_end(sock)
        sock.sendall(UNTIL_CLOSE)
        if close_notify:
            with suppress(OSError):
                sock.unwrap()

    with a_proxy() as proxy, a_host(speak, server) as port:
        there = proxy.url() if through == "proxy" else None
        async with way(f"https://127.0.0.1:{port}", there, client) as upstream:
            answer = await outcome_of(upstream, b"one")
    if close_notify:
        assert answer == b"all of it"
    else:
        assert isinstance(answer, UpstreamFault)
        assert (answer.phase, answer.detail) == ("stream", "it ended without a close_notify")


@pytest.mark.real
@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "proxy answered 407"),
        (b"HTTP/1.1 502 sk-secret\r\ncontent-length: 0\r\n\r\n", "proxy answered 502"),
    ],
)
async def test_what_a_proxy_refuses_is_said_by_its_status(said: bytes, detail: str) -> None:
    """Its status alone: the rest is its own text."""

    def speak(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(said)

    with a_host(speak) as port:
        async with way("https://provider.test", f"http://user:secret@127.0.0.1:{port}") as upstream:
            fault = await outcome_of(upstream, b"one")
    assert isinstance(fault, UpstreamFault)
    assert (fault.phase, fault.detail, fault.neutral) == ("connect", detail, False)


@pytest.mark.real
async def test_a_certificate_that_does_not_hold_says_why() -> None:
    """With a proxy or without."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(server)
    with a_proxy() as proxy, a_host(lambda sock: None, server) as port:
        for there in (proxy.url(), None):
            async with way(f"https://127.0.0.1:{port}", there) as upstream:
                fault = await outcome_of(upstream, b"one")
            assert isinstance(fault, UpstreamFault)
            assert (fault.phase, fault.neutral) == ("connect", False)
            assert fault.detail.startswith("certificate verify failed: unable to get local issuer certificate")


async def _pieces(*pieces: bytes) -> AsyncGenerator[bytes]:
    for piece in pieces:
        yield piece
        await trio.sleep(0.05)


@pytest.mark.real
@pytest.mark.parametrize("through", ["proxy", "pool"])
@pytest.mark.parametrize(("chunked", "length"), [(True, None), (False, 6), (False, 0), (False, None)])
async def test_what_completes_a_request_waits_for_leave(through: str, chunked: bool, length: int | None) -> None:
    """What says no just before ends the request, and the provider has not seen it whole."""
    heard = bytearray()
    ended = threading.Event()

    def listens(sock: socket.socket) -> None:
        while piece := sock.recv(65536):
            heard.extend(piece)
        ended.set()

    def refuse() -> None:
        raise CircuitOpen("openai", "failures", 1.0)

    pieces = [b"one", b"two"] if chunked or length else []
    with a_proxy() as proxy, a_host(listens) as port:
        url = f"http://127.0.0.1:{port}"
        way_out = way(url, proxy.url() if through == "proxy" else None)
        async with aclosing(_pieces(*pieces)) as body, way_out as upstream:
            outgoing = Outgoing("POST", b"/x", [], body, length, chunked=chunked, max_body=100)
            with pytest.raises(CircuitOpen):
                await upstream.send(outgoing, lambda: None, on_completing=refuse).__aenter__()
            if chunked or length:
                await trio.to_thread.run_sync(ended.wait, 10.0)
    assert ended.is_set() is bool(chunked or length)
    assert b"two" not in heard if length else b"0\r\n\r\n" not in heard
    assert bool(heard) is bool(chunked or length)
