"""The callers' sockets."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from aibridge_trio.config.addresses import Address, UnixSocket
from aibridge_trio.config.settings import Settings
from aibridge_trio.errors import UsageError
from aibridge_trio.server.inherited_sockets import InheritedSockets
from aibridge_trio.workers.sockets import CallersSockets

ANY = Address("127.0.0.1", 0)


async def test_they_listen_from_the_start(tmp_path: Path) -> None:
    """Ports and unix sockets; a unix socket's file goes with the end."""
    path = tmp_path / "callers"
    sockets = CallersSockets()
    actual = sockets.open(Settings(bind=(ANY, UnixSocket(str(path)))), InheritedSockets())
    bound = actual[ANY]
    assert isinstance(bound, Address)
    socket.create_connection((bound.host, bound.port)).close()
    assert list(sockets.descriptors()) == [ANY, UnixSocket(str(path))]
    assert path.is_socket()
    sockets.close()
    assert not path.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((bound.host, bound.port))


async def test_a_port_in_use_is_a_mistake() -> None:
    """Another program's port, though several workers share one."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = Address(*other.getsockname())
        with pytest.raises(UsageError, match="the port is in use"):
            CallersSockets().open(Settings(bind=(taken,)), InheritedSockets())


async def test_inherited_sockets_last() -> None:
    """A service manager's sockets are taken, and said to last."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = Address(*other.getsockname())
        sockets = CallersSockets()
        assert sockets.open(Settings(bind=(bind,)), InheritedSockets({bind: other})) == {bind: bind}
        assert sockets.last
        sockets.close()
