"""The whole path in memory and in virtual time: httpx → server → bridge → httpx → server → provider.

What stands behind the two seams (the server's wire, the transport's link) is hidden here: tests
say `network.client("bridge")` and `network.serve("openai", app)`, and survive when either is replaced.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpcore
import httpx
import trio
import trio.testing
from httpcore._backends.trio import TrioStream

from aibridge_trio.bridge import Bridge
from aibridge_trio.config.settings import Address, Settings
from aibridge_trio.errors import UsageError
from aibridge_trio.events import Event, Reloaded
from aibridge_trio.http.message import BodyStalled, Reply, Request
from aibridge_trio.net.stream import Interrupted
from aibridge_trio.server.asgi import Application, exchange
from aibridge_trio.server.server import Server
from aibridge_trio.upstream.transport import Transport

Stream = trio.abc.Stream
Handler = Callable[[Request, Reply], Awaitable[None]]

PROVIDERS = ("openai", "anthropic", "copilot")


class MemorySocket:
    """What is set on a socket, for a stream without one."""

    def setsockopt(self, *_: object) -> None:
        pass


class MemoryWire:
    """A server's end of a connection."""

    secure = False
    on_loopback = False
    certificate: tuple[str, ...] = ()

    def __init__(self, stream: Any, host: str, peer: str) -> None:
        self.stream = stream
        self.socket = MemorySocket()
        self.closed = False
        self.local: tuple[str, int] | None = (host, 80)
        self.peer: tuple[str, int] | None = (peer, 4242)
        self.on_peer_left: Callable[[], None] | None = None
        self._reading: trio.CancelScope | None = None
        self._on_input: Callable[[], None] | None = None
        self._listen()

    def _listen(self) -> None:
        """Call back when the other end sends or closes."""
        receiver = self.stream.receive_stream
        put_data, put_eof = receiver.put_data, receiver.put_eof

        def came(data: bytes) -> None:
            put_data(data)
            self._wake()

        def ended() -> None:
            put_eof()
            self._end()

        receiver.put_data, receiver.put_eof = came, ended

    def _wake(self) -> None:
        call, self._on_input = self._on_input, None
        if call:
            call()

    def _end(self) -> None:
        self._wake()
        if self.on_peer_left:
            self.on_peer_left()

    def interrupt(self) -> None:
        """See ServerStream."""
        if self._reading and self.nothing_to_read():
            self._reading.cancel()

    def call_when_readable(self, call: Callable[[], None]) -> None:
        """See ServerStream."""
        self._on_input = call
        if not self.nothing_to_read():
            self._wake()

    async def handshake(self) -> None:
        pass

    async def receive(self) -> bytes:
        with trio.CancelScope() as self._reading:
            return bytes(await self.stream.receive_some(65536))
        raise Interrupted

    def push(self, data: bytes | bytearray | memoryview) -> int:
        self.stream.send_stream._outgoing.put(data)  # the public way waits
        self.stream.send_stream.close_hook()  # carries it over; what closes is something else
        return len(data)

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    def nothing_to_read(self) -> bool:
        incoming = self.stream.receive_stream._incoming  # no one else can tell without reading
        return not incoming._data and not incoming._closed

    def silent(self) -> bool:
        """See ByteStream."""
        return self.nothing_to_read()

    def peer_left(self) -> bool:
        return bool(self.stream.receive_stream._incoming._closed)

    def send_eof(self) -> None:
        with suppress(trio.BrokenResourceError):
            self.stream.send_stream.close()

    def reset(self) -> None:
        if not self.closed:
            self.socket.setsockopt()
        self.close()

    def close(self) -> None:
        self.closed, self._on_input = True, None
        self.send_eof()
        self.stream.receive_stream.close()


class MemoryListener:
    """Accepts the streams that others put in."""

    def __init__(self) -> None:
        self._inlet, self._outlet = trio.open_memory_channel[MemoryWire](1000)

    @property
    def open(self) -> bool:
        return self._outlet.statistics().open_receive_channels > 0

    def connect(self, wire: MemoryWire) -> None:
        self.last: Any = wire
        self._inlet.send_nowait(wire)

    async def accept(self) -> MemoryWire:
        return await self._outlet.receive()

    def close(self) -> None:
        self._outlet.close()


class StreamListener(trio.abc.Listener[Stream]):
    """Trio's view of a listener."""

    def __init__(self, listener: MemoryListener) -> None:
        self._listener = listener

    async def accept(self) -> Stream:
        stream: Stream = (await self._listener.accept()).stream
        return stream

    async def aclose(self) -> None:
        self._listener.close()
        await trio.lowlevel.checkpoint()


class MemoryStream(TrioStream):
    """A stream that has no socket to ask."""

    def get_extra_info(self, info: str) -> Any:
        return False if info == "is_readable" else None


class MemoryLink:
    """A bridge's link to a provider."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    async def receive(self) -> bytes:
        return bytes(await self.stream.receive_some(65536))

    def push(self, data: bytes | bytearray | memoryview) -> int:
        return 0

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    def nothing_to_read(self) -> bool:
        """Ask the stream's buffer, which tells of an end as well."""
        incoming = self.stream.receive_stream._incoming  # no one else can tell without reading
        return not incoming._data and not incoming._closed

    def silent(self) -> bool:
        """See ByteStream."""
        return self.nothing_to_read()

    def close(self) -> None:
        self.stream.send_stream.close()
        self.stream.receive_stream.close()


class Backend(httpcore.AsyncNetworkBackend):
    """httpcore's view of the network, from one address."""

    def __init__(self, network: Network, address: str) -> None:
        self._network, self._address = network, address

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        await trio.lowlevel.checkpoint()
        try:
            return MemoryStream(self._network.dial(host, self._address))
        except OSError:
            raise httpcore.ConnectError("refused") from None

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class Network:
    """Hosts by name, all in memory."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.listeners: dict[str, MemoryListener] = {}
        self.blackholes: set[str] = set()
        self.dialled: list[str] = []

    def dial(self, host: str, address: str = "10.0.0.2") -> Stream:
        """Open a stream to a host; refused where no handler serves it."""
        self.dialled.append(host)
        listener = self.listeners.get(host)
        if listener is None or not listener.open:
            raise ConnectionRefusedError("refused")
        near, far = trio.testing.memory_stream_pair()
        listener.connect(MemoryWire(far, host, address))
        return near

    def attach(self, host: str, server: Server) -> None:
        """Let a server listen here instead of on a socket."""
        self.listeners[host] = MemoryListener()
        server._listeners = [self.listeners[host]]

    async def serve(self, host: str, app: Application) -> None:
        """Serve an ASGI application on a host."""
        server = Server(app, report=_fail)
        self.attach(host, server)
        await self.nursery.start(server.run)

    async def answer(self, host: str, handler: Handler) -> None:
        """Serve a handler of requests on a host."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            try:
                await exchange(scope, receive, send, handler)
            except* BodyStalled:
                pass  # the bridge may stop sending

        await self.serve(host, app)

    def raw(self, host: str, handler: Callable[[Stream], Awaitable[None]]) -> None:
        """Let a function speak for a host, byte by byte."""
        listener = self.listeners[host] = MemoryListener()
        streams = StreamListener(listener)
        self.nursery.start_soon(partial(trio.serve_listeners, handler, [streams], handler_nursery=self.nursery))

    def way_out(self, _proxy: str | None = None) -> httpx.AsyncBaseTransport:
        """Return a bridge's way to its providers: our own."""
        return Transport(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self._link)  # loading authorities takes longest

    async def _link(self, host: str, port: int) -> MemoryLink:
        await trio.lowlevel.checkpoint()
        if host in self.blackholes:
            await trio.sleep_forever()
        return MemoryLink(self.dial(host, "10.0.0.9"))

    def transport(self, address: str) -> httpx.AsyncBaseTransport:
        """Return a caller's way into this network: httpx's."""
        transport = httpx.AsyncHTTPTransport(verify=False, trust_env=False)
        transport._pool = httpcore.AsyncConnectionPool(
            network_backend=Backend(self, address), max_connections=None, max_keepalive_connections=None
        )
        return transport

    def client(self, host: str, address: str = "10.0.0.2", **options: Any) -> httpx.AsyncClient:
        """Return a client of one host, calling from `address`."""
        options = {"timeout": None, "trust_env": False, "base_url": f"http://{host}", **options}
        return httpx.AsyncClient(transport=self.transport(address), **options)

    @asynccontextmanager
    async def bridge(self, **options: Any) -> AsyncIterator[Running]:
        """Run a bridge with these settings in front of the hosts `openai`, `anthropic` and `copilot`.

        Besides settings: `host` is the name of its own host; that of its admin listener is `admin`, and for other
        bridges `admin-` and the name. `common_store` is the store that it shares with others.
        """
        name, store = options.pop("host", "bridge"), options.pop("common_store", None)
        settings = Settings(
            **{
                "openai_base_url": "http://openai/v1",
                "anthropic_base_url": "http://anthropic",
                "copilot_base_url": "http://copilot",
                **options,
            }
        )
        told_anew: list[Settings | UsageError] = [settings]
        bridge = Bridge(settings, transport=self.way_out, read=lambda: _read(told_anew[0]), store=store)
        assert bridge.reloader
        bridge.reloader._in_thread = _at_once  # type: ignore[assignment] # virtual time does not wait for threads
        admin = "admin" if name == "bridge" else f"admin-{name}"
        bridge.addresses, bridge.admin_address = (Address(name, 80),), Address(admin, 80)
        self.attach(name, bridge.server)
        self.attach(admin, bridge.admin_server)
        signals, told = trio.open_memory_channel[int](10)
        started = trio.Event()
        running = Running(
            bridge,
            signals,
            self.client(name),
            self.client(admin, headers={"host": "localhost"}),
            settings=told_anew,
        )
        bridge.subscribe(running.events.append)

        async def run() -> None:
            running.exit_status = await bridge.run(told, started.set)
            running.ended.set()

        self.nursery.start_soon(run)
        await started.wait()
        async with running.client, running.admin:
            yield running


@dataclass
class Running:
    """A running bridge: `client` calls it, `admin` operates it, `signals` stops it, `events` has its events."""

    bridge: Bridge
    signals: trio.MemorySendChannel[int]
    client: httpx.AsyncClient
    admin: httpx.AsyncClient
    events: list[Event] = field(default_factory=list)
    ended: trio.Event = field(default_factory=trio.Event)
    exit_status: int | None = None
    settings: list[Settings | UsageError] = field(default_factory=list)

    async def reload(self, **options: Any) -> Reloaded:
        """Reload with these options changed."""
        before = self.bridge.settings
        self.settings[0] = replace(before, **options)
        assert self.bridge.reloader
        return await self.bridge.reloader.reload("test")

    def published(self, kind: type[Any]) -> list[Any]:
        """Return the events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    async def status(self) -> dict[str, Any]:
        """Return the status document."""
        document: dict[str, Any] = (await self.admin.get("/status")).json()
        return document

    async def metric(self, name: str, **labels: str) -> float:
        """Return one sample of /metrics; a KeyError says that it isn't there."""
        wanted = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
        sample = f"aibridge_{name}{{{wanted}}}" if wanted else f"aibridge_{name}"
        lines = (await self.admin.get("/metrics")).text.splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return float(values[sample])


async def _at_once(prepare: Callable[[], Any]) -> Any:
    """Call what otherwise a thread calls."""
    await trio.lowlevel.checkpoint()
    return prepare()


def _read(settings: Settings | UsageError) -> Settings:
    """Return the settings of a configuration, or raise its mistake."""
    if isinstance(settings, UsageError):
        raise settings
    return settings


def _fail(error: BaseException) -> None:
    raise error
