"""Which listener a socket of the service manager is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from aibridge_trio.config.handed_over import HandedOver
from aibridge_trio.config.loader import Loaded, load
from aibridge_trio.config.settings import Address, Bind, UnixSocket
from aibridge_trio.errors import UsageError

LOCAL, EVERY, ADMIN = Address("127.0.0.1", 4001), Address("0.0.0.0", 8080), Address("127.0.0.1", 9)
FILE = UnixSocket("/run/aibridge.sock")


def loaded(binds: dict[str, tuple[Bind, ...]], **flags: object) -> Loaded:
    """Load with these sockets."""
    return load(flags, {}, HandedOver(binds))  # type: ignore[arg-type]


def test_sockets_called_callers_take_the_place_of_the_default_address() -> None:
    """No operator has to say twice where callers connect; the origin says where it was said."""
    found = loaded({"callers": (EVERY, FILE)})
    assert found.settings.bind == (EVERY, FILE)
    assert str(found.origins["bind"]) == "environment LISTEN_FDS"
    assert found.settings.admin_bind == Address("127.0.0.1", 4002)


def test_configured_addresses_without_a_socket_stay() -> None:
    """What was asked for is not dropped; what both name is one."""
    found = loaded({"callers": (EVERY,)}, bind=["0.0.0.0:8080", "unix:/run/own.sock"])
    assert found.settings.bind == (EVERY, UnixSocket("/run/own.sock"))


def test_a_socket_called_admin_is_the_admin_listeners() -> None:
    """Its address is the one that the checks see."""
    assert loaded({"admin": (ADMIN,)}).settings.admin_bind == ADMIN
    assert loaded({"admin": (ADMIN,)}, admin_bind="127.0.0.1:9").settings.admin_bind == ADMIN
    with pytest.raises(UsageError, match="could operate the bridge; add --admin-token-file"):
        loaded({"admin": (Address("0.0.0.0", 9),)})


@pytest.mark.parametrize(
    ("binds", "flags"),
    [
        ((ADMIN, LOCAL), {}),
        ((FILE,), {}),
        ((ADMIN,), {"admin_bind": "127.0.0.1:10"}),
    ],
)
def test_the_admin_listener_has_one_port(binds: tuple[Bind, ...], flags: dict[str, object]) -> None:
    """Two, a unix socket, or one that contradicts --admin-bind is an error that says so."""
    with pytest.raises(UsageError, match=r"LISTEN_FDS: .* cannot be the admin listener's; hand over one port"):
        loaded({"admin": binds}, **flags)


@pytest.mark.parametrize("name", ["", "aibridge.socket"])
def test_other_sockets_are_known_by_their_address(name: str) -> None:
    """The default name of a descriptor is its unit's."""
    assert loaded({name: (LOCAL,)}).settings.bind == (LOCAL,)
    found = loaded({name: (FILE, ADMIN)}, bind=["unix:/run/aibridge.sock"], admin_bind="localhost:9")
    assert (found.settings.bind, found.settings.admin_bind) == ((FILE,), ADMIN)


def test_a_socket_for_no_listener_is_an_error() -> None:
    """It names the socket, its address, and what to write."""
    with pytest.raises(UsageError) as raised:
        loaded({"aibridge.socket": (EVERY,)})
    assert str(raised.value) == (
        "LISTEN_FDS: aibridge.socket listens on 0.0.0.0:8080, which neither --bind nor --admin-bind names; "
        "write FileDescriptorName=callers or admin into its unit, or configure the address"
    )
    with pytest.raises(UsageError, match=r"a socket without a name listens on unix:/run/aibridge\.sock, which"):
        loaded({"": (FILE,)})


def test_the_checks_see_the_real_addresses(tmp_path: Path) -> None:
    """A central key on a handed-over socket off loopback needs consent, as with --bind."""
    with pytest.raises(UsageError, match="could use the central key"):
        load({}, {"OPENAI_API_KEY": "sk-central-key"}, HandedOver({"callers": (EVERY,)}))
    with pytest.raises(UsageError, match="are one port"):
        loaded({"callers": (Address("127.0.0.1", 4002),)})
