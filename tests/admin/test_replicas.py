"""Which replicas URLs stand for: names with several addresses, both families, this machine."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
import trio.testing

from aibridge_trio.admin.client import AdminClient
from aibridge_trio.admin.replicas import RESOLVE_TIMEOUT, Replicas, of_one_family
from aibridge_trio.config.addresses import BASE_URLS, MOST_URLS
from aibridge_trio.config.units import InvalidValue
from aibridge_trio.errors import CommandError

V4, V6 = socket.AF_INET, socket.AF_INET6


class Names(trio.abc.HostnameResolver):
    """A resolver that knows these names; while it `hangs` it answers nothing."""

    def __init__(self, **names: list[tuple[int, str]]) -> None:
        self.names = names
        self.hangs = False

    async def getaddrinfo(self, host: Any, port: Any, *_: Any, **__: Any) -> Any:
        await trio.lowlevel.checkpoint()
        if self.hangs:
            await trio.sleep_forever()
        if host.decode() not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(family, 1, 6, "", (address, port)) for family, address in self.names[host.decode()]]

    async def getnameinfo(self, *_: Any) -> Any:
        raise NotImplementedError


async def names(*urls: str, **known: list[tuple[int, str]]) -> list[str]:
    trio.socket.set_custom_hostname_resolver(Names(**known))
    return await found(Replicas(urls, None))


async def found(replicas: Replicas) -> list[str]:
    """The names of those that there are now."""
    return [client.name for client in await replicas.find()]


async def test_a_name_with_several_addresses_is_each_of_them() -> None:
    """In order, with the URL's port; other URLs stand for themselves."""
    found = await names(
        "http://bridges:4002",
        "http://10.0.0.9:4002",
        "http://one",
        bridges=[(V4, "10.0.0.8"), (V4, "10.0.0.7")],
        one=[(V4, "10.0.0.1")],
    )
    assert found == ["10.0.0.7:4002", "10.0.0.8:4002", "http://10.0.0.9:4002", "http://one"]


async def test_an_address_that_is_given_too_is_one_replica() -> None:
    """By itself, and as one of a name's. Another path is another replica behind the same proxy."""
    urls = ("http://10.0.0.7:4002", "http://bridges:4002", "http://bridges:4002/b")
    assert await names(*urls, bridges=[(V4, "10.0.0.8"), (V4, "10.0.0.7")]) == [
        "http://10.0.0.7:4002",
        "10.0.0.8:4002",
        "10.0.0.7:4002/b",
        "10.0.0.8:4002/b",
    ]


async def test_ipv6_is_bracketed() -> None:
    """As a URL, and as an address of a name."""
    assert await names("http://[::1]:9090", "http://six:4002", six=[(V6, "fd00::8"), (V6, "fd00::7")]) == [
        "http://[::1]:9090",
        "[fd00::7]:4002",
        "[fd00::8]:4002",
    ]


BOTH = [(V4, "10.0.0.7"), (V6, "fd00::7"), (V6, "fd00::8")]


@pytest.mark.parametrize(
    ("answers", "before", "addresses"),
    [
        ([*BOTH, (V4, "10.0.0.8")], None, ["10.0.0.7", "10.0.0.8"]),
        (BOTH, None, ["fd00::7", "fd00::8"]),
        (BOTH, ["10.0.0.6"], ["10.0.0.7"]),
        (BOTH, ["fd00::9"], ["fd00::7", "fd00::8"]),
        (BOTH[:1], ["fd00::9"], ["10.0.0.7"]),
        ([(V4, "127.0.0.1"), (V4, "127.0.0.2")], None, []),
        ([(V6, "::1"), (V4, "127.0.0.1")], None, []),
        ([(V4, "10.0.0.7"), (V4, "10.0.0.7")], None, ["10.0.0.7"]),
    ],
)
def test_one_family_is_used(
    answers: list[tuple[int, str]], before: list[str] | None, addresses: list[str]
) -> None:
    """A machine with both counts once, and so does this machine; the family stays the same."""
    assert of_one_family(answers, before) == addresses


async def test_a_name_is_followed() -> None:
    """From one address to several, to others, and back to one; what does not resolve stays what it was."""
    resolver = Names(bridges=[(V4, "10.0.0.1")])
    trio.socket.set_custom_hostname_resolver(resolver)
    replicas = Replicas(["http://bridges:4002"], None)
    assert replicas.may_change
    assert await found(replicas) == ["http://bridges:4002"]
    resolver.names["bridges"] = [(V4, "10.0.0.1"), (V4, "10.0.0.2")]
    assert await found(replicas) == ["10.0.0.1:4002", "10.0.0.2:4002"]
    resolver.names["bridges"] = [(V4, "10.0.0.3"), (V4, "10.0.0.2")]
    assert await found(replicas) == ["10.0.0.2:4002", "10.0.0.3:4002"]
    del resolver.names["bridges"]
    assert await found(replicas) == ["10.0.0.2:4002", "10.0.0.3:4002"]
    resolver.names["bridges"] = [(V4, "10.0.0.3")]
    assert await found(replicas) == ["10.0.0.3:4002"]


async def test_a_resolver_that_hangs(autojump_clock: trio.testing.MockClock) -> None:
    """All names are waited for at once, and not longer than the timeout."""
    resolver = Names(a=[(V4, "10.0.0.1"), (V4, "10.0.0.2")])
    trio.socket.set_custom_hostname_resolver(resolver)
    replicas = Replicas(["http://a", "http://b"], None)
    assert await found(replicas) == ["10.0.0.1", "10.0.0.2", "http://b"]
    resolver.hangs, began = True, trio.current_time()
    assert await found(replicas) == ["10.0.0.1", "10.0.0.2", "http://b"]
    assert trio.current_time() - began == RESOLVE_TIMEOUT


@pytest.mark.parametrize(
    ("urls", "may"),
    [
        (["http://10.0.0.7", "http://[::1]:1", "http://localhost:4002"], False),
        (["http://10.0.0.7", "http://bridges"], True),
    ],
)
def test_only_names_may_change(urls: list[str], may: bool) -> None:
    """Addresses, and this machine, stay what they are."""
    assert Replicas(urls, None).may_change == may


def test_urls_by_commas() -> None:
    """Blanks beside commas do no harm; one that is given twice, or is empty, is a mistake."""
    assert BASE_URLS.parse(" http://a:1 , http://[::1]:9090/") == ("http://a:1", "http://[::1]:9090")
    for wrong in ("http://a,http://A/", "http://a,", ""):
        with pytest.raises(InvalidValue):
            BASE_URLS.parse(wrong)


async def test_an_unknown_name_is_one_that_does_not_answer() -> None:
    """Its cause comes from the connection."""
    assert await names("http://nowhere:4002") == ["http://nowhere:4002"]


async def test_there_is_a_bound() -> None:
    """Replicas beyond it are an error, not left out in silence."""
    many: list[tuple[int, str]] = [(V4, f"10.0.{number // 200}.{number % 200}") for number in range(MOST_URLS + 1)]
    with pytest.raises(CommandError, match=f"{MOST_URLS + 1} replicas are more than {MOST_URLS}"):
        await names("http://many:1", many=many)


async def test_the_host_stays_the_names() -> None:
    """The connection goes to the address, `Host` has the URL's."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    heads = []

    async def answer(stream: trio.SocketStream) -> None:
        heads.append(await stream.receive_some())
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        client = AdminClient(f"http://bridges.example:{port}", None, "127.0.0.1")
        assert await client.status() == {}
        nursery.cancel_scope.cancel()
    assert f"\r\nhost: bridges.example:{port}\r\n".encode() in heads[0].lower()
