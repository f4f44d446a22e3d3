"""Connections opened: names looked up behind a bulkhead, addresses side by side, sockets that notice their end."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.errors import UpstreamFault
from aibridge_trio.net import dial
from aibridge_trio.net.dial import LOOKUPS, Resolver, new_dialer, socket_options
from aibridge_trio.net.fault_causes import cause
from aibridge_trio.net.stream import Shortage, TCPStream
from aibridge_trio.server.asgi import AsgiBody
from aibridge_trio.upstream.client import Timeouts, Upstream
from aibridge_trio.upstream.exchange import Outgoing
from aibridge_trio.upstream.transport import Transports

GetAddrInfo = Callable[..., list[Any]]
REAL = socket.getaddrinfo


class Hanging:
    """A resolver that hangs for names that begin with `hang`, until it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()

    def __call__(self, host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        self.asked.append(host)
        if host.startswith("hang"):
            self.go.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if host == "nowhere.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return REAL("127.0.0.1" if host.endswith(".test") else host, port, *args, **options)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    """Put one in the system's place."""
    resolver = Hanging()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.go.set()


async def fault_of(upstream: Upstream) -> UpstreamFault:
    """Ask, and return what went wrong."""
    body = AsgiBody()
    body._send_channel.close()
    try:
        async with upstream.send(Outgoing("GET", b"/x", [], body, None, chunked=False, max_body=0), lambda: None):
            raise AssertionError
    except UpstreamFault as fault:
        return fault


async def test_a_hanging_name_hinders_no_other_provider(resolver: Hanging) -> None:
    """However many requests wait for it: each provider has threads of its own. And nothing waits for them."""
    transports = Transports(None)
    hanging = Upstream("http://hanging.test:9/v1", transports(None), Timeouts(0.5))
    refusing = Upstream("http://well.test:9/v1", transports(None), Timeouts(5.0))
    faults: list[UpstreamFault] = []

    async def ask() -> None:
        faults.append(await fault_of(hanging))

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(ask)
            await trio.sleep(0.1)
            fault = await fault_of(refusing)
            assert (fault.phase, fault.timeout, fault.detail) == ("connect", False, "connection refused")
            assert not faults
    assert resolver.asked.count("hanging.test") <= LOOKUPS
    # The look-up was under way, and no connection came of it: that is the provider's.
    assert {(fault.phase, fault.timeout, fault.neutral) for fault in faults} == {("connect", True, False)}


async def test_without_a_thread_it_is_our_shortage(resolver: Hanging) -> None:
    """Abandoned look-ups keep their threads; a request without a free thread fails at once, as a neutral fault."""
    upstream = Upstream("http://hanging.test:9/v1", Transports(None)(None), Timeouts(0.02))
    for _ in range(LOOKUPS):
        fault = await fault_of(upstream)
        assert (fault.timeout, fault.neutral) == (True, False)
    fault = await fault_of(upstream)
    assert (fault.phase, fault.timeout, fault.neutral) == ("connect", False, True)
    assert fault.detail == "no thread is free to look the name up"


async def test_a_thread_that_cannot_start_is_our_shortage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's limit on threads is not the provider's doing."""

    async def no_thread(*_: object, **__: object) -> None:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(trio.to_thread, "run_sync", no_thread)
    with pytest.raises(Shortage) as caught:
        await Resolver().resolve("well.test", 80)
    assert cause(caught.value) == "no thread can be started to look the name up"


async def test_a_name_is_looked_up_once_for_all_who_wait(resolver: Hanging) -> None:
    """If the request that runs a look-up is cancelled, another one repeats the look-up."""
    names = Resolver()
    found: list[Any] = []

    async def find(timeout: float, host: str) -> None:
        with trio.move_on_after(timeout):
            found.append(await names.resolve(host, 80))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(find, 5, "well.test")
    assert len(resolver.asked) == 1
    assert len(found) == 20
    async with trio.open_nursery() as nursery:
        nursery.start_soon(find, 0.05, "hang.test")
        await trio.sleep(0.01)
        nursery.start_soon(find, 0.3, "hang.test")
    assert resolver.asked.count("hang.test") == 2
    assert not names._lookups


async def test_a_failed_look_up_fails_for_all(resolver: Hanging) -> None:
    """With its reason."""
    names = Resolver()
    said: list[str] = []

    async def find() -> None:
        try:
            await names.resolve("nowhere.test", 80)
        except OSError as error:
            said.append(cause(error))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(find)
    assert said == ["name not found"] * 3
    assert resolver.asked == ["nowhere.test"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_needs_no_look_up(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Nor a thread."""

    async def no_thread(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(trio.to_thread, "run_sync", no_thread)
    [address] = await Resolver().resolve(host, 80)
    assert address.where[:2] == (host, 80)


async def test_what_is_no_name_is_not_found() -> None:
    """A label that is too long for DNS is no bug of ours."""
    with pytest.raises(OSError) as caught:
        await Resolver().resolve("x" * 300 + ".test", 80)
    assert cause(caught.value) in ("name not found", "name look-up failed: Name or service not known")


async def test_the_first_address_that_answers_is_taken(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that refuses passes the turn on at once, a silent one after a quarter of a second; losers close."""
    opened: list[str] = []
    closed: list[str] = []

    async def refuse() -> None:
        await trio.sleep(0.01)
        raise ConnectionRefusedError(111, "refused")

    class Socket:
        def __init__(self, name: str) -> None:
            self.name = name

        def close(self) -> None:
            closed.append(self.name)

    async def connected(address: Any, _options: Any) -> Socket:
        opened.append(address.where)
        sock = Socket(address.where)
        try:
            match address.where:
                case "silent":
                    await trio.sleep_forever()
                case "refuses":
                    await refuse()
                case _:
                    await trio.sleep(0.1)
        except BaseException:
            sock.close()
            raise
        return sock

    monkeypatch.setattr(dial, "_connect", connected)

    async def race(*names: str) -> Any:
        opened.clear()
        closed.clear()
        return await dial._connect_first([dial.Address(socket.AF_INET, name) for name in names], [])

    began = trio.current_time()
    assert (await race("refuses", "silent", "answers", "late")).name == "answers"
    assert trio.current_time() - began == pytest.approx(0.01 + 0.25 + 0.1)
    assert (opened, closed) == (["refuses", "silent", "answers"], ["refuses", "silent"])
    with pytest.raises(OSError, match="no address answers") as caught:
        await race("refuses", "refuses")
    assert cause(caught.value) == "connection refused"
    with pytest.raises(ConnectionRefusedError):
        await race("refuses")
    with trio.move_on_after(1):
        await race("silent", "silent")
    assert closed == ["silent", "silent"]


async def test_a_name_with_two_families_is_tried_by_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second address is of the other family (RFC 8305, 4)."""
    six = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (f"::{n}", 80, 0, 0)) for n in range(3)]
    four = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [*six, *four])
    found = await Resolver().resolve("well.test", 80)
    assert [each.where[0] for each in found] == ["::0", "127.0.0.1", "::1", "::2"]


# The sockets themselves


@pytest.mark.parametrize(("silence", "milliseconds"), [(30.0, 120_000), (300.0, 300_000), (math.inf, 0)])
async def test_a_connection_notices_that_its_other_side_is_gone(silence: float, milliseconds: int) -> None:
    """Keepalive after a minute, and an end to what is never acknowledged: never before `--idle-timeout`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        link = await new_dialer(silence=silence)("127.0.0.1", listener.getsockname()[1])
        assert isinstance(link, TCPStream)
        sock = link._sock
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == milliseconds
        link.close()


def test_a_proxied_connection_notices_it_too() -> None:
    """httpx's transport sets the same on its sockets."""
    transport: Any = Transports(None, silence=30.0)("http://127.0.0.1:9")
    assert transport._pool._socket_options == socket_options(30.0)
