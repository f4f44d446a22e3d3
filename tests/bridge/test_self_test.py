"""The bridge's request to itself, over real sockets: what counts as an answer, and what does not."""

from __future__ import annotations

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from aibridge_trio.bridge.self_test import SelfTest
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.server.asgi import HandlerApplication
from aibridge_trio.server.connection_limit import ConnectionLimit
from aibridge_trio.server.server import Server
from tests.net.test_tls_contexts import files_of
from tests.net.test_tls_upstream_ca import signed

WITHIN = 1.0


async def never(_: Request, __: Reply) -> None:
    """Answer no caller: the self-test does not come this far."""
    raise AssertionError


def fails(error: BaseException) -> None:
    raise error


@asynccontextmanager
async def serving(test: SelfTest, **options: Any) -> AsyncIterator[Server]:
    """Run a server on a free port."""
    server = Server(HandlerApplication(test.answering(never)), report=fails, **options)
    server.open("127.0.0.1", 0, option="--bind")
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield server
        server.cut()


async def test_a_listener_that_answers_is_well() -> None:
    """As often as it is asked, and each of several."""
    test = SelfTest()
    async with serving(test) as server:
        assert await test.failure(server, WITHIN) is None
        assert await test.failure(server, WITHIN) is None
        assert test._answered == 2


async def test_a_listener_that_accepts_nothing_is_not() -> None:
    """The kernel completes the connection, and no answer comes."""
    test = SelfTest()
    server = Server(HandlerApplication(test.answering(never)), report=fails)
    host, port = server.open("127.0.0.1", 0, option="--bind")
    assert await test.failure(server, 0.1) == f"{host}:{port}: no answer within 0.1 s"
    server.close()
    assert await test.failure(server, 0.1) is None  # none listens


async def test_callers_requests_go_to_the_handler() -> None:
    """The test's path is a secret; any other is the handler's, a guess too."""
    seen: list[bytes] = []

    async def handler(request: Request, reply: Reply) -> None:
        seen.append(request.path)
        await reply.answer(200, [], b"")

    test = SelfTest()
    assert test.path != SelfTest().path
    server = Server(HandlerApplication(test.answering(handler)), report=fails)
    host, port = server.open("127.0.0.1", 0, option="--bind")
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        stream = await trio.open_tcp_stream(host, port)
        await stream.send_all(b"HEAD /self-test/0123 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
        await stream.aclose()
        server.cut()
    assert seen == [b"/self-test/0123"]
    assert not test._answered


async def test_a_full_server_answers() -> None:
    """A connection that is turned away has been accepted."""
    test = SelfTest()
    limit = ConnectionLimit("callers", lambda _: None, most=1)
    async with serving(test, connections=limit) as server:
        sock = server.sockets()[0]
        with socket.create_connection(sock.getsockname()):
            with trio.fail_after(5):
                while not server.statistics().connections:
                    await trio.sleep(0.01)
            assert await test.failure(server, WITHIN) is None
    assert not test._answered


async def test_tls_and_unix_sockets(tmp_path: Path) -> None:
    """The certificate may be for any name; the socket's file may be the service manager's."""
    certificate, key = files_of(tmp_path, signed("bridge.example", None, authority=False))
    test = SelfTest()
    async with serving(test, tls_cert=certificate, tls_key=key) as server:
        assert await test.failure(server, WITHIN) is None
        assert test._answered == 1
    server = Server(HandlerApplication(test.answering(never)), report=fails)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
        sock.listen()
        server.adopt(sock)
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            assert await test.failure(server, WITHIN) is None
            assert test._answered == 2
            (tmp_path / "s").unlink()
            assert await test.failure(server, WITHIN) is None  # it cannot be tested
            server.cut()


async def test_another_process_on_the_same_socket_is_not_this_one() -> None:
    """Its answers do not tell that this process accepts."""
    mine, other = SelfTest(), SelfTest()

    async def handler(_: Request, reply: Reply) -> None:
        await reply.answer(404, [], b"")

    async with serving(mine) as server:
        pass
    server = Server(HandlerApplication(mine.answering(handler)), report=fails)
    host, port = server.open("127.0.0.1", 0, option="--bind")  # and never runs
    beside = Server(HandlerApplication(other.answering(handler)), report=fails)
    beside.adopt(server.sockets()[0].dup())
    async with trio.open_nursery() as nursery:
        await nursery.start(beside.run)
        assert await mine.failure(server, WITHIN) == f"{host}:{port}: another process answers"
        beside.cut()
    server.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
async def test_without_descriptors_it_cannot_be_tested(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is a shortage of the machine's, and a restart would cut what goes on."""
    test = SelfTest()

    async def ask(*_: object, **__: object) -> None:
        raise OSError(number, "")

    async with serving(test) as server:
        monkeypatch.setattr(test, "_ask", ask)
        assert await test.failure(server, WITHIN) is None
        monkeypatch.setattr(test, "_ask", lambda *_, **__: _refused())
        assert "refused" in str(await test.failure(server, WITHIN * 3))


async def _refused() -> None:
    raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
