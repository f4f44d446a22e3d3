"""One request to one provider: what goes up, deadlines on every phase, faults by table.

Nothing is put between that knows better: `httpx.AsyncClient` would add headers, keep one cookie jar for all
callers, and rewrite the path after the allow-list has looked at it.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Self

import httpx
import trio

from aibridge_trio.errors import BadRequest, BodyTooLarge, UpstreamFault
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import BodyStalled
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.upstream.call import Call, CallTimeouts, ConnectionLost
from aibridge_trio.upstream.fault_causes import is_local_shortage
from aibridge_trio.upstream.transport import Transport
from aibridge_trio.upstream.via_proxy import ProxiedCall

# Makes a way out, from a proxy's URL or without.
TransportFactory = Callable[[str | None], httpx.AsyncBaseTransport]
# How often (seconds) it is looked for kept connections that are too old.
_SWEEP = 10.0
# What is below is no answer: nobody asked to continue, nobody asked for another protocol.
_FIRST_FINAL_STATUS = 200


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, infinity for none.

    TCP and TLS; the head, once the request is out; silence in an answer; all of it together.
    """

    connect: float = 10.0
    first_byte: float = 600.0
    idle: float = 300.0
    total: float = math.inf


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
        self._call_timeouts = CallTimeouts(
            connect=timeouts.connect,
            sending=Deadline(timeouts.idle),  # writes that no one takes are a silence too
            head=Deadline(timeouts.first_byte),
            reading=Deadline(timeouts.idle),
        )
        self._pool = transport.pool(self._base) if isinstance(transport, Transport) else None

    def send(
        self,
        outgoing: Outgoing,
        on_connected: Callable[[], None],
        sent: Callable[[], None] = lambda: None,
        on_completing: Callable[[], None] = lambda: None,
    ) -> Response:
        """Send a request, on entering what this returns.

        `on_connected` is called when there is a connection, `on_completing` before the last bytes of the request
        are sent, `sent` when the connection has taken all of them. What `on_completing` raises ends the request.
        """
        headers = [self._host, *outgoing.headers, *_framing(outgoing)]
        target = self._base_path + outgoing.target
        total = self._timeouts.total
        return Response(
            self._call(),
            outgoing,
            target,
            headers,
            on_connected,
            sent=sent,
            on_completing=on_completing,
            total=total,
        )

    async def run(self) -> None:
        """Keep deadlines, and close kept connections in time, until cancelled."""
        async with trio.open_nursery() as nursery:
            for deadline in self._call_timeouts[1:]:
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
            return Call(self._pool, self._call_timeouts, overlapping=True)
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
        on_connected: Callable[[], None],
        *,
        sent: Callable[[], None],
        on_completing: Callable[[], None],
        total: float,
    ) -> None:
        self._call = call
        self._total = total
        self._bound = trio.CancelScope() if total < math.inf else None
        self._sent: Callable[[], None] | None = sent
        self._completing: Callable[[], None] | None = on_completing
        self._announced = outgoing.length
        self._outgoing = outgoing
        self._target = target
        self._headers = headers
        self._on_connected = on_connected
        self._body_left = outgoing.max_body
        self._ended = False  # all of the request's body has come
        self._is_connected = False  # the connection does

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
        if self._bound:
            self._bound.__enter__()
        try:
            await self._begin()
        except BaseException as error:
            self._end_bound(error)
            raise
        return self

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            await self._call.aclose(error)
        except (BodyStalled, httpx.TransportError) as failure:  # of an upload beside the answer
            self._end_bound(None)
            raise self._failure(failure) from None
        except BaseException as ended:
            self._end_bound(ended)
            raise
        else:
            self._end_bound(error)
        finally:
            del error  # it holds this frame: no cycle is left

    async def _begin(self) -> None:
        call = self._call
        if not (self._outgoing.chunked or self._announced):
            self._complete()  # its head is all of it
        try:
            await call.begin(self._outgoing.method, self._target, self._headers, self._piece, self._connected)
        except (BodyStalled, httpx.TransportError) as error:
            raise self._failure(error) from None
        if call.status < _FIRST_FINAL_STATUS:
            await call.aclose()
            raise UpstreamFault("head", f"status {call.status}")

    def _end_bound(self, error: BaseException | None) -> None:
        """Close the bound on the whole time; UpstreamFault if it was that which ended the request."""
        bound, self._bound = self._bound, None
        if bound is None:
            return
        if error is None:
            bound.__exit__(None, None, None)
        elif bound.__exit__(type(error), error, error.__traceback__):
            phase = self._call.phase
            neutral = phase == "stream" or (phase == "head" and not self._ended)
            raise UpstreamFault(
                phase, "--max-duration", timeout=True, neutral=neutral, bound=self._total
            ) from None

    async def read(self) -> bytes:
        """Return the next piece, b"" at a clean end; UpstreamFault if the answer breaks or falls silent."""
        try:
            piece = await self._call.read()
        except httpx.TransportError as error:
            raise self._failure(error) from None
        self._sent = None  # the first byte is no more waited for, even if the request goes on
        return piece

    def _connected(self) -> None:
        self._is_connected = True
        self._on_connected()
        if self._ended:
            self._all_is_sent()

    async def _piece(self) -> bytes | None:
        """Return the next piece of the request's body, None at its end."""
        piece = await anext(self._outgoing.body, None) if self._outgoing.has_body else None
        if self._bound and self._bound.deadline == math.inf:
            self._bound.deadline = trio.current_time() + self._total
        if piece is None:
            self._ended = True
            if self._announced is None:
                self._complete()
            if self._is_connected:
                self._all_is_sent()
            return None
        self._body_left -= len(piece)
        if self._body_left < 0:
            raise BodyTooLarge(self._outgoing.max_body)
        if self._announced is not None:
            self._announced -= len(piece)
            if self._announced <= 0:
                self._complete()
        return piece

    def _complete(self) -> None:
        """See that what is handed out next makes the request whole."""
        on_completing, self._completing = self._completing, None
        if on_completing:
            on_completing()

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
            neutral=isinstance(error, ConnectionLost) or is_local_shortage(error),
        )


def _framing(outgoing: Outgoing) -> h.Headers:
    if outgoing.chunked:
        return [(b"transfer-encoding", b"chunked")]
    return [] if outgoing.length is None else [(b"content-length", b"%d" % outgoing.length)]
