"""Listens on a TCP port and accepts connections."""

from __future__ import annotations

import errno
import socket
import ssl
from ipaddress import IPv6Address
from typing import Protocol

import trio

from aibridge_trio.config.addresses import Address, is_loopback_address
from aibridge_trio.errors import UsageError
from aibridge_trio.net.poller import Poller
from aibridge_trio.net.stream import SHORTAGE_ERRNOS, ServerStream, TCPStream
from aibridge_trio.net.tls import TLSServerStream

# Connections that the kernel completes before the bridge accepts them, for bursts of new callers.
BACKLOG = 1024
# A caller whose kernel acknowledges nothing for this long (milliseconds) is dropped by our kernel.
_UNACKNOWLEDGED_MS = 90_000
# TCP keepalive, because NAT drops silent connections after minutes: idle time and interval (seconds), probes. All
# of them fit into _UNACKNOWLEDGED_MS.
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
# Errors of getaddrinfo; `create_server` passes the number on, not the class.
_UNRESOLVED = {value for name, value in vars(socket).items() if name.startswith("EAI_")}
_REASONS = {
    errno.EADDRINUSE: "the port is in use; stop the program that holds it or choose another port",
    errno.EACCES: "not permitted; choose a port above 1023",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EAFNOSUPPORT: "this machine has no addresses of this kind; for IPv4 write 0.0.0.0",
}
# Errors of accept() after which the socket is unusable. All others concern the one connection.
_UNUSABLE = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP, errno.EFAULT})


class Listener(Protocol):
    """A source of connections."""

    async def accept(self) -> ServerStream:
        """Wait for the next connection. Raises OSError for a shortage (SHORTAGE_ERRNOS) or a dead socket."""

    def close(self) -> None:
        """Accept no more connections."""


class SocketListener:
    """Listens on a socket, `sock`; with a TLS `context`, connections that are accepted then are encrypted."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None, poller: Poller | None = None) -> None:
        sock.setblocking(False)
        self._poller = poller
        self.sock = sock
        self.context = context
        self._on_loopback = sock.family != socket.AF_UNIX and is_loopback_address(sock.getsockname()[0])

    async def accept(self) -> ServerStream:
        """Wait for the next connection."""
        while True:
            # Before each one: a process that accepts a burst at once leaves nothing to those that share it.
            if self.sock.fileno() >= 0:
                await trio.lowlevel.wait_readable(self.sock)
            try:
                accepted = self.sock.accept()
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno in SHORTAGE_ERRNOS | _UNUSABLE:
                    raise
                await trio.lowlevel.checkpoint()
                continue
            try:
                return self._accepted(*accepted)
            except OSError as error:  # some systems report here that the caller has left
                if error.errno in SHORTAGE_ERRNOS:
                    raise
                await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Close the socket."""
        if self.sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self.sock)
            self.sock.close()

    def _accepted(self, sock: socket.socket, peer: object) -> ServerStream:
        try:
            stream = TCPStream(sock, peer, self._poller)
            stream.on_loopback = self._on_loopback
            return TLSServerStream(stream, self.context) if self.context else stream
        except BaseException:
            sock.close()
            raise


def take(host: str, port: int, *, option: str, dual: bool = True) -> socket.socket:
    """Return a socket that listens on a port. Raises UsageError, which names `option`.

    With `dual`, `::` also stands for every IPv4 address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual = dual and family == socket.AF_INET6 and IPv6Address(host).is_unspecified and socket.has_dualstack_ipv6()
    try:
        sock = socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)
    except (OSError, OverflowError) as error:
        raise UsageError(f"{option}: cannot listen on {Address(host, port)}: {_why(error)}") from None
    keep_alive(sock)
    return sock


def keep_alive(sock: socket.socket) -> None:
    """Let connections end whose other machine has gone; accepted ones inherit this from `sock` (Linux)."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _why(error: OSError | OverflowError) -> str:
    if isinstance(error, OverflowError):
        return "a port is between 0 and 65535"
    if error.errno in _UNRESOLVED:
        return "the host name cannot be resolved; write an address of this machine"
    return _REASONS.get(error.errno or 0) or str(error.strerror or error)
