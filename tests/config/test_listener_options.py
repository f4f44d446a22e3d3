from __future__ import annotations

from dataclasses import fields

import pytest

from aibridge_trio.config.addresses import Address, Bind, UnixSocket
from aibridge_trio.config.listener_options import LISTENERS, Listeners
from aibridge_trio.config.settings import OPTIONS

LOCAL, SOCKET, EVERYWHERE = Address("127.0.0.1", 1), UnixSocket("/run/b"), Address("::", 2)


def test_the_listeners_come_first() -> None:
    """Help pages begin with the group of the listeners, in the order of the fields."""
    names = [field.name for field in fields(Listeners)]
    assert [option.name for option in OPTIONS[: len(names)]] == names
    assert [option.name for option in OPTIONS if option.group == LISTENERS] == names


@pytest.mark.parametrize(
    ("binds", "exposed"),
    [
        ((LOCAL, SOCKET), ""),
        ((LOCAL, EVERYWHERE), "[::]:2"),
        ((EVERYWHERE, SOCKET, Address("10.0.0.1", 3)), "[::]:2, 10.0.0.1:3"),
    ],
)
def test_only_addresses_off_loopback_are_exposed(binds: tuple[Bind, ...], exposed: str) -> None:
    """Loopback addresses and unix sockets are reached by programs of this machine only."""
    assert Listeners(bind=binds).exposed() == exposed


def test_addresses_include_the_admin_listener() -> None:
    """All addresses are those of `bind`, then that of the admin listener."""
    admin = Address("localhost", 4)
    assert Listeners(bind=(LOCAL, SOCKET), admin_bind=admin).addresses() == (LOCAL, SOCKET, admin)


def test_a_unix_socket_has_no_host_name() -> None:
    """The names of the listeners are the hosts of their IP addresses."""
    assert Listeners(bind=(LOCAL, SOCKET, EVERYWHERE)).names() == ("127.0.0.1", "::")
