"""Listening sockets that the service manager hands over, and which option each one stands for.

A socket called `callers` or `admin` (`FileDescriptorName=`) belongs to that listener. One with another name, like
the unit's, which is the default, belongs to the listener that is configured to have its address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aibridge_trio.config.addresses import Address, Bind, UnixSocket
from aibridge_trio.config.origin import DEFAULT, Origin
from aibridge_trio.errors import UsageError
from aibridge_trio.printable import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

CALLERS, ADMIN = "callers", "admin"
_ORIGIN = Origin("environment", "LISTEN_FDS")


@dataclass(frozen=True)
class HandedOver:
    """The addresses of sockets that were handed over, by the sockets' names."""

    binds: Mapping[str, tuple[Bind, ...]] = field(default_factory=dict)

    def apply(self, values: MutableMapping[str, Any], origins: MutableMapping[str, Origin]) -> None:
        """Put the addresses into the values of `bind` and `admin_bind`. Raises UsageError.

        Sockets called `callers` replace the default of `bind`, and are added to addresses that are configured.
        """
        everything = [bind for binds in self.binds.values() for bind in binds]
        given = () if origins["bind"] is DEFAULT and CALLERS in self.binds else values["bind"]
        bound = [_handed(bind, everything) for bind in given]
        admin = _handed(values["admin_bind"], everything)
        for name, binds in self.binds.items():
            if name == CALLERS:
                bound += binds
            elif name == ADMIN:
                admin = _only(binds, None if origins["admin_bind"] is DEFAULT else admin)
            elif unknown := set(binds) - {*bound, admin}:
                raise UsageError(
                    f"LISTEN_FDS: {visible(name, 80) or 'a socket without a name'} listens on "
                    f"{_listed(unknown)}, which neither --bind nor --admin-bind names; "
                    f"write FileDescriptorName={CALLERS} or {ADMIN} into its unit, or configure the address"
                )
        values["bind"], values["admin_bind"] = tuple(dict.fromkeys(bound)), admin
        for option in ("bind", "admin_bind"):
            if origins[option] is DEFAULT and self.binds:
                origins[option] = _ORIGIN


def _handed(configured: Bind, handed: Iterable[Bind]) -> Bind:
    """Return the address of the socket that a configured address stands for, else the address itself."""
    for each in handed:
        if isinstance(configured, UnixSocket) or isinstance(each, UnixSocket):
            same = each == configured
        else:
            host = configured.host.lower()
            same = each.port == configured.port and (
                each.host == host or (host == "localhost" and each.is_loopback)
            )
        if same:
            return each
    return configured


def _only(binds: tuple[Bind, ...], configured: Bind | None) -> Bind:
    """Return the admin listener's address. Raises UsageError unless it is one port, and the configured one."""
    if len(binds) > 1 or not isinstance(binds[0], Address) or configured not in {None, binds[0]}:
        raise UsageError(
            f"LISTEN_FDS: {_listed(binds)} cannot be the admin listener's; "
            "hand over one port for it, and give no other one in --admin-bind"
        )
    return binds[0]


def _listed(binds: Iterable[Bind]) -> str:
    return " and ".join(sorted(visible(str(bind)) for bind in binds))


NO_SOCKETS = HandedOver()
