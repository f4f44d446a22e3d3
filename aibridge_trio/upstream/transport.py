"""An httpx transport: HTTP/1.1 on llhttp, with one pool per origin.

Differences from httpx's own: taking and releasing a connection takes constant time and nothing queues; a cancelled
request closes its connection at once; a response that arrives before the upload is complete is used.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from functools import cached_property
from pathlib import Path

import httpx
import trio

from aibridge_trio.errors import UsageError
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.net.dial import Dial, new_dialer, socket_options
from aibridge_trio.net.fault_causes import cause
from aibridge_trio.net.poller import Poller
from aibridge_trio.net.tls_contexts import add_authorities, provider_context
from aibridge_trio.upstream.call import Call, CallTimeouts
from aibridge_trio.upstream.pool import Origin, Pool


class Transport(httpx.AsyncBaseTransport):
    """Sends requests through one pool per origin. It applies no timeouts; callers may cancel."""

    def __init__(self, context: ssl.SSLContext, dial: Dial | None = None) -> None:
        self._context = context
        self._dial = dial or new_dialer()
        self._pools: dict[tuple[bytes, bytes, int | None], Pool] = {}

    def pool(self, url: httpx.URL) -> Pool:
        """Return the pool of a URL's origin."""
        key = (url.raw_scheme, url.raw_host, url.port)
        if key not in self._pools:
            tls = url.scheme == "https"
            port = url.port or (443 if tls else 80)
            self._pools[key] = Pool(Origin(url.host, port, self._context if tls else None), self._dial)
        return self._pools[key]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; return its response when the head has come, with the body as a stream."""
        call = Call(self.pool(request.url), CallTimeouts(math.inf, *(Deadline(math.inf) for _ in range(3))))
        assert isinstance(request.stream, httpx.AsyncByteStream)
        body = aiter(request.stream)

        chunked = "transfer-encoding" in request.headers
        length = None if chunked else int(request.headers.get("content-length", 0))

        async def source() -> bytes | None:
            return await anext(body, None)

        try:
            await call.begin(
                request.method,
                request.url.raw_path,
                request.headers.raw,
                length,
                source=source,
                on_connected=lambda: None,
            )
        finally:
            if isinstance(body, AsyncGenerator):  # as httpx's bodies are: not left to the garbage collector
                await body.aclose()
        assert call.head is not None
        return httpx.Response(call.head.status, headers=call.head.headers, stream=_Body(call))

    def expire(self) -> None:
        """Close expired idle connections, for times without requests."""
        for pool in self._pools.values():
            pool.expire(trio.current_time())

    def retire(self) -> None:
        """Close idle connections; those in use end with their responses."""
        for pool in self._pools.values():
            pool.retire()

    @property
    def busy(self) -> bool:
        """Whether a connection is in use."""
        return any(pool.statistics().busy for pool in self._pools.values())

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.close()

    def __repr__(self) -> str:
        return f"<Transport {list(self._pools.values())}>"


class _Body(httpx.AsyncByteStream):
    """The body of a call's response as an httpx stream."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if piece := await self._call.read():
            return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._call.release()


class Transports:
    """Makes transports, which share one TLS context. `ca_file` adds certificate authorities to it.

    `silence` is how long (seconds) a provider may take nothing of what is sent.
    """

    def __init__(self, ca_file: Path | None, poller: Poller | None = None, *, silence: float = math.inf) -> None:
        self._ca_file = ca_file
        self._poller = poller
        self._silence = silence

    def prepare(self) -> None:
        """Read the certificates, which may block. Raises UsageError and OSError."""
        _ = self._context

    def __call__(self, proxy: str | None) -> httpx.AsyncBaseTransport:
        """Return a transport, through a proxy (its URL) or direct."""
        if proxy is None:
            return Transport(self._context, new_dialer(self._poller, silence=self._silence))
        return httpx.AsyncHTTPTransport(
            verify=self._context,
            proxy=proxy,
            # HTTP/1.1 only: over HTTP/2 a cancellation does not reach the provider, which goes on and bills.
            http2=False,
            socket_options=socket_options(self._silence),
            # No queue in the pool: admission limits the requests in flight.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        )

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = provider_context()  # an OSError of it is about the environment, not about --upstream-ca
        if self._ca_file:
            try:
                add_authorities(context, self._ca_file)
            except OSError as error:
                reason = error.strerror or cause(error)
                raise UsageError(
                    f"--upstream-ca: {self._ca_file} holds no certificates in PEM: {reason}"
                ) from None
        return context


def is_busy(transport: httpx.AsyncBaseTransport) -> bool:
    """Return whether a connection of a transport is in use; of an unknown kind of transport, that it is not."""
    if isinstance(transport, Transport):
        return transport.busy
    if isinstance(transport, httpx.AsyncHTTPTransport):
        return any(not each.is_idle() for each in transport._pool.connections)  # noqa: SLF001 - httpx shows no other
    return False
