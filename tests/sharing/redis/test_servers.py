"""Each kind of store is found: by TCP, TLS, a unix socket, sentinels, in a cluster; or the reason is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trustme

from aibridge_trio.config.store_url import STORE, store_address
from aibridge_trio.net.dial import new_dialer
from aibridge_trio.sharing.backend import StoreError
from aibridge_trio.sharing.redis import connection
from aibridge_trio.sharing.redis.servers import Servers
from tests.support.redis_servers import PROGRAMS, cluster, running, sentinels

pytestmark = pytest.mark.real
KEY = "{servers}"


async def set_and_get(url: str) -> object:
    """Connect, set the key and read it; raises StoreError."""
    servers = Servers(store_address(STORE.parse(url)), KEY, new_dialer())
    failure: StoreError | None = None
    found: object = None
    async with trio.open_nursery() as nursery:
        try:
            made = await servers.connect(nursery)
            await made.call("SET", KEY, "x")
            found = await made.call("GET", KEY)
            made.drop()
        except StoreError as error:
            failure = error
    if failure:
        raise failure
    return found


async def failure(url: str) -> str:
    """Return why there is no connection."""
    with pytest.raises(StoreError) as caught:
        await set_and_get(url)
    return str(caught.value)


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_server_by_tcp(program: str) -> None:
    """In any database, of each make; a wrong database is said."""
    with running(program) as server:
        assert await set_and_get(server.url) == b"x"
        assert await set_and_get(f"{server.url}/3") == b"x"
        assert "out of range" in await failure(f"{server.url}/99")


async def test_a_server_by_its_unix_socket() -> None:
    """With a password, too."""
    with running(unix_socket=True, password="p/w d:@") as server:
        assert server.socket_path
        assert await set_and_get(f"unix://:p%2Fw%20d%3A%40@{server.socket_path}?db=1") == b"x"
        assert await failure(f"unix://{server.socket_path}") == "it asks for a password"
        assert await failure("unix:///no/such/socket") == "no such file or directory"


async def test_passwords() -> None:
    """Missing and wrong ones are said, and not shown."""
    with running(password="hunter2") as server:
        place = f"localhost:{server.port}"
        assert await set_and_get(f"redis://:hunter2@{place}") == b"x"
        assert await set_and_get(f"redis://default:hunter2@{place}") == b"x"
        assert await failure(f"redis://{place}") == "it asks for a password"
        assert await failure(f"redis://:hunter3@{place}") == "it refuses the user or the password"
        assert await failure(f"redis://other:hunter2@{place}") == "it refuses the user or the password"


async def test_a_server_by_tls(tmp_path: Path) -> None:
    """Its certificate is verified, with the authorities that the URL names."""
    authority, other = trustme.CA(), trustme.CA()
    for name, each in (("ca", authority), ("other", other)):
        each.cert_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    with running(tls=authority) as server:
        url = f"rediss://localhost:{server.port}"
        assert await set_and_get(f"{url}?ca={tmp_path}/ca.pem") == b"x"
        assert "certificate verify failed" in await failure(f"{url}?ca={tmp_path}/other.pem")
        assert "certificate verify failed" in await failure(url)
        assert await failure(f"redis://localhost:{server.port}")


async def test_nothing_there() -> None:
    """A port without a server, a name without an address."""
    assert await failure("redis://127.0.0.1:1") == "connection refused"
    assert await failure("redis://nothing.invalid") == "name not found"


async def test_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is given up in time."""
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.2)
    with running() as server:
        server.pause()
        assert await failure(server.url) == "no connection within 0.2 s"


async def test_a_server_that_is_none() -> None:
    """Whatever it answers, it is a StoreError."""
    answers = (
        *(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"%1\r\n+proto\r\n:2\r\n", b"*-9\r\n", b"$9\r\n", b"\xff\r\n"),
        *(b"*1\r\n" * 5000, b":x\r\n", b"-\r\n", b"-MOVED\r\n", b"-MOVED 1 2\r\n", b"-MOVED 1 h:1\r\n"),
        *(b"%1\r\n*0\r\n:1\r\n", b">1\r\n+x\r\n", b"$99999999999\r\n" + bytes(1 << 20)),
    )
    for answer in answers:

        async def serve(stream: trio.SocketStream, answer: bytes = answer) -> None:
            async with stream:
                await stream.receive_some()
                await stream.send_all(answer)

        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            port = listeners[0].socket.getsockname()[1]
            nursery.start_soon(trio.serve_listeners, serve, listeners)
            assert await failure(f"redis://127.0.0.1:{port}"), answer
            nursery.cancel_scope.cancel()


async def test_sentinels() -> None:
    """The primary that they name now; sentinels that are away are passed over, an unknown service is said."""
    with sentinels() as found:
        place = f"127.0.0.1:1,localhost:{found.sentinel.port}"
        url = f"redis+sentinel://{place}/{found.name}"
        assert await set_and_get(url) == b"x"
        assert found.primary().call("GET", KEY) == "x"
        assert "it does not know other" in await failure(f"redis+sentinel://{place}/other")
        after = await trio.to_thread.run_sync(found.fail_over)
        assert await set_and_get(url) == b"x"
        assert after.call("GET", KEY) == "x"


async def test_a_cluster() -> None:
    """From each of its servers the one with the keys is found; those that are away are passed over."""
    with cluster() as found:
        for server in found.servers:
            assert await set_and_get(f"redis+cluster://127.0.0.1:1,localhost:{server.port}") == b"x"
        assert "connection refused" in await failure("redis+cluster://127.0.0.1:1")
        with running() as alone:
            assert await set_and_get(f"redis+cluster://localhost:{alone.port}") == b"x"
