"""Connects to the server that has the keys: the only one, the sentinels' primary, or one of a cluster."""

from __future__ import annotations

import socket
import ssl
from functools import partial
from typing import Any

import trio

from aibridge_trio.net.dial import Dial
from aibridge_trio.net.stream import ByteStream, TCPStream
from aibridge_trio.net.tls import TLSStream
from aibridge_trio.net.tls_contexts import add_authorities, provider_context
from aibridge_trio.sharing.backend import StoreError
from aibridge_trio.sharing.redis.address import Host, RedisAddress
from aibridge_trio.sharing.redis.connection import CONNECT_TIMEOUT, Connection, Moved, connect

# How often a server of a cluster may name another one before the keys are found.
_MOST_MOVES = 3


class Servers:
    """Where the store is, and how to get there. `key` is one of the keys, all of which are on one server.

    `dial` opens TCP connections. Reads certificates, which may block: raises OSError.
    """

    def __init__(self, address: RedisAddress, key: str, dial: Dial) -> None:
        self.address = address
        self._key = key
        self._dial = dial
        self._context = _context(address) if address.tls else None
        self._best: Host | None = None  # of several: the one that answered last
        self.primary: Host | None = None  # as sentinels named it last

    async def connect(self, nursery: trio.Nursery) -> Connection:
        """Connect to the server that has the keys, in `nursery`. Raises StoreError."""
        match self.address.kind:
            case "socket":
                return await self._log_in(nursery, None)
            case "sentinel":
                self.primary = primary = await self.find_primary(nursery)
                connection = await self._log_in(nursery, primary)
                role = await _first_call(connection, "ROLE")
                if not isinstance(role, list) or role[:1] != [b"master"]:
                    connection.drop()
                    raise StoreError(f"{primary}, which the sentinels name, is no primary")
                return connection
            case "cluster":
                return await self._in_cluster(nursery)
            case _:
                return await self._log_in(nursery, self.address.hosts[0])

    async def find_primary(self, nursery: trio.Nursery) -> Host:
        """Ask the sentinels in turn which server is the primary now. Raises StoreError."""
        failures: list[str] = []
        for host in self._in_turn():
            try:
                password = self.address.sentinel_password
                sentinel = await connect(nursery, partial(self._open, host), password=password)
                found = await _first_call(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.address.service)
                sentinel.drop()
                name, port = found
                primary = Host(bytes(name).decode("ascii"), int(port))
            except StoreError as error:
                failures.append(f"{host}: {error}")
            except (TypeError, ValueError):
                failures.append(f"{host}: it does not know {self.address.service}")
            else:
                self._best = host
                return primary
        raise StoreError(f"no sentinel names a server: {'; '.join(failures)}")

    async def _in_cluster(self, nursery: trio.Nursery) -> Connection:
        failures: list[str] = []
        for seed in self._in_turn():
            host = seed
            for _ in range(_MOST_MOVES):
                try:
                    connection = await self._log_in(nursery, host)
                    await _first_call(connection, "EXISTS", self._key)
                except Moved as moved:
                    host = Host(moved.host or host.name, moved.port)
                except StoreError as error:
                    failures.append(f"{host}: {error}")
                    break
                else:
                    self._best = seed
                    return connection
            else:
                failures.append(f"{seed}: it does not lead to the keys")
        raise StoreError(f"no server of the cluster: {'; '.join(failures)}")

    def _in_turn(self) -> list[Host]:
        """Return the hosts, the one that answered last first."""
        return sorted(self.address.hosts, key=lambda host: host != self._best)

    async def _log_in(self, nursery: trio.Nursery, host: Host | None) -> Connection:
        address = self.address
        way = partial(self._open, host) if host else self._open_socket
        return await connect(nursery, way, user=address.user, password=address.password, database=address.database)

    async def _open(self, host: Host) -> ByteStream:
        stream = await self._dial(host.name, host.port)
        if not self._context:
            return stream
        try:
            secure = TLSStream(stream, self._context, host.name)
            await secure.do_handshake()
        except BaseException:
            stream.close()
            raise
        return secure

    async def _open_socket(self) -> ByteStream:
        sock = trio.socket.socket(socket.AF_UNIX)
        try:
            await sock.connect(self.address.path)
        except BaseException:
            sock.close()
            raise
        return TCPStream(socket.socket(fileno=sock.detach()))

    def __repr__(self) -> str:
        return f"<Servers {self.address}>"


async def _first_call(connection: Connection, *words: str) -> Any:
    """Execute the first command of a connection, in time; drop the connection if that fails. Raises StoreError."""
    try:
        with trio.fail_after(CONNECT_TIMEOUT):
            return await connection.call(*words)
    except trio.TooSlowError:
        connection.drop()
        raise StoreError(f"no answer within {CONNECT_TIMEOUT:g} s") from None
    except BaseException:
        connection.drop()
        raise


def _context(address: RedisAddress) -> ssl.SSLContext:
    """Return the context of TLS connections: the authorities of providers, and those of a file."""
    context = provider_context()
    if address.ca:
        add_authorities(context, address.ca)
    return context
