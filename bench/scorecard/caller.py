"""A caller: one request on a connection of its own, every byte of it in our hands, answers read by h11."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11
import trio

from bench.compare.traffic import Header

# One that the provider lists: gateways look there what it has.
MODEL = "mock-large"
_READ = 64 * 1024
_LONGEST_HEAD = 64 * 1024
# The names of all callers; gateways that need a list of keys are configured with these.
CALLERS = ("start", "a", "b", "greedy", *(f"polite-{number}" for number in range(9)))


class Broken(Exception):
    """An answer that did not come to its end; `str()` says how."""


def key(caller: str) -> str:
    """Return a caller's credential."""
    return f"sk-scorecard-{caller}-0123456789abcdef"


def question(*, stream: bool = False) -> bytes:
    """Return the body of a small request."""
    asked: dict[str, object] = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
    return json.dumps(asked | ({"stream": True} if stream else {})).encode()


@dataclass(frozen=True, slots=True)
class Way:
    """How a gateway is spoken to: its port, where chat completions are, headers that only it needs."""

    port: int
    path: str
    headers: tuple[Header, ...] = ()

    def request(self, caller: str, body: bytes, more: Iterable[Header] = ()) -> bytes:
        """Return a whole POST; `more` replaces the framing."""
        framing = tuple(more) or (("Content-Length", str(len(body))),)
        lines = (
            ("Host", f"127.0.0.1:{self.port}"),
            ("Content-Type", "application/json"),
            ("Accept", "*/*"),
            ("User-Agent", "scorecard"),
            ("Authorization", f"Bearer {key(caller)}"),
            *self.headers,
            *framing,
        )
        head = "".join(
            [f"POST {self.path} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in lines), "\r\n"]
        )
        return head.encode() + body


@dataclass(slots=True)
class Answer:
    """What came back; status 0 is no answer. `trouble` says why it is not whole, "" if it is."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    trouble: str = ""

    def __str__(self) -> str:
        return (str(self.status) if self.status else "no answer") + (f" ({self.trouble})" if self.trouble else "")


class Call:
    """One request and its answer; leaving the block hangs up."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        # The parser has to believe that it has asked; what goes out are the caller's own bytes.
        self._parser.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
        self._parser.send(h11.EndOfMessage())

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self._stream.send_all(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        """Wait for the final head; return status and headers, names in lower case."""
        while True:
            event = await self._next()
            if isinstance(event, h11.Response):
                return event.status_code, {name.decode(): value.decode("latin-1") for name, value in event.headers}

    async def more(self) -> bytes:
        """Return the next bytes of the body, b"" at its end; `Broken` where it ends before."""
        event = await self._next()
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    async def answer(self, began: float) -> Answer:
        """Read the whole answer, whatever becomes of it."""
        answer = Answer()
        try:
            answer.status, answer.headers = await self.head()
            body = bytearray()
            try:
                while piece := await self.more():
                    body += piece
            finally:
                answer.body = bytes(body)
        except (Broken, OSError, trio.BrokenResourceError) as error:
            answer.trouble = str(error) or type(error).__name__
        answer.seconds = trio.current_time() - began
        return answer

    async def _next(self) -> object:
        while True:
            try:
                event = self._parser.next_event()
                if event is not h11.NEED_DATA:
                    if isinstance(event, h11.ConnectionClosed):
                        raise Broken("hung up")
                    return event
                self._parser.receive_data(await self._stream.receive_some(_READ))
            except h11.RemoteProtocolError as error:
                raise Broken(str(error)) from None
            except trio.BrokenResourceError:
                raise Broken("connection reset") from None


@asynccontextmanager
async def calling(port: int, *, window: int | None = None) -> AsyncIterator[Call]:
    """Connect; `window` is how much the kernel may take in (bytes) for a caller who does not read."""
    sock = trio.socket.socket()
    if window:
        # Before connecting: later the window has been announced.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    try:
        await sock.connect(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Call(trio.SocketStream(sock))
    finally:
        sock.close()


async def fetch(port: int, method: str, path: str, body: bytes = b"") -> Answer:
    """Make a plain request of a service's operator."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    began = trio.current_time()
    async with calling(port) as call:
        try:
            await call.send(f"{head}\r\n".encode() + body)
        except trio.BrokenResourceError as error:
            raise ConnectionError(f"hung up on {method} {path}") from error
        return await call.answer(began)
