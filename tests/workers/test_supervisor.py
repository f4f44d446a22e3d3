"""The supervisor, without its workers."""

from __future__ import annotations

import socket

import pytest

from aibridge_trio.config.settings import Address, Settings
from aibridge_trio.errors import UsageError
from aibridge_trio.server.inherited_sockets import InheritedSockets
from aibridge_trio.workers.supervisor import Supervisor

ANY = Address("127.0.0.1", 0)


async def test_an_admin_port_in_use_leaves_nothing_open() -> None:
    """A mistake, and the callers' socket is closed again."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = Settings(bind=(ANY,), admin_bind=Address(*other.getsockname()), workers=2)
        supervisor = Supervisor(settings, sockets=InheritedSockets(), read=lambda: settings)
        with pytest.raises(UsageError, match="--admin-bind"):
            supervisor.open()
        assert not supervisor._sockets.descriptors()


async def test_it_says_what_it_does() -> None:
    """Before workers have started none serves."""
    settings = Settings(bind=(ANY,), admin_bind=ANY, workers=3)
    supervisor = Supervisor(settings, sockets=InheritedSockets(), read=lambda: settings)
    assert supervisor.summary() == "starting: 0 of 3 workers serve, 0 in flight"
    rows = supervisor._rows()
    assert [(row["number"], row["state"], row["restarts"]) for row in rows] == [
        (1, "ended", 0),
        (2, "ended", 0),
        (3, "ended", 0),
    ]
