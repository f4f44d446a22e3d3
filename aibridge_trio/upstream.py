"""httpx's only door on the data path: one request to one provider, deadlines on every phase, faults by table.

The transport is called directly. `httpx.AsyncClient` would add headers, keep one cookie jar for all callers,
and rewrite the path after the allow-list has looked at it.
"""

from __future__ import annotations

import errno
import math
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import httpx
import trio

from aibridge_trio.core import headers as h
from aibridge_trio.errors import BadRequest, BodyTooLarge, Phase, UpstreamFault
from aibridge_trio.message import Body, BodyStalled
from aibridge_trio.transport import ConnectionLost, Transport

# Makes a way out, from a proxy's URL or without.
TransportFactory = Callable[[str | None], httpx.AsyncBaseTransport]
# How often (seconds) it is looked for kept connections that are too old.
_SWEEP = 10.0
# What is below is no answer: nobody asked to continue, nobody asked for another protocol.
_FIRST_FINAL_STATUS = 200


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, infinity for none: TCP and TLS; the head, once the request is out; silence in an answer."""

    connect: float = 10.0
    first_byte: float = 600.0
    idle: float = 300.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request on its way up: `target` is path and query after the base URL, byte for byte."""

    method: str
    target: bytes = field(repr=False)
    headers: h.Headers = field(repr=False)
    body: Body
    length: int | None
    chunked: bool
    max_body: int

    async def next_piece(self) -> bytes | None:
        """Return the next piece of the body, None at its end; BodyStalled if none comes in time."""
        has_body = self.chunked or self.length is not None
        return await anext(self.body, None) if has_body else None


class Upstream:
    """The way to one provider's base URL."""

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport, timeouts: Timeouts) -> None:
        self._base = httpx.URL(base_url)
        self._base_path = self._base.raw_path.rstrip(b"/")
        self._transport = transport
        self._timeouts = timeouts
        # Writes that no one takes are a silence too.
        self._extensions = {"timeout": {"write": None if math.isinf(timeouts.idle) else timeouts.idle}}

    @asynccontextmanager
    async def send(self, outgoing: Outgoing, reached: Callable[[], None]) -> AsyncIterator[Response]:
        """Send a request and yield its answer once the head has come; leaving early cancels it upstream.

        `reached` is called when the connection stands. Raises UpstreamFault, or BodyTooLarge or BadRequest
        where the caller's body is to blame.
        """
        upload = _Upload(outgoing, self._timeouts, reached)
        request = httpx.Request(
            outgoing.method,
            self._base,
            headers=[(b"host", self._base.netloc), *outgoing.headers, *_framing(outgoing)],
            stream=upload,
            extensions=self._extensions,
        )
        request.url = _ExactURL(self._base, self._base_path + outgoing.target)
        try:
            with upload.deadline:
                answer = await self._transport.handle_async_request(request)
        except BodyStalled:
            raise BadRequest("request body stalled: its rest did not come in time") from None
        except httpx.LocalProtocolError:
            raise BadRequest("request cannot be framed for the provider") from None
        except httpx.TransportError as error:
            raise UpstreamFault(
                upload.phase,
                type(error).__name__,
                timeout=isinstance(error, httpx.TimeoutException),
                neutral=isinstance(error, ConnectionLost) or _out_of_descriptors(error),
            ) from None
        if upload.deadline.cancelled_caught:
            raise UpstreamFault(upload.phase, "deadline", timeout=True)
        response = Response(answer, self._timeouts.idle)
        try:
            if response.status < _FIRST_FINAL_STATUS:
                raise UpstreamFault("head", f"status {response.status}")
            yield response
        finally:
            try:
                await response.leave()
            finally:
                await answer.aclose()

    async def run(self) -> None:
        """Close kept connections in time, until cancelled; httpx's own transport looks at its own."""
        while isinstance(self._transport, Transport):
            await trio.sleep(_SWEEP)
            self._transport.expire()

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        await self._transport.aclose()

    def __repr__(self) -> str:
        return f"<Upstream {self._base.host}>"


class Response:
    """A provider's answer: its head, and its body piece by piece as it comes."""

    def __init__(self, answer: httpx.Response, idle: float) -> None:
        self.status = answer.status_code
        self.headers: h.Headers = answer.headers.raw
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        self._pieces = aiter(answer.stream)
        self._idle = idle

    async def read(self) -> bytes:
        """Return the next piece, b"" at a clean end; UpstreamFault if the answer breaks or falls silent."""
        piece: bytes | None = b""
        with trio.move_on_after(self._idle):
            try:
                while piece == b"":  # an empty piece is no end
                    piece = await anext(self._pieces, None)
            except httpx.TransportError as error:
                raise UpstreamFault("stream", type(error).__name__) from None
            return piece or b""
        raise UpstreamFault("stream", "deadline", timeout=True)

    async def leave(self) -> None:
        """Let go of the rest. Not by closing: httpx's nested generators would be left to the collector.

        A read that is cancelled before it waits unwinds them all, and closes the connection.
        """
        with trio.CancelScope() as scope, suppress(httpx.TransportError):
            scope.cancel()
            async for _ in self._pieces:
                pass


class _Upload(httpx.AsyncByteStream):
    """The caller's body on its way up. Who pulls at it shows how far the request has come.

    A transport begins to pull when the connection stands, and has pulled the last piece when the request is
    out: so the phases and their deadlines are known whatever transport is behind.
    """

    def __init__(self, outgoing: Outgoing, timeouts: Timeouts, reached: Callable[[], None]) -> None:
        self._reached = reached
        self._outgoing = outgoing
        self._timeouts = timeouts
        self._left = outgoing.max_body
        self.phase: Phase = "connect"
        self.deadline = trio.move_on_after(timeouts.connect)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.phase == "connect":
            self.phase = "head"
            self._reached()
            # From here to the end of the body the caller sets the pace; every write has a deadline of its own.
            self.deadline.deadline = math.inf
        piece = await self._outgoing.next_piece()
        if piece is None:
            self.deadline.deadline = trio.current_time() + self._timeouts.first_byte
            raise StopAsyncIteration
        self._left -= len(piece)
        if self._left < 0:
            raise BodyTooLarge(self._outgoing.max_body)
        return piece


class _ExactURL(httpx.URL):
    """A URL whose path and query go out as they came: httpx would resolve dots and quote again.

    (The `target` extension does the same, but breaks the CONNECT of a proxied connection.)
    """

    def __init__(self, base: httpx.URL, target: bytes) -> None:
        super().__init__(base)
        self._target = target

    @property
    def raw_path(self) -> bytes:
        return self._target


def _out_of_descriptors(error: BaseException | None) -> bool:
    """Tell whether this came of having no descriptor left for a socket, however it was wrapped."""
    match error:
        case None:
            return False
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return True
        case BaseExceptionGroup():
            return any(_out_of_descriptors(each) for each in error.exceptions)
    return _out_of_descriptors(error.__cause__ or error.__context__)


def _framing(outgoing: Outgoing) -> h.Headers:
    if outgoing.chunked:
        return [(b"transfer-encoding", b"chunked")]
    return [] if outgoing.length is None else [(b"content-length", b"%d" % outgoing.length)]


class Transports:
    """Makes ways out, each a pool of connections; they share one TLS context, with one more CA or without."""

    def __init__(self, ca_file: Path | None) -> None:
        self._ca_file = ca_file

    def __call__(self, proxy: str | None) -> httpx.AsyncBaseTransport:
        """Return a pool, through a proxy (its URL) or not."""
        if proxy is None:
            return Transport(self._context)
        return httpx.AsyncHTTPTransport(
            verify=self._context,
            proxy=proxy,
            # HTTP/1.1 only: over HTTP/2 a cancel does not reach the provider, which goes on and bills.
            http2=False,
            # No queue inside: how much is in flight is the admission's to say.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        )

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = httpx.create_ssl_context()
        if self._ca_file:
            context.load_verify_locations(self._ca_file)
        return context
