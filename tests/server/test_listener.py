"""Where callers connect: ports, IPv4 beside IPv6, unix sockets and their files. Real sockets of this machine."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio

from aibridge_trio.errors import UsageError
from aibridge_trio.server.listener import SocketListener, take
from aibridge_trio.server.unix_listener import UnixListener


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    """A socket's path that is short enough."""
    short = Path(f"/tmp/aibridge-test-{os.getpid()}")  # pytest's own may be too long
    short.mkdir(mode=0o700)
    yield str(short / "socket")
    for left in short.iterdir():
        left.unlink()
    short.rmdir()


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


# Unix sockets


@pytest.mark.parametrize("mode", [0o600, 0o666])
async def test_a_unix_socket_serves_callers_without_addresses(path: str, mode: int) -> None:
    """Its file has the mode that was asked for, whatever the umask; it is gone at the end."""
    before = os.umask(0o077)
    try:
        listener = opened(path, mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path(path).stat().st_mode) == mode
    with call(path) as caller:
        wire = await listener.accept()
        assert (wire.peer, wire.local, wire.secure) == (None, None, False)
        caller.sendall(b"ping")
        assert await wire.receive() == b"ping"
        assert wire.push(b"pong") == 4
        assert caller.recv(9) == b"pong"
        assert not wire.peer_left()
        caller.close()
        assert wire.peer_left()
        wire.reset()
    listener.close()
    assert not os.path.lexists(path)
    listener.close()


async def test_what_an_ended_process_left_behind_is_replaced(path: str) -> None:
    """A socket's file on which no program listens is in nobody's way."""
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(path)
        dead.listen()
    listener = opened(path)
    with call(path):
        (await listener.accept()).close()
    listener.close()


def test_a_socket_in_use_is_left_alone(path: str) -> None:
    """A program that listens keeps its socket, be its queue full or not."""
    with closing(socket.socket(socket.AF_UNIX)) as other:
        other.bind(path)
        other.listen(0)
        for _ in range(3):
            with pytest.raises(UsageError, match=f"--bind: cannot listen on unix:{path}: the socket is in use"):
                opened(path)
        assert Path(path).exists()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_left_alone(path: str, kind: str) -> None:
    """A typo in the path removes nothing."""
    here = Path(path)
    if kind == "directory":
        here.mkdir()
    elif kind == "link":
        here.symlink_to("nowhere")
    else:
        here.write_text("precious")
    with pytest.raises(UsageError, match="is no socket"):
        opened(path)
    assert os.path.lexists(path)
    if kind == "directory":
        here.rmdir()


def test_a_directory_that_is_not_there_is_a_mistake(path: str) -> None:
    """The reason is said in plain words."""
    with pytest.raises(UsageError, match="there is no such directory"):
        opened(f"{path}/x/y")


async def test_a_successors_file_is_not_removed(path: str) -> None:
    """Who was replaced takes nothing away."""
    first = opened(path)
    Path(path).unlink()
    second = opened(path)
    first.close()
    assert Path(path).exists()
    second.close()
    assert not os.path.lexists(path)


def test_a_socket_that_cannot_be_opened_leaves_no_file(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a start leaves nothing behind."""

    def chmod(*_: object) -> None:
        raise PermissionError(1, "no")

    monkeypatch.setattr(Path, "chmod", chmod)
    with pytest.raises(UsageError, match="not permitted"):
        opened(path)
    assert not os.path.lexists(path)


async def test_a_closed_unix_socket_wakes_who_accepts(path: str) -> None:
    """A server that stops does not hang in accept()."""
    listener = opened(path)
    async with trio.open_nursery() as nursery:

        async def accept() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await listener.accept()

        nursery.start_soon(accept)
        await trio.testing.wait_all_tasks_blocked()
        listener.close()
