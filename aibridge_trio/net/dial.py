"""Opens TCP connections: names resolved in separate threads, addresses tried in parallel (RFC 8305)."""

from __future__ import annotations

import ipaddress
import math
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

import trio

from aibridge_trio.net.poller import Poller
from aibridge_trio.net.stream import ByteStream, Shortage, TCPStream

# How many look-ups may run at once for one provider. A hanging look-up cannot be cancelled: it keeps its thread
# until the system gives up, which is later than the request. Requests for one name share a look-up.
LOOKUPS = 8
# How long (seconds) an address is tried before the next one is started too (RFC 8305, 5).
_HEAD_START = 0.25
# TCP keepalive, because NAT drops silent connections after minutes: idle time and interval (seconds), probes. The
# same as for callers.
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
# How long (seconds) a provider's machine may acknowledge or take nothing, at least.
_UNACKNOWLEDGED = 120.0

# Opens a connection to a host and a port. Raises OSError.
Dial = Callable[[str, int], Awaitable[ByteStream]]
SocketOption = tuple[int, int, int]


class Address(NamedTuple):
    """One address of a host: the address family, and the argument of `connect`."""

    family: int
    where: Any


def new_dialer(poller: Poller | None = None, *, silence: float = math.inf) -> Dial:
    """Return a function that opens TCP connections, watched by `poller` if there is one.

    Each dialer has its own threads for look-ups, so a hanging look-up for one provider does not delay another.
    `silence` is how long (seconds) a provider may take nothing.
    """
    resolver, options = Resolver(), socket_options(silence)

    async def dial(host: str, port: int) -> ByteStream:
        sock = await _connect_first(await resolver.resolve(host, port), options)
        return TCPStream(socket.socket(fileno=sock.detach()), poller=poller)

    return dial


def socket_options(silence: float = math.inf) -> list[SocketOption]:
    """Return the socket options for connections to providers: keepalive, and TCP_USER_TIMEOUT.

    TCP_USER_TIMEOUT also ends a connection whose other side takes nothing, so it is no shorter than `silence`
    (seconds); for an infinite `silence` it is not set.
    """
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    if hasattr(socket, "TCP_USER_TIMEOUT") and silence < math.inf:
        milliseconds = int(min(max(silence, _UNACKNOWLEDGED) * 1000, 2**31 - 1))
        options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds))
    return options


class _Lookup:
    """A running look-up and its result. Neither addresses nor a failure: the request that ran it was cancelled."""

    def __init__(self) -> None:
        self.ended = trio.Event()
        self.found: list[Address] = []
        self.failure: tuple[type[OSError], Any] | None = (
            None  # not the exception, which would refer to this object
        )


class Resolver:
    """Resolves names. Concurrent requests for the same name share a look-up and its result."""

    def __init__(self) -> None:
        self._threads = trio.CapacityLimiter(LOOKUPS)
        self._lookups: dict[tuple[str, int], _Lookup] = {}

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return a host's addresses in the order to try them. Raises OSError.

        Raises Shortage if hanging look-ups occupy all threads. A literal address needs no thread.
        """
        if _is_address(host):
            return _addresses(host, port, socket.AI_NUMERICHOST)
        while lookup := self._lookups.get((host, port)):
            await lookup.ended.wait()
            if lookup.found:
                return lookup.found
            if lookup.failure:
                kind, args = lookup.failure
                raise kind(*args)
        return await self._look_up(host, port)

    async def _look_up(self, host: str, port: int) -> list[Address]:
        if self._threads.available_tokens < 1:
            raise Shortage("no thread is free to look the name up")
        lookup = self._lookups[host, port] = _Lookup()
        try:
            lookup.found = await trio.to_thread.run_sync(
                partial(_addresses, host, port), limiter=self._threads, abandon_on_cancel=True
            )
        except OSError as error:
            lookup.failure = type(error), error.args
            raise
        except UnicodeError:
            lookup.failure = socket.gaierror, (socket.EAI_NONAME, "not a host's name")
            raise socket.gaierror(*lookup.failure[1]) from None
        except RuntimeError:  # the system starts no more threads
            raise Shortage("no thread can be started to look the name up") from None
        finally:
            del self._lookups[host, port]
            lookup.ended.set()
        return lookup.found


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _addresses(host: str, port: int, flags: int = 0) -> list[Address]:
    """Resolve with getaddrinfo; put an address of the other family second, if there is one (RFC 8305, 4)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    addresses = [Address(family, where) for family, _, _, _, where in found]
    other = next((each for each in addresses if each.family != addresses[0].family), None)
    if other:
        addresses.remove(other)
        addresses.insert(1, other)
    return addresses


async def _connect_first(addresses: list[Address], options: list[SocketOption]) -> trio.socket.SocketType:
    """Connect to the address that answers first; each is started _HEAD_START after the one before."""
    won: list[trio.socket.SocketType] = []
    errors: list[OSError] = []
    try:
        async with trio.open_nursery() as nursery:

            async def attempt(address: Address, failed: trio.Event) -> None:
                try:
                    won.append(await _connect(address, options))
                    nursery.cancel_scope.cancel()
                except OSError as error:
                    errors.append(error)
                    failed.set()

            for address in addresses:
                failed = trio.Event()
                nursery.start_soon(attempt, address, failed)
                with trio.move_on_after(_HEAD_START):
                    await failed.wait()
        if won:
            return won.pop(0)
    finally:
        for sock in won:  # connected too late, or cancelled
            sock.close()
    try:
        if len(errors) == 1:
            raise errors[0]
        raise OSError("no address answers") from ExceptionGroup("", errors)
    finally:
        errors.clear()  # each refers to this frame: break the cycle


async def _connect(address: Address, options: list[SocketOption]) -> trio.socket.SocketType:
    sock = trio.socket.socket(address.family, socket.SOCK_STREAM)
    try:
        for option in options:
            sock.setsockopt(*option)
        await sock.connect(address.where)
    except BaseException:
        sock.close()
        raise
    return sock
