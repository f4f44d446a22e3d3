"""One request to one provider: what goes up, deadlines on every phase, faults by table.

Nothing is put between that knows better: `httpx.AsyncClient` would add headers, keep one cookie jar for all
callers, and rewrite the path after the allow-list has looked at it.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

import httpx
import trio

from aibridge_trio.call import Call, ConnectionLost, Patience
from aibridge_trio.causes import chain
from aibridge_trio.core import headers as h
from aibridge_trio.deadline import Deadline
from aibridge_trio.dial import dialling, socket_options
from aibridge_trio.errors import BadRequest, BodyTooLarge, UpstreamFault
from aibridge_trio.message import BodyStalled
from aibridge_trio.poller import Poller
from aibridge_trio.proxied import ProxiedCall
from aibridge_trio.transport import Transport
from aibridge_trio.wire import SHORTAGES, Shortage

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


@dataclass(slots=True)
class Outgoing:
    """A request on its way up: `target` is path and query after the base URL, byte for byte."""

    method: str
    target: bytes = field(repr=False)
    headers: h.Headers = field(repr=False)
    body: AsyncIterator[bytes]
    length: int | None
    chunked: bool
    max_body: int

    @property
    def has_body(self) -> bool:
        """Whether there is one, be it empty."""
        return self.chunked or self.length is not None


class Upstream:
    """The way to one provider's base URL. Deadlines hold while `run` runs."""

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport, timeouts: Timeouts) -> None:
        self._base = httpx.URL(base_url)
        self._base_path = self._base.raw_path.rstrip(b"/")
        self._host = (b"host", self._base.netloc)
        self._transport = transport
        self._timeouts = timeouts
        self._patience = Patience(
            connect=timeouts.connect,
            sending=Deadline(timeouts.idle),  # writes that no one takes are a silence too
            head=Deadline(timeouts.first_byte),
            reading=Deadline(timeouts.idle),
        )
        self._pool = transport.pool(self._base) if isinstance(transport, Transport) else None

    def send(
        self,
        outgoing: Outgoing,
        reached: Callable[[], None],
        sent: Callable[[], None] = lambda: None,
        completing: Callable[[], None] = lambda: None,
    ) -> Response:
        """Send a request, on entering what this returns.

        `reached` is called when the connection stands, `completing` before what makes the request whole goes up,
        `sent` when all of it has been taken for the connection. What `completing` raises ends the request.
        """
        headers = [self._host, *outgoing.headers, *_framing(outgoing)]
        target = self._base_path + outgoing.target
        return Response(self._call(), outgoing, target, headers, reached, sent=sent, completing=completing)

    async def run(self) -> None:
        """Keep deadlines, and close kept connections in time, until cancelled."""
        async with trio.open_nursery() as nursery:
            for deadline in self._patience[1:]:
                nursery.start_soon(deadline.run)
            while True:
                await trio.sleep(_SWEEP)
                if self._pool:  # httpx's own transport looks at its own
                    self._pool.expire()

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        await self._transport.aclose()

    def __repr__(self) -> str:
        return f"<Upstream {self._base.host}>"

    def _call(self) -> Call | ProxiedCall:
        if self._pool:
            return Call(self._pool, self._patience, overlapping=True)
        times = self._timeouts
        return ProxiedCall(
            self._transport, self._base, connect=times.connect, first_byte=times.first_byte, idle=times.idle
        )


class Response:
    """A provider's answer: its head, and its body piece by piece as it comes.

    It is a context. Entering sends the request and returns once the head has come; it raises UpstreamFault, or
    BodyTooLarge or BadRequest where the caller's body is to blame. Leaving early cancels it upstream.
    """

    def __init__(
        self,
        call: Call | ProxiedCall,
        outgoing: Outgoing,
        target: bytes,
        headers: h.Headers,
        reached: Callable[[], None],
        *,
        sent: Callable[[], None],
        completing: Callable[[], None],
    ) -> None:
        self._call = call
        self._sent: Callable[[], None] | None = sent
        self._completing: Callable[[], None] | None = completing
        self._announced = outgoing.length
        self._outgoing = outgoing
        self._target = target
        self._headers = headers
        self._reached = reached
        self._left = outgoing.max_body
        self._ended = False  # all of the request's body has come
        self._standing = False  # the connection does

    @property
    def status(self) -> int:
        """The status."""
        return self._call.status

    @property
    def headers(self) -> h.Headers:
        """The headers as they came."""
        return self._call.headers

    @property
    def length(self) -> int | None:
        """How long the head says the body is, None where its framing tells where it ends."""
        return self._call.length

    @property
    def buffered(self) -> bool:
        """Whether the next `read` will not wait."""
        return self._call.buffered

    async def __aenter__(self) -> Self:
        call = self._call
        if not (self._outgoing.chunked or self._announced):
            self._complete()  # its head is all of it
        try:
            await call.begin(self._outgoing.method, self._target, self._headers, self._piece, self._stands)
        except (BodyStalled, httpx.TransportError) as error:
            raise self._failure(error) from None
        if call.status < _FIRST_FINAL_STATUS:
            await call.aclose()
            raise UpstreamFault("head", f"status {call.status}")
        return self

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            await self._call.aclose(error)
        except (BodyStalled, httpx.TransportError) as failure:  # of an upload beside the answer
            raise self._failure(failure) from None
        finally:
            del error  # it holds this frame: no cycle is left

    async def read(self) -> bytes:
        """Return the next piece, b"" at a clean end; UpstreamFault if the answer breaks or falls silent."""
        try:
            piece = await self._call.read()
        except httpx.TransportError as error:
            raise self._failure(error) from None
        self._sent = None  # the first byte is no more waited for, even if the request goes on
        return piece

    def _stands(self) -> None:
        self._standing = True
        self._reached()
        if self._ended:
            self._all_is_sent()

    async def _piece(self) -> bytes | None:
        """Return the next piece of the request's body, None at its end."""
        piece = await anext(self._outgoing.body, None) if self._outgoing.has_body else None
        if piece is None:
            self._ended = True
            if self._announced is None:
                self._complete()
            if self._standing:
                self._all_is_sent()
            return None
        self._left -= len(piece)
        if self._left < 0:
            raise BodyTooLarge(self._outgoing.max_body)
        if self._announced is not None:
            self._announced -= len(piece)
            if self._announced <= 0:
                self._complete()
        return piece

    def _complete(self) -> None:
        """See that what is handed out next makes the request whole."""
        completing, self._completing = self._completing, None
        if completing:
            completing()

    def _all_is_sent(self) -> None:
        if self._sent:
            self._sent()
            self._sent = None

    def _failure(self, error: BodyStalled | httpx.TransportError) -> BadRequest | UpstreamFault:
        match error:
            case BodyStalled():
                return BadRequest("request body stalled: its rest did not come in time")
            case httpx.LocalProtocolError():
                return BadRequest("request cannot be framed for the provider")
        return UpstreamFault(
            self._call.phase,
            str(error),
            timeout=isinstance(error, httpx.TimeoutException),
            neutral=isinstance(error, ConnectionLost) or _short_of_our_own(error),
        )


def _short_of_our_own(error: BaseException) -> bool:
    """Tell whether this came of a shortage here, of descriptors, memory or threads, however it was wrapped."""
    return any(
        isinstance(each, Shortage) or (isinstance(each, OSError) and each.errno in SHORTAGES)
        for each in chain(error)
    )


def _framing(outgoing: Outgoing) -> h.Headers:
    if outgoing.chunked:
        return [(b"transfer-encoding", b"chunked")]
    return [] if outgoing.length is None else [(b"content-length", b"%d" % outgoing.length)]


class Transports:
    """Makes ways out, each a pool of connections; they share one TLS context, with one more CA or without.

    `silence` is how long (seconds) a provider may take nothing of what is sent.
    """

    def __init__(self, ca_file: Path | None, poller: Poller | None = None, *, silence: float = math.inf) -> None:
        self._ca_file = ca_file
        self._poller = poller
        self._silence = silence

    def __call__(self, proxy: str | None) -> httpx.AsyncBaseTransport:
        """Return a pool, through a proxy (its URL) or not."""
        if proxy is None:
            return Transport(self._context, dialling(self._poller, silence=self._silence))
        return httpx.AsyncHTTPTransport(
            verify=self._context,
            proxy=proxy,
            # HTTP/1.1 only: over HTTP/2 a cancel does not reach the provider, which goes on and bills.
            http2=False,
            socket_options=socket_options(self._silence),
            # No queue inside: how much is in flight is the admission's to say.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        )

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = httpx.create_ssl_context()
        if self._ca_file:
            context.load_verify_locations(self._ca_file)
        return context
