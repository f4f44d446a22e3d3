"""The way to a provider through somebody's proxy: one call on httpx's own transport, which knows CONNECT."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import httpx
import trio

from aibridge_trio.call import Source
from aibridge_trio.core.headers import Headers
from aibridge_trio.errors import Phase


class ProxiedCall:
    """One request and its answer; to its user it is a `Call`. Timeouts are seconds, infinity for none."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        url: httpx.URL,
        *,
        connect: float,
        first_byte: float,
        idle: float,
    ) -> None:
        self.phase: Phase = "connect"
        self.status = 0
        self.headers: Headers = []
        self.length: int | None = None
        self.buffered = False
        self._transport = transport
        self._url = url
        self._connect = connect
        self._first_byte = first_byte
        self._idle = idle
        self._answer: httpx.Response | None = None

    async def begin(
        self, method: str, target: bytes, headers: Headers, source: Source, reached: Callable[[], None]
    ) -> None:
        """See Call.begin."""
        # From when all is out the head is waited for; before that the caller sets the pace, and writes that no one
        # takes are a silence.
        deadline = trio.CancelScope(deadline=trio.current_time() + self._connect)

        def stands() -> None:
            self.phase = "head"
            deadline.deadline = math.inf
            reached()

        def sent() -> None:
            deadline.deadline = trio.current_time() + self._first_byte

        request = httpx.Request(
            method,
            self._url,
            headers=headers,
            stream=_Upload(source, stands, sent),
            extensions={"timeout": {"write": None if math.isinf(self._idle) else self._idle}},
        )
        request.url = _ExactURL(self._url, target)
        with deadline:
            self._answer = await self._transport.handle_async_request(request)
        if self._answer is None:
            raise httpx.ConnectTimeout("deadline") if self.phase == "connect" else httpx.ReadTimeout("deadline")
        self.phase = "stream"
        self.status, self.headers = self._answer.status_code, self._answer.headers.raw
        length = self._answer.headers.get("content-length", "")
        if length.isdigit() and "transfer-encoding" not in self._answer.headers:
            self.length = int(length)
        assert isinstance(self._answer.stream, httpx.AsyncByteStream)
        self._pieces = aiter(self._answer.stream)

    async def read(self) -> bytes:
        """See Call.read."""
        piece: bytes | None = b""
        with trio.move_on_after(self._idle) as scope:
            while piece == b"":  # an empty piece is no end
                piece = await anext(self._pieces, None)
        if scope.cancelled_caught:
            raise httpx.ReadTimeout("deadline")
        return piece or b""

    async def aclose(self, __: BaseException | None = None) -> None:
        """Let go of the rest. Not by closing: httpx's nested generators would be left to the collector.

        A read that is cancelled before it waits unwinds them all, and closes the connection.
        """
        if self._answer is None:
            return
        try:
            with trio.CancelScope() as scope, suppress(httpx.TransportError):
                scope.cancel()
                async for _ in self._pieces:
                    pass
        finally:
            await self._answer.aclose()


class _Upload(httpx.AsyncByteStream):
    """The request's body. Who pulls at it shows how far the request has come.

    A transport begins to pull when the connection stands, and has pulled the last piece when the request is out.
    """

    def __init__(self, source: Source, stands: Callable[[], None], sent: Callable[[], None]) -> None:
        self._source = source
        self._stands: Callable[[], None] | None = stands
        self._sent = sent

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._stands:
            self._stands()
            self._stands = None
        piece = await self._source()
        if piece is None:
            self._sent()
            raise StopAsyncIteration
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
