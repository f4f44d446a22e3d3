"""TLS over any stream."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any

import pytest
import trio
import trustme

from aibridge_trio.net import tls
from aibridge_trio.net.stream import CONNECTION_ERRORS, TCPStream
from aibridge_trio.net.tls import TLSServerStream
from tests.net.test_stream import pair, seen


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context, and one that trusts it."""
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    return server, client


async def secured(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> tuple[TLSServerStream, trio.SSLStream[Any]]:
    """Return a wire and its caller, behind the handshake."""
    near, far = pair()
    wire = TLSServerStream(TCPStream(far), contexts[0])
    client = trio.SSLStream(
        trio.SocketStream(trio.socket.from_stdlib_socket(near)), contexts[1], server_hostname="localhost"
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.handshake)
        await client.do_handshake()
    return wire, client


async def test_tls_carries_bytes_and_shows_leaving(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """A caller that leaves without close_notify is an error or an end, and nothing else."""
    wire, client = await secured(contexts)
    await client.send_all(b"hello")
    assert await wire.receive() == b"hello"
    assert wire.push(b"you") == 0
    await wire.send(b"you")
    assert await client.receive_some(10) == b"you"
    await trio.aclose_forcefully(client)
    await seen(wire)
    with suppress(*CONNECTION_ERRORS):
        assert await wire.receive() == b""
    wire.close()


async def test_tls_gives_all_records_that_are_there(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Events that have come together go on together, and a flood of small ones lets others run."""
    wire, client = await secured(contexts)
    for _ in range(20):
        await client.send_all(b"event")
    await trio.sleep(0.05)
    assert await wire.receive() == b"event" * 20
    await client.send_all(b"last")
    await client.aclose()
    await trio.sleep(0.05)
    assert (await wire.receive(), await wire.receive(), await wire.receive()) == (b"last", b"", b"")
    wire.close()


async def test_a_handshake_has_its_deadline(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that sends nothing is dropped after the timeout."""
    monkeypatch.setattr(tls, "_HANDSHAKE_TIMEOUT", 0.05)
    near, far = pair()
    wire = TLSServerStream(TCPStream(far), contexts[0])
    with trio.fail_after(5), pytest.raises(CONNECTION_ERRORS):
        await wire.handshake()
    wire.close()
    near.close()
