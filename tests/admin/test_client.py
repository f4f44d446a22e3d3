"""The operator's client: what it sends, what it understands, and what it says of all that can go wrong."""

from __future__ import annotations

import gc
import json
import re
import socket
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import certifi
import pytest
import trio
import trustme

from aibridge_trio.admin import client
from aibridge_trio.admin.client import AdminClient, Refused, Unreachable
from aibridge_trio.config.units import Secret
from aibridge_trio.errors import CommandError, UsageError

pytestmark = [
    pytest.mark.real,
    # Where reading ends early httpx leaves its generators to the garbage collector, the connection being closed.
    pytest.mark.filterwarnings("ignore:Async generator 'http:ResourceWarning"),
]

TOKEN = "hunter2-canary"
PATIENCE = 10.0
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
ENDLESS = STREAM + b"connection: close\r\n\r\n"
STRANGER = "what answers there is no AI Bridge"

Say = Callable[[trio.abc.Stream], Awaitable[None]]


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """Collect the garbage of a test where it is made."""
    yield
    gc.collect()


@dataclass
class Peer:
    """A peer: its URL, the requests it got, and whether the client has closed the connection."""

    url: str
    asked: list[bytes] = field(default_factory=list)
    left: trio.Event = field(default_factory=trio.Event)

    def head(self) -> tuple[str, dict[str, str]]:
        """The last request's first line, and its headers."""
        first, *lines = self.asked[-1].partition(b"\r\n\r\n")[0].decode().split("\r\n")
        return first, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


@asynccontextmanager
async def a_peer(say: bytes | Say | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """Answer every connection: with these bytes and the end, as `say` does, or not at all."""
    with trio.socket.socket() as listener:
        await listener.bind(("127.0.0.1", 0))
        listener.listen()
        peer = Peer(f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}")

        async def serve(connection: trio.abc.Stream) -> None:
            stream: trio.abc.Stream = (
                trio.SSLStream(connection, tls, server_side=True, https_compatible=True) if tls else connection
            )
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                async with stream:
                    peer.asked.append(await _request(stream))
                    if callable(say):
                        await say(stream)
                    elif say is not None:
                        await stream.send_all(say)
                        return
                    while await stream.receive_some():
                        pass
            peer.left.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, serve, [trio.SocketListener(listener)])
            yield peer
            nursery.cancel_scope.cancel()


async def _request(stream: trio.abc.Stream) -> bytes:
    """Read a request, or as much as tells that it is none."""
    request = bytes(await stream.receive_some())
    while request.startswith((b"GET ", b"POST ")) and not _whole(request):
        more = await stream.receive_some()
        if not more:
            break
        request += more
    return request


def _whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return bool(end) and len(body) >= (int(found[1]) if found else 0)


def answer(status: str, body: bytes, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


def told(document: Any) -> bytes:
    return b"event: status\ndata: %s\n\n" % json.dumps(document).encode()


async def ask(operator: AdminClient, how: str) -> Any:
    """Ask in one of the three ways there are; what is followed is returned as a list."""
    if how == "status":
        return await operator.status()
    if how == "override":
        return await operator.override("openai", "open")
    heard: list[Any] = []
    await operator.follow(heard.append)
    return heard


EVERY_WAY = pytest.mark.parametrize("how", ["status", "follow", "override"])


async def fails(operator: AdminClient, how: str) -> CommandError:
    """Ask, in vain; nothing that is said of it shows the token."""
    with trio.fail_after(PATIENCE), pytest.raises((Unreachable, Refused)) as failure:
        await ask(operator, how)
    assert operator.url in str(failure.value)
    assert "canary" not in "".join(traceback.format_exception(failure.value)) + repr(failure.value)
    return failure.value


def why(failure: CommandError) -> str:
    assert isinstance(failure, Unreachable | Refused)
    return failure.why


# What is asked, and what is understood


async def test_the_status() -> None:
    """The status is what the bridge says it is."""
    async with a_peer(answer("200 OK", b'{"schema": 1}')) as peer:
        assert await AdminClient(peer.url).status() == {"schema": 1}
        assert peer.head()[0] == "GET /status HTTP/1.1"
        assert "authorization" not in peer.head()[1]
        assert peer.head()[1]["accept-encoding"] == "identity", "nothing is inflated before it is counted"


async def test_an_order() -> None:
    """An override is JSON for one provider, whatever its name contains; its result is one line."""
    async with a_peer(answer("200 OK", b'{"state": "open", "mode": "open"}')) as peer:
        assert await AdminClient(peer.url).override("openai", "open") == "openai: open, mode open"
        assert peer.head()[0] == "POST /breakers/openai HTTP/1.1"
        assert peer.head()[1]["content-type"] == "application/json"
        assert json.loads(peer.asked[-1].partition(b"\r\n\r\n")[2]) == {"mode": "open"}
        await AdminClient(peer.url).override("../status?", "open")
        assert peer.head()[0] == "POST /breakers/..%2Fstatus%3F HTTP/1.1"


@pytest.mark.parametrize("size", [1, 2, 7, 100_000])
async def test_documents_are_handed_over_as_they_come(size: int) -> None:
    """Each document is delivered at once, however the bytes are split; other events are ignored."""
    documents = [{"schema": 1, "word": word} for word in ("é", "→", "\n", "x" * 50)]
    heard: list[Any] = []
    came = trio.Event()

    def hear(document: Any) -> None:
        heard.append(document)
        came.set()

    async def say(stream: trio.abc.Stream) -> None:
        nonlocal came
        noise = b": a comment\n\nevent: other\ndata: 1\n\nretry: 1\n\n"
        for number, document in enumerate(documents):
            came = trio.Event()
            text = (ENDLESS if not number else b"") + noise + told(document)
            for start in range(0, len(text), size):
                await stream.send_all(text[start : start + size])
            await came.wait()
        await stream.aclose()

    with trio.fail_after(PATIENCE):
        async with a_peer(say) as peer:
            await AdminClient(peer.url).follow(hear)
            assert peer.head()[0] == "GET /status/stream HTTP/1.1"
    assert heard == documents


@EVERY_WAY
async def test_the_token(how: str) -> None:
    """The token goes out as Bearer, with everything that is asked, and is in no repr."""
    body = answer("200 OK", told({}), "text/event-stream") if how == "follow" else answer("200 OK", b"{}")
    async with a_peer(body) as peer:
        operator = AdminClient(peer.url, Secret(TOKEN))
        await ask(operator, how)
        assert peer.head()[1]["authorization"] == f"Bearer {TOKEN}"
        assert "canary" not in repr(operator) + repr(vars(operator))


async def test_variables_for_others_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy for the world, or a .netrc, has no part in this: the admin listener is asked itself."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with a_peer(answer("200 OK", b"{}")) as peer:
        assert await AdminClient(peer.url).status() == {}


# What can go wrong


@EVERY_WAY
async def test_no_listener(how: str) -> None:
    """A refused connection has the system's message, and names the flag for another URL."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    for host in ("127.0.0.1", "localhost"):
        failure = await fails(AdminClient(f"http://{host}:{port}", Secret(TOKEN)), how)
        assert isinstance(failure, Unreachable)
        assert str(failure) == f"no bridge answers at http://{host}:{port} (connection refused); see --url"


@EVERY_WAY
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "it hung up"),
        (b"HTTP/1.1 200 OK\r\nx", "it hung up"),
        (STREAM + b"content-length: 50\r\n\r\n: ", "it hung up"),
        (STREAM + b"transfer-encoding: chunked\r\n\r\n5\r\n: ", "it hung up"),
        (b"SSH-2.0-Server\r\n\r\n", STRANGER),
        (bytes(range(256)), STRANGER),
        (STREAM + b"transfer-encoding: chunked\r\n\r\nzz\r\n", STRANGER),
        (STREAM + b"content-encoding: gzip\r\n\r\nnope", STRANGER),
        (STREAM + b"x: %s\r\n\r\n" % (b"y" * 300_000), STRANGER),
        (answer("200 OK", b"<h1>Welcome</h1>", "text/html"), STRANGER),
        (answer("200 OK", b"[1]"), STRANGER),
        (answer("204 No Content", b""), STRANGER),
        (answer("404 Not Found", b"<h1>canary</h1>", "text/html"), "what answers there with 404 is no AI Bridge"),
        (answer("500 Oh", b'["canary"]'), "what answers there with 500 is no AI Bridge"),
        (answer("403 No", b'{"detail": "canary"}'), "what answers there with 403 is no AI Bridge"),
        (answer("403 No", b"[" * 100_000), "what answers there with 403 is no AI Bridge"),
    ],
    ids=[
        *("no word", "half a head", "half a body", "half a chunk", "SSH", "binary", "a bad chunk", "no gzip"),
        *("an endless head", "a page", "a list", "nothing", "a page of 404", "a list of 500", "another's 403"),
        "deep JSON",
    ],
)
async def test_strange_answers(said: bytes, reason: str, how: str) -> None:
    """An answer that is not a bridge's has an error that repeats nothing of it."""
    async with a_peer(said) as peer:
        failure = await fails(AdminClient(peer.url, Secret(TOKEN)), how)
    assert isinstance(failure, Unreachable)
    assert why(failure) == reason


async def test_a_strange_document() -> None:
    """An event that is not a JSON object raises, after the documents before it were delivered."""
    heard: list[Any] = []
    for strange in (b"nonsense", b"[]", b'"text"', b"\xff"):
        async with a_peer(ENDLESS + told({"n": 1}) + b"event: status\ndata: %s\n\n" % strange) as peer:
            with pytest.raises(Unreachable, match="no AI Bridge"):
                await AdminClient(peer.url).follow(heard.append)
    assert heard == [{"n": 1}] * 4


async def test_a_stream_that_ends() -> None:
    """A stream that ends properly is no failure; a broken one raises after its documents were delivered."""
    heard: list[Any] = []
    async with a_peer(ENDLESS + told({"n": 1})) as peer:
        await AdminClient(peer.url).follow(heard.append)
    cut = STREAM + b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(told({"n": 2})), told({"n": 2}))
    async with a_peer(cut) as peer:
        failure: list[str] = []
        try:
            await AdminClient(peer.url).follow(heard.append)
        except Unreachable as gone:
            failure.append(gone.why)
    assert (heard, failure) == ([{"n": 1}, {"n": 2}], ["it hung up"])


@EVERY_WAY
async def test_too_much(how: str) -> None:
    """An endless answer is read up to a bound."""

    async def say(stream: trio.abc.Stream) -> None:
        await stream.send_all(ENDLESS + b"event: status\ndata: {")
        while True:
            await stream.send_all(b" " * 100_000)

    async with a_peer(say) as peer:
        failure = await fails(AdminClient(peer.url), how)
        with trio.fail_after(PATIENCE):
            await peer.left.wait()
    assert why(failure) == "what it says is too long for a status"


async def test_a_long_watch_is_not_too_much() -> None:
    """The bound is for one document, not for a day of them."""
    document = {"padding": "x" * 200_000}
    async with a_peer(ENDLESS + told(document) * 10) as peer:
        assert await ask(AdminClient(peer.url), "follow") == [document] * 10


@EVERY_WAY
async def test_silence(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent peer times out, and its connection is closed."""
    monkeypatch.setattr(client, "_TIMEOUT", 0.1)
    for say in (None, STREAM):

        async def stall(stream: trio.abc.Stream, say: bytes | None = say) -> None:
            if say:
                await stream.send_all(say)

        async with a_peer(stall) as peer:
            failure = await fails(AdminClient(peer.url), how)
            with trio.fail_after(PATIENCE):
                await peer.left.wait()
        assert why(failure) in ("no word for 0.1 s", "no answer within 0.1 s")


async def test_chatter_is_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream in which there is everything but a status is as good as silent."""
    monkeypatch.setattr(client, "_TIMEOUT", 0.3)

    async def chatter(stream: trio.abc.Stream) -> None:
        await stream.send_all(ENDLESS)
        while True:
            await stream.send_all(b": here\n\nevent: other\ndata: {}\n\n")
            await trio.sleep(0.02)

    async with a_peer(chatter) as peer:
        assert why(await fails(AdminClient(peer.url), "follow")) == "no word for 0.3 s"


async def test_each_word_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge may be watched for longer than its silence would be borne."""
    monkeypatch.setattr(client, "_TIMEOUT", 2.0)

    async def talk(stream: trio.abc.Stream) -> None:
        await stream.send_all(ENDLESS)
        for number in range(12):
            await stream.send_all(told({"n": number}))
            await trio.sleep(0.2)
        await stream.aclose()

    async with a_peer(talk) as peer:
        assert len(await ask(AdminClient(peer.url), "follow")) == 12


@pytest.mark.parametrize("how", ["status", "override"])
async def test_an_answer_that_drips(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short answer has a deadline as a whole, so a byte now and then does not extend it."""
    monkeypatch.setattr(client, "_TIMEOUT", 0.3)

    async def drip(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send_all(b" ")
            await trio.sleep(0.02)

    async with a_peer(drip) as peer:
        assert why(await fails(AdminClient(peer.url), how)) == "no answer within 0.3 s"


@EVERY_WAY
@pytest.mark.parametrize(
    ("status", "hint"),
    [
        ("401 No", "; AIBRIDGE_ADMIN_TOKEN has another token"),
        ("403 Forbidden", ""),
        ("404 Not Found", ""),
        ("409 No", ""),
    ],
)
async def test_refusals(status: str, hint: str, how: str) -> None:
    """A bridge that says no is quoted, with its status; for 401 there is the variable with the wrong token."""
    body = json.dumps({"message": "because of the moon"}).encode()
    async with a_peer(answer(status, body)) as peer:
        failure = await fails(AdminClient(peer.url, Secret(TOKEN)), how)
    assert isinstance(failure, Refused)
    assert failure.why == f"because of the moon ({status[:3]}){hint}"
    assert str(failure) == f"{peer.url} refused: {failure.why}"


async def test_a_bridge_that_cannot_reload() -> None:
    """An older one does not know the path, and ends on SIGHUP: the message says what to do instead."""
    async with a_peer(answer("404 Not Found", b'{"message": "not found"}')) as peer:
        with pytest.raises(UsageError, match="of a version that cannot reload; restart it"):
            await AdminClient(peer.url).reload()


@EVERY_WAY
async def test_a_token_that_is_missing(how: str) -> None:
    """Without a token the error names the variable for it."""
    async with a_peer(answer("401 No", b'{"message": "token?"}')) as peer:
        assert why(await fails(AdminClient(peer.url), how)) == "token? (401); set AIBRIDGE_ADMIN_TOKEN"


@EVERY_WAY
async def test_a_url_with_too_much_behind_it(how: str) -> None:
    """A URL that ends in a path of the API has an error that says to remove the path."""
    async with a_peer(answer("404 Not Found", b'{"message": "no such path"}')) as peer:
        for page, remedy in (
            ("/status", "; write the URL without /status"),
            ("/status/stream", "; write the URL without /status/stream"),
            # It may be there for a good reason.
            ("/bridge", ""),
        ):
            failure = await fails(AdminClient(f"{peer.url}{page}"), how)
            assert why(failure) == f"no such path (404){remedy}"


@EVERY_WAY
async def test_control_codes_are_not_passed_on(how: str) -> None:
    """Nothing that a peer says can reach a terminal as a control code, or fill it."""
    evil = "\x1b]0;owned\x07\r\n" + "x" * 5000
    async with a_peer(answer("403 Forbidden", json.dumps({"message": evil}).encode())) as peer:
        failure = await fails(AdminClient(peer.url), how)
    assert why(failure).isprintable()
    assert len(why(failure)) < 300
    async with a_peer(answer("200 OK", json.dumps({"state": evil, "mode": evil}).encode())) as peer:
        notice = await AdminClient(peer.url).override("openai", "open")
    assert notice.isprintable()
    assert len(notice) < 300


@EVERY_WAY
async def test_the_callers_side(how: str) -> None:
    """The URL of the callers' listener has an error that names the admin listener's default port."""
    reject = b"HTTP/1.1 404 No\r\nx-aibridge-reject: not_found\r\ncontent-length: 0\r\n\r\n"
    async with a_peer(reject) as peer:
        failure = await fails(AdminClient(peer.url, Secret(TOKEN)), how)
    assert re.match("that is where callers connect; the admin listener has another port", why(failure))


@EVERY_WAY
async def test_redirects_lead_nowhere(how: str) -> None:
    """A redirect is not followed, because the token is for the configured URL only."""
    async with a_peer(answer("200 OK", b"{}")) as other:
        location = f"HTTP/1.1 307 There\r\nlocation: {other.url}/\r\ncontent-length: 0\r\n\r\n".encode()
        async with a_peer(location) as peer:
            failure = await fails(AdminClient(peer.url, Secret(TOKEN)), how)
        assert not other.asked
    assert why(failure) == "what answers there with 307 is no AI Bridge"


@EVERY_WAY
async def test_cancellation_hangs_up(how: str) -> None:
    """Cancelling the client closes its connection."""
    async with a_peer(None) as peer, trio.open_nursery() as nursery:
        nursery.start_soon(ask, AdminClient(peer.url), how)
        with trio.fail_after(PATIENCE):
            while not peer.asked:
                await trio.sleep(0.005)
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await peer.left.wait()


# TLS


@pytest.fixture
def authority(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that the client trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setattr(certifi, "where", lambda: str(tmp_path / "ca.pem"))
    return authority


def tls_of(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


@EVERY_WAY
async def test_a_certificate_is_verified(authority: trustme.CA, how: str) -> None:
    """Over HTTPS a bridge is believed whose certificate is good, and no other; the token is not even sent."""
    body = answer("200 OK", told({}), "text/event-stream") if how == "follow" else answer("200 OK", b"{}")
    async with a_peer(body, tls_of(authority, "127.0.0.1")) as peer:
        assert await ask(AdminClient(peer.url, Secret(TOKEN)), how) is not None
        assert peer.head()[1]["authorization"] == f"Bearer {TOKEN}"
    for impostor in (tls_of(trustme.CA(), "127.0.0.1"), tls_of(authority, "bridge.example")):
        async with a_peer(body, impostor) as peer:
            failure = await fails(AdminClient(peer.url, Secret(TOKEN)), how)
        assert not any(peer.asked)
        assert re.match("its certificate is not trusted: .*(issuer|self.signed|mismatch)", why(failure))


@EVERY_WAY
async def test_the_certificate_of_an_address_is_its_names(authority: trustme.CA, how: str) -> None:
    """Of a name with several addresses each has the name's certificate."""
    body = answer("200 OK", told({}), "text/event-stream") if how == "follow" else answer("200 OK", b"{}")
    async with a_peer(body, tls_of(authority, "bridges.example")) as peer:
        url = peer.url.replace("127.0.0.1", "bridges.example")
        assert await ask(AdminClient(url, Secret(TOKEN), "127.0.0.1"), how) is not None
        failure = await fails(AdminClient(peer.url, Secret(TOKEN), "127.0.0.1"), how)
    assert re.match("its certificate is not trusted: .*mismatch", why(failure))


async def test_https_where_there_is_none() -> None:
    """HTTPS to a listener without TLS has an error that says so."""
    async with a_peer(answer("400 Bad", b"{}")) as peer:
        failure = await fails(AdminClient(peer.url.replace("http:", "https:")), "status")
    assert re.match("no TLS with it: ", why(failure))
