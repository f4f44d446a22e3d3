"""Sends requests to one provider, with a timeout for each phase.

It uses a transport without `httpx.AsyncClient`, which would add headers, share one cookie jar between all callers,
and rewrite the path after the allow-list has checked it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import httpx
import trio

from aibridge_trio.http import headers as h
from aibridge_trio.http.response_head import Malformed
from aibridge_trio.http.response_parser import request_head
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.upstream.call import Call, CallTimeouts
from aibridge_trio.upstream.exchange import Outgoing, Response
from aibridge_trio.upstream.transport import Transport, is_busy
from aibridge_trio.upstream.via_proxy import ProxiedCall

AnyTransport = httpx.AsyncBaseTransport
# Makes a transport, through a proxy (its URL) or direct.
TransportFactory = Callable[[str | None], AnyTransport]
# How often (seconds) expired idle connections are closed.
_EXPIRY_INTERVAL = 10.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The timeouts of a request in seconds, infinity for none.

    connect: TCP and TLS. first_byte: from the end of the request to the head of the response. idle: between pieces
    of the response. total: the whole request.
    """

    connect: float = 10.0
    first_byte: float = 600.0
    idle: float = 300.0
    total: float = math.inf


class Waits(NamedTuple):
    """The longest waits that are under way (seconds), 0 without any.

    head: since the whole request was sent, for the head of the response. piece: for the next piece of a response
    that has begun.
    """

    head: float
    piece: float


class Upstream:
    """Sends requests to one provider's base URL. Timeouts apply only while `run` is running."""

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._call_timeouts = CallTimeouts(
            connect=timeouts.connect,
            sending=Deadline(timeouts.idle),  # writes that the provider does not take
            head=Deadline(timeouts.first_byte),
            reading=Deadline(timeouts.idle),
        )
        self._retired: list[httpx.AsyncBaseTransport] = []
        self._connect_to(base_url, transport)

    def apply(self, timeouts: Timeouts) -> None:
        """Use these timeouts, also for the waits of requests in flight."""
        self._timeouts = timeouts
        _, sending, head, reading = self._call_timeouts
        self._call_timeouts = CallTimeouts(timeouts.connect, sending, head, reading)
        for deadline, seconds in ((sending, timeouts.idle), (head, timeouts.first_byte), (reading, timeouts.idle)):
            deadline.apply(seconds)

    def move(self, base_url: str, transport: httpx.AsyncBaseTransport) -> None:
        """Send requests that come from now on elsewhere, or in another way; those in flight end where they are."""
        self._retired.append(self._transport)
        if isinstance(self._transport, Transport):
            self._transport.retire()
        self._connect_to(base_url, transport)

    def _connect_to(self, base_url: str, transport: httpx.AsyncBaseTransport) -> None:
        self._base = httpx.URL(base_url)
        self._base_path = self._base.raw_path.rstrip(b"/")
        self._host = (b"host", self._base.netloc)
        self._transport = transport
        self._pool = transport.pool(self._base) if isinstance(transport, Transport) else None

    def send(
        self,
        outgoing: Outgoing,
        on_connected: Callable[[], None],
        sent: Callable[[], None] = lambda: None,
        on_completing: Callable[[], None] = lambda: None,
    ) -> Response:
        """Return the response; entering it sends the request.

        `on_connected` is called when there is a connection, `on_completing` before the last bytes of the request
        are sent, `sent` when the connection has taken them. An exception of `on_completing` ends the request.
        """
        target = self._base_path + outgoing.target
        head, headers = b"", outgoing.headers
        if outgoing.base is self._base and outgoing.length is not None:
            head = b"%bcontent-length: %d\r\n\r\n" % (outgoing.lines, outgoing.length)
        else:
            headers = outgoing.framed_headers(self._host)
        return Response(
            Call(self._pool, self._call_timeouts, overlapping=True) if self._pool else self._proxied(),
            outgoing,
            target,
            headers,
            on_connected,
            head=head,
            sent=sent,
            on_completing=on_completing,
            total=self._timeouts.total,
        )

    def checked(self, method: str, target: bytes, headers: h.Headers) -> tuple[object, bytes]:
        """Return `Outgoing.base` and `Outgoing.lines` for a head that comes again; none if there cannot be any."""
        if self._pool:
            with suppress(Malformed):
                head = request_head(method, self._base_path + target, [self._host, *headers])
                return self._base, head.removesuffix(b"\r\n")
        return None, b""

    def waits(self) -> Waits:
        """Return the longest waits that are under way."""
        now = trio.current_time()
        return Waits(self._call_timeouts.head.longest(now), self._call_timeouts.reading.longest(now))

    async def run(self) -> None:
        """Apply timeouts, and close expired idle connections, until cancelled."""
        async with trio.open_nursery() as nursery:
            for deadline in self._call_timeouts[1:]:
                nursery.start_soon(deadline.run)
            while True:
                await trio.sleep(_EXPIRY_INTERVAL)
                if self._pool:  # httpx's own transport does this by itself
                    self._pool.expire(trio.current_time())
                for transport in [each for each in self._retired if not is_busy(each)]:
                    self._retired.remove(transport)
                    await transport.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in (self._transport, *self._retired):
            await transport.aclose()

    def __repr__(self) -> str:
        return f"<Upstream {self._base.host}>"

    def _proxied(self) -> ProxiedCall:
        times = self._timeouts
        return ProxiedCall(
            self._transport,
            self._base,
            connect=times.connect,
            first_byte=times.first_byte,
            idle=times.idle,
            waits=self._call_timeouts[2:],
        )
