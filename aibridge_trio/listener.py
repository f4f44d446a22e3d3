"""Where callers knock: a port that is taken, and the connections that come in by it."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Protocol

import trio

from aibridge_trio.errors import Mistake
from aibridge_trio.poller import Poller
from aibridge_trio.tls import Secure
from aibridge_trio.wire import SHORTAGES, Plain, Wire

# Connections that the kernel completes before the bridge accepts them: room for a flash crowd.
_BACKLOG = 1024
# A caller whose kernel acknowledges nothing for this long (milliseconds) is dropped by ours.
_UNACKNOWLEDGED_MS = 60_000
# What getaddrinfo says of names; `create_server` passes the number on and not the class.
_UNRESOLVED = {value for name, value in vars(socket).items() if name.startswith("EAI_")}
# The socket itself is of no use any more. All else that accept() says is one connection's bad luck.
_HOPELESS = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP, errno.EFAULT})


class Listener(Protocol):
    """What connections come from."""

    async def accept(self) -> Wire:
        """Wait for the next one. Raises OSError for a shortage (`SHORTAGES`), and when nothing will come again."""

    def close(self) -> None:
        """Let nobody in any more."""


class SocketListener:
    """A TCP port; with a TLS context, connections are encrypted."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None, poller: Poller | None = None) -> None:
        sock.setblocking(False)
        self._poller = poller
        self._sock = sock
        self._context = context

    async def accept(self) -> Wire:
        """Wait for the next connection."""
        while True:
            try:
                accepted = self._sock.accept()
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._sock)
                continue
            except OSError as error:
                if error.errno in SHORTAGES | _HOPELESS:
                    raise
                await trio.lowlevel.checkpoint()
                continue
            try:
                return self._wire(*accepted)
            except OSError as error:  # it has gone already, on some systems
                if error.errno in SHORTAGES:
                    raise
                await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Give the port back."""
        if self._sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()

    def _wire(self, sock: socket.socket, peer: tuple[str, int]) -> Wire:
        try:
            wire = Plain(sock, peer[:2], self._poller)
            return Secure(wire, self._context) if self._context else wire
        except BaseException:
            sock.close()
            raise


def take(host: str, port: int, *, option: str) -> socket.socket:
    """Take a port; a Mistake names `option` when that can't be done."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise Mistake(f"{option}: cannot listen on {host}:{port}: {_why(error)}") from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit it
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
    return sock


def _why(error: OSError | OverflowError) -> str:
    match error:
        case OverflowError():
            return "a port is between 0 and 65535"
        case OSError(errno=errno.EADDRINUSE):
            return "the port is in use; stop the program that holds it or choose another port"
        case OSError(errno=errno.EACCES):
            return "not permitted; choose a port above 1023"
        case OSError(errno=errno.EADDRNOTAVAIL):
            return "this machine has no such address"
        case OSError(errno=code) if code in _UNRESOLVED:
            return "the host name cannot be resolved; write an address of this machine"
    return str(error.strerror or error)
