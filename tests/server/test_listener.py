"""Where callers connect: ports, IPv4 beside IPv6, unix sockets and their files. Real sockets of this machine."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest
import trio

from aibridge_trio.errors import UsageError
from aibridge_trio.net.stream import ServerStream
from aibridge_trio.server.listener import SocketListener, take
from aibridge_trio.server.unix_listener import UnixListener


def opened(path: str, mode: int = 0o660) -> UnixListener:
    """Listen on a unix socket."""
    return UnixListener(path, mode, None, option="--bind")


def call(path: str) -> socket.socket:
    """Connect to a unix socket."""
    caller = socket.socket(socket.AF_UNIX)
    caller.connect(path)
    return caller


# IPv6 and IPv4


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
async def test_every_ipv6_address_is_every_ipv4_address_too() -> None:
    """`[::]` serves callers of both kinds; IPv4 ones are known by their IPv4 addresses, and so are we."""
    sock = take("::", 0, option="--bind")
    listener = SocketListener(sock, None)
    port = sock.getsockname()[1]
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, port)) as caller:
            wire = await listener.accept()
            assert wire.peer == caller.getsockname()[:2]
            assert wire.local == (host, port)
            wire.close()
    listener.close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_ipv6_alone_leaves_the_ipv4_port_to_others() -> None:
    """Beside an IPv4 address of the same port, `[::]` is IPv6 only; any other IPv6 address always is."""
    with take("127.0.0.1", 0, option="a") as ipv4:
        port = ipv4.getsockname()[1]
        with pytest.raises(UsageError, match=rf"--bind: cannot listen on \[::\]:{port}: the port is in use"):
            take("::", port, option="--bind")
        take("::", port, option="--bind", dual=False).close()
        take("::1", port, option="--bind").close()


def test_accepted_connections_have_keepalive() -> None:
    """A caller behind NAT that is silent is asked every minute whether it is there."""
    with take("127.0.0.1", 0, option="a") as sock, socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            interval = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
            probes = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
            assert idle == 60
            # The kernel ends keepalive early where this is shorter.
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) >= 1000 * (
                idle + interval * probes
            )


async def test_processes_that_share_a_socket_share_a_burst() -> None:
    """None of them takes all connections that wait, though none of the others is busy."""
    burst = 16
    accepted: list[list[ServerStream]] = [[], []]

    async def accept(sock: socket.socket, mine: list[ServerStream]) -> None:
        listener = SocketListener(sock, None)
        while True:
            mine.append(await listener.accept())
            if sum(map(len, accepted)) == burst:
                nursery.cancel_scope.cancel()

    with take("127.0.0.1", 0, option="a") as sock, sock.dup() as other, ExitStack() as callers:
        for _ in range(burst):
            callers.enter_context(socket.create_connection(sock.getsockname()))
        async with trio.open_nursery() as nursery:
            for each, mine in zip((sock, other), accepted, strict=True):
                nursery.start_soon(accept, each, mine)
        for stream in (*accepted[0], *accepted[1]):
            stream.close()
    assert min(map(len, accepted)) >= burst // 4


# Unix sockets
