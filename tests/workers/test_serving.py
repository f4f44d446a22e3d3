"""The process of the supervisor: tests/real/test_workers.py runs it; here, what `serve` takes."""

from __future__ import annotations

import socket

import pytest

from aibridge_trio.config.settings import Address, Settings
from aibridge_trio.errors import UsageError
from aibridge_trio.server.inherited_sockets import InheritedSockets
from aibridge_trio.workers import serve


def test_a_port_in_use_is_a_mistake() -> None:
    """Before any worker is started."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = Settings(bind=(Address(*other.getsockname()),), workers=2)
        with pytest.raises(UsageError, match="the port is in use"):
            serve(settings, InheritedSockets(), lambda: settings)
