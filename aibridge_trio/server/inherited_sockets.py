"""Listening sockets that the process was given at its start: socket activation, sd_listen_fds(3).

The process that started this one holds the same sockets, or gives them to its successor. So they stay when the
bridge stops: connections that come meanwhile wait in the socket's backlog, and no caller is refused.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, MutableMapping

from aibridge_trio.config.addresses import Address, Bind, UnixSocket
from aibridge_trio.config.handed_over import HandedOver
from aibridge_trio.errors import UsageError

_COUNT, _PID, _NAMES = "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"
_FIRST = 3
_MOST = 64
_MOST_DIGITS = 10


class InheritedSockets:
    """Sockets by the address that they listen on. `handed_over` has these addresses for the configuration.

    They `last` when this process ends, unless a supervisor that ends with it holds them.
    """

    def __init__(self, sockets: Mapping[Bind, socket.socket] | None = None, *, last: bool = True) -> None:
        self._sockets = dict(sockets or {})
        self.last = last
        self.handed_over = HandedOver()

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> InheritedSockets:
        """Return the sockets that these variables speak of. Raises UsageError for one that is of no use."""
        found = cls()
        if environ.get(_PID) != str(os.getpid()):
            return found
        count = environ.get(_COUNT, "")
        if not (count.isascii() and count.isdigit() and len(count) <= _MOST_DIGITS) or int(count) > _MOST:
            raise UsageError(f"{_COUNT}: it is not a number of descriptors up to {_MOST}; unset {_PID}")
        names = environ.get(_NAMES, "").split(":")
        named: dict[str, list[Bind]] = {}
        for place in range(int(count)):
            name = names[place] if place < len(names) else ""
            named.setdefault(name, []).append(found._take(_FIRST + place, name))
        found.handed_over = HandedOver({name: tuple(binds) for name, binds in named.items()})
        return found

    def pop(self, bind: Bind) -> socket.socket | None:
        """Return the socket with this address, which is the caller's to close from now on; None without one."""
        return self._sockets.pop(bind, None)

    def close(self) -> None:
        """Close the sockets that no listener has taken."""
        while self._sockets:
            self._sockets.popitem()[1].close()

    def __repr__(self) -> str:
        return f"<InheritedSockets {', '.join(map(str, self._sockets))}>"

    def _take(self, descriptor: int, name: str) -> Bind:
        label = f"{_COUNT}: descriptor {descriptor}{f' ({name})' if name else ''}"
        try:
            os.set_inheritable(descriptor, False)
            sock = socket.socket(fileno=descriptor)
        except OSError as error:
            raise UsageError(f"{label} is no socket: {error.strerror}") from None
        if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            sock.detach()
            raise UsageError(f"{label} does not listen for streams; in its unit write ListenStream= and Accept=no")
        bind = _address(sock)
        if bind is None:
            sock.detach()
            raise UsageError(f"{label} has an address of a kind that is not served; write a port or a path")
        self._sockets[bind] = sock
        return bind


def forget(environ: MutableMapping[str, str]) -> None:
    """Remove the variables, so that no child process takes the descriptors for its own."""
    for name in (_COUNT, _PID, _NAMES):
        environ.pop(name, None)


def _address(sock: socket.socket) -> Bind | None:
    name = sock.getsockname()
    if sock.family in {socket.AF_INET, socket.AF_INET6}:
        return Address(name[0], name[1])
    if sock.family != socket.AF_UNIX or not name:
        return None
    return UnixSocket(name if isinstance(name, str) else "@" + os.fsdecode(name[1:]))
