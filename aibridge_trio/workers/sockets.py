"""The callers' sockets: opened once, by the supervisor, and accepted from by all workers.

Each worker has the same sockets, so connections that one has not accepted go to another when it ends. Sockets of
their own (SO_REUSEPORT) would keep theirs until the worker is back.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack

from aibridge_trio.config.addresses import Address, Bind, UnixSocket
from aibridge_trio.config.settings import Settings
from aibridge_trio.server.inherited_sockets import InheritedSockets
from aibridge_trio.server.listener import take
from aibridge_trio.server.unix_listener import UnixListener


class CallersSockets:
    """The sockets by their addresses. They `last` if they are a service manager's."""

    def __init__(self) -> None:
        self._sockets: dict[Bind, socket.socket] = {}
        self._opened = ExitStack()
        self.last = False

    def open(self, settings: Settings, inherited: InheritedSockets) -> dict[Bind, Bind]:
        """Listen on each address; return the address with its actual port. Raises UsageError."""
        ipv4 = {each.port for each in settings.bind if isinstance(each, Address) and ":" not in each.host}
        actual: dict[Bind, Bind] = {}
        for bind in settings.bind:
            if sock := inherited.pop(bind):
                self._opened.callback(sock.close)
                self._sockets[bind] = sock
                actual[bind] = bind
                self.last = True
            elif isinstance(bind, UnixSocket):
                listener = UnixListener(bind.path, settings.bind_mode, None, option="--bind")
                self._opened.callback(listener.close)
                self._sockets[bind] = listener.sock
                actual[bind] = bind
            else:
                # `[::]` includes IPv4, unless an IPv4 address has the same port.
                sock = take(bind.host, bind.port, option="--bind", dual=bind.port not in ipv4)
                self._opened.callback(sock.close)
                self._sockets[bind] = sock
                actual[bind] = Address(*sock.getsockname()[:2])
        return actual

    def listening(self) -> list[socket.socket]:
        """Return the sockets."""
        return list(self._sockets.values())

    def descriptors(self) -> dict[Bind, int]:
        """Return the descriptors, as a worker inherits them."""
        return {bind: sock.fileno() for bind, sock in self._sockets.items()}

    def close(self) -> None:
        """Close the sockets; those of workers stay."""
        self._opened.close()
        self._sockets = {}

    def __repr__(self) -> str:
        return f"<CallersSockets {', '.join(map(str, self._sockets))}>"
