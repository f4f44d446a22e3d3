"""One request to a provider through an HTTP proxy, on httpx's own transport, which supports CONNECT."""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import httpx
import trio

from aibridge_trio.errors import Phase
from aibridge_trio.http.headers import Headers
from aibridge_trio.http.response_head import Malformed, ResponseHead
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.net.fault_causes import cause
from aibridge_trio.upstream.call import Source
from aibridge_trio.upstream.lost_connection import ConnectionLost, unread

_MALFORMED = "malformed answer"
# Statuses below are interim: no request asked to continue or to switch protocols.
_FIRST_FINAL_STATUS = 200
_RESET = "reset by peer"
# How httpx's messages about a closed connection begin.
_ENDS = {
    "Server disconnected": "closed before the head",
    "peer closed connection": "closed in the middle of the answer",
}


class ProxiedCall:
    """One request and its response, with the interface of `Call`. Timeouts are in seconds, infinity for none.

    `waits` count the waits for the head and for each piece, so that the longest is known; they end none.
    """

    resumable = False  # a `wait` that is cancelled ends httpx's iterator
    over = False  # see Call; it must be closed in any case

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        url: httpx.URL,
        *,
        connect: float,
        first_byte: float,
        idle: float,
        waits: tuple[Deadline, Deadline] | None = None,
    ) -> None:
        self._waits_for_head, self._waits_for_piece = waits or (Deadline(math.inf), Deadline(math.inf))
        self.phase: Phase = "connect"
        self.head: ResponseHead | None = None
        self.complete = False  # see Call; here that is known with the end only
        self._ahead: bytes | None = None  # the piece that `wait` has read
        self._transport = transport
        self._url = url
        self._connect = connect
        self._first_byte = first_byte
        self._idle = idle
        self._response: httpx.Response | None = None
        self._is_connected = self._new = False  # the connection
        self._sent_at = math.inf  # when the last byte of the request was taken
        self._size = 0  # of its body
        self._tls: ssl.SSLObject | None = None

    @property
    def buffered(self) -> bool:
        """See Call."""
        return self._ahead is not None

    async def begin(
        self,
        method: str,
        target: bytes,
        headers: Headers,
        length: int | None,  # noqa: ARG002 - of Call: httpx reads it from the headers
        *,
        source: Source,
        on_connected: Callable[[], None],
        on_sent: Callable[[], None] | None = None,
        head: bytes = b"",  # noqa: ARG002 - of Call: httpx writes its own
    ) -> None:
        """See Call.begin."""
        first = await source()  # before a connection is taken: the provider would wait for a slow caller
        # The timeout for the head starts when all is sent. Before that the caller sets the pace, and the write
        # timeout applies.
        deadline = trio.CancelScope()

        def connected() -> None:
            self.phase = "head"
            self._is_connected = True
            deadline.deadline = math.inf
            on_connected()

        def sent(size: int) -> None:
            self._size, self._sent_at = size, trio.current_time()
            deadline.deadline = self._sent_at + self._first_byte
            if self.head is None:
                self._waits_for_head.begin(self, self._sent_at)
            if on_sent and self.head is None:
                on_sent()

        request = httpx.Request(
            method,
            self._url,
            headers=headers,
            stream=_Upload(first, source, connected, sent),
            extensions={
                "timeout": {"write": None if math.isinf(self._idle) else self._idle},
                "trace": self._trace,
            },
        )
        request.url = _ExactURL(self._url, target)
        deadline.deadline = trio.current_time() + self._connect
        with deadline:
            try:
                self._response = await self._transport.handle_async_request(request)
            except httpx.LocalProtocolError:
                raise
            except httpx.TransportError as error:
                raise self._fault(error) from error
            finally:
                self._waits_for_head.end(self)
        if self._response is None:
            raise httpx.ConnectTimeout("deadline") if self.phase == "connect" else httpx.ReadTimeout("deadline")
        assert isinstance(self._response.stream, httpx.AsyncByteStream)
        self._pieces = aiter(self._response.stream)
        self.head = found = await self._read_head(self._response)
        self.phase = "stream"
        if found.length is None and not found.chunked:
            network = self._response.extensions.get("network_stream")
            self._tls = network.get_extra_info("ssl_object") if network else None

    async def _read_head(self, response: httpx.Response) -> ResponseHead:
        """Return the head, which httpx has checked already."""
        if response.status_code < _FIRST_FINAL_STATUS:
            await self.aclose()
            raise httpx.RemoteProtocolError(f"status {response.status_code}")
        headers = response.headers.raw
        if "transfer-encoding" in response.headers:  # as httpx does, which takes a length beside it for none
            headers = [header for header in headers if header[0].lower() != b"content-length"]
        try:
            return ResponseHead(response.status_code, headers)
        except Malformed:
            await self.aclose()
            raise httpx.RemoteProtocolError(_MALFORMED) from None

    async def _trace(self, event: str, _: object) -> None:
        """Called by httpcore: note that it opens a connection."""
        if event == "connection.connect_tcp.started":
            self._new = True

    def _fault(self, error: httpx.TransportError) -> httpx.TransportError:
        """Return the exception with its cause as the message; ConnectionLost under the same rules as Call."""
        if isinstance(error, httpx.TimeoutException):
            return error
        words = _words(error)
        lost = self._is_connected and not isinstance(error, httpx.ProxyError) and words != _MALFORMED
        kept = not (self._new or self.head)
        cut_off = words == _RESET and not self.head and unread(self._size, self._sent_at)
        if lost and (kept or cut_off or math.isinf(self._sent_at)):
            return ConnectionLost(words)
        return type(error)(words)

    async def wait(self) -> None:
        """See Call.wait; cancelled, it loses the rest."""
        self._ahead = await self.read()

    async def read(self) -> bytes:
        """See Call.read."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            return ahead
        piece: bytes | None = b""
        self._waits_for_piece.begin(self)
        with trio.move_on_after(self._idle) as scope:
            try:
                while piece == b"":  # an empty piece is not the end
                    piece = await anext(self._pieces, None)
            except httpx.TransportError as error:
                raise self._fault(error) from error
            finally:
                self._waits_for_piece.end(self)
        if scope.cancelled_caught:
            raise httpx.ReadTimeout("deadline")
        if piece is None and self._tls and not _got_close_notify(self._tls):
            raise httpx.RemoteProtocolError("it ended without a close_notify")
        self.complete = piece is None
        return piece or b""

    def expire(self) -> None:
        """See Waiter: the call's own timeouts end its waits."""

    async def stop_upload(self) -> None:
        """See Call: httpx sends nothing more once the head has come."""

    async def aclose(self, __: BaseException | None = None) -> None:
        """Discard the rest. Closing alone would leave httpx's nested generators to the garbage collector.

        A read that is cancelled before it waits unwinds all of them, and closes the connection.
        """
        if self._response is None:
            return
        try:
            with trio.CancelScope() as scope, suppress(httpx.TransportError):
                scope.cancel()
                async for _ in self._pieces:
                    pass
        finally:
            await self._response.aclose()


def _words(error: httpx.TransportError) -> str:
    """Return the cause in words. httpx's parser may quote the response, which must not be logged."""
    said = str(error)
    if isinstance(error, httpx.ProxyError):
        status, _, _ = said.partition(" ")  # what follows is the proxy's own text
        return f"proxy answered {status}" if status.isdigit() else cause(error)
    if isinstance(error, httpx.RemoteProtocolError):
        return next((words for start, words in _ENDS.items() if said.startswith(start)), _MALFORMED)
    return cause(error)


def _got_close_notify(tls: ssl.SSLObject) -> bool:
    """Return whether a TLS connection ended with a close_notify of its peer."""
    try:
        return not tls.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except (ssl.SSLError, ValueError):
        return False


class _Upload(httpx.AsyncByteStream):
    """The request's body, which also reports the request's progress.

    A transport takes the first piece when it has a connection, and asks for one more when all is sent.
    """

    def __init__(
        self, first: bytes | None, source: Source, connected: Callable[[], None], sent: Callable[[int], None]
    ) -> None:
        self._first = first
        self._source = source
        self._connected_once: Callable[[], None] | None = connected
        self._sent = sent
        self._size = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._connected_once:
            self._connected_once()
            self._connected_once = None
            piece = self._first
        else:
            piece = await self._source()
        if piece is None:
            self._sent(self._size)
            raise StopAsyncIteration
        self._size += len(piece)
        return piece


class _ExactURL(httpx.URL):
    """A URL whose path and query are sent unchanged: httpx would resolve dots and quote again.

    (The `target` extension does the same, but breaks the CONNECT of a proxied connection.)
    """

    def __init__(self, base: httpx.URL, target: bytes) -> None:
        super().__init__(base)
        self._target = target

    @property
    def raw_path(self) -> bytes:
        return self._target
