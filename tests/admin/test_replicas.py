"""Which replicas URLs stand for: names with several addresses, both families, this machine."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
import trio.testing

from aibridge_trio.admin import replicas
from aibridge_trio.admin.client import AdminClient
from aibridge_trio.errors import CommandError

V4, V6 = socket.AF_INET, socket.AF_INET6


class Names(trio.abc.HostnameResolver):
    """A resolver that knows these names."""

    def __init__(self, **names: list[tuple[int, str]]) -> None:
        self._names = names

    async def getaddrinfo(self, host: Any, port: Any, *_: Any, **__: Any) -> Any:
        await trio.lowlevel.checkpoint()
        if host.decode() not in self._names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(family, 1, 6, "", (address, port)) for family, address in self._names[host.decode()]]

    async def getnameinfo(self, *_: Any) -> Any:
        raise NotImplementedError


async def names(*urls: str, **known: list[tuple[int, str]]) -> list[str]:
    trio.socket.set_custom_hostname_resolver(Names(**known))
    return [client.name for client in await replicas.find(urls, None)]


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


@pytest.mark.parametrize(
    ("answers", "addresses"),
    [
        ([(V4, "10.0.0.7"), (V6, "fd00::7"), (V4, "10.0.0.8"), (V6, "fd00::8")], ["10.0.0.7", "10.0.0.8"]),
        ([(V4, "10.0.0.7"), (V6, "fd00::7")], []),
        ([(V6, "fd00::8"), (V6, "fd00::7")], ["fd00::7", "fd00::8"]),
        ([(V4, "127.0.0.1"), (V4, "127.0.0.2")], []),
        ([(V4, "10.0.0.7"), (V4, "10.0.0.7")], []),
    ],
)
def test_one_family_is_used(answers: list[tuple[int, str]], addresses: list[str]) -> None:
    """A machine with both counts once, and so does this machine."""
    assert replicas.several(answers) == addresses


async def test_an_unknown_name_is_one_that_does_not_answer() -> None:
    """Its cause comes from the connection."""
    assert await names("http://nowhere:4002") == ["http://nowhere:4002"]


async def test_there_is_a_bound() -> None:
    """Replicas beyond it are an error, not left out in silence."""
    with pytest.raises(CommandError, match="65 replicas are more than 64"):
        await names("http://many:1", many=[(V4, f"10.0.0.{number}") for number in range(1, 66)])


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
