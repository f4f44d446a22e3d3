"""One request to one provider: what goes up, deadlines on every phase, faults by table.

Nothing is put between that knows better: `httpx.AsyncClient` would add headers, keep one cookie jar for all
callers, and rewrite the path after the allow-list has looked at it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import trio

from aibridge_trio.net.deadline import Deadline
from aibridge_trio.upstream.call import Call, CallTimeouts
from aibridge_trio.upstream.exchange import Outgoing, Response
from aibridge_trio.upstream.transport import Transport
from aibridge_trio.upstream.via_proxy import ProxiedCall

# Makes a way out, from a proxy's URL or without.
TransportFactory = Callable[[str | None], httpx.AsyncBaseTransport]
# How often (seconds) it is looked for kept connections that are too old.
_SWEEP = 10.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, infinity for none.

    TCP and TLS; the head, once the request is out; silence in an answer; all of it together.
    """

    connect: float = 10.0
    first_byte: float = 600.0
    idle: float = 300.0
    total: float = math.inf


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
        headers = [self._host, *outgoing.headers, *outgoing.framing()]
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
