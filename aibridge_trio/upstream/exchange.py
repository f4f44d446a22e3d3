"""One request to a provider and its response. Their faults: UpstreamFault, BadRequest, BodyTooLarge."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Self

import httpx
import trio

from aibridge_trio.errors import BadRequest, BodyTooLarge, UpstreamFault
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import STALLED, BodyStalled
from aibridge_trio.http.response_head import ResponseHead
from aibridge_trio.net.fault_causes import is_local_shortage, is_refusal
from aibridge_trio.upstream.call import Call
from aibridge_trio.upstream.lost_connection import ConnectionLost
from aibridge_trio.upstream.via_proxy import ProxiedCall


@dataclass(slots=True)
class Outgoing:
    """A request to a provider. `target` is path and query after the base URL, as sent.

    `from_caller` is the caller's body as it comes; if `body` is that, nothing is kept behind its last piece.
    `lines` are the head's lines but for Content-Length, if `Upstream.checked` has made them for `base`.
    """

    method: str
    target: bytes = field(repr=False)
    headers: h.Headers = field(repr=False)
    body: AsyncIterator[bytes]
    length: int | None
    chunked: bool
    max_body: int
    from_caller: object = field(default=None, repr=False)
    base: object = field(default=None, repr=False)
    lines: bytes = field(default=b"", repr=False)

    @property
    def has_body(self) -> bool:
        """Whether the request has a body, even an empty one."""
        return self.chunked or self.length is not None

    def framed_headers(self, host: tuple[bytes, bytes]) -> h.Headers:
        """Return all headers, with those that frame the body."""
        if self.chunked:
            return [host, *self.headers, (b"transfer-encoding", b"chunked")]
        if self.length is None:
            return [host, *self.headers]
        return [host, *self.headers, (b"content-length", b"%d" % self.length)]


class Response:
    """A provider's response: its head, and its body piece by piece.

    It is an async context manager. Entering it sends the request and waits for the head. It raises UpstreamFault,
    or BodyTooLarge or BadRequest if the cause is the caller's body. Leaving it early cancels the request upstream.
    `head` is there as soon as it is entered. `complete`: with the last `read` all of the body has been returned.
    """

    def __init__(
        self,
        call: Call | ProxiedCall,
        outgoing: Outgoing,
        target: bytes,
        headers: h.Headers,
        on_connected: Callable[[], None],
        *,
        head: bytes = b"",
        sent: Callable[[], None],
        on_completing: Callable[[], None],
        total: float,
    ) -> None:
        self.head: ResponseHead
        self.complete = False
        self._call = call
        self._total = total
        self._bound = trio.CancelScope() if total < math.inf else None
        self._sent = sent
        self._completing: Callable[[], None] | None = on_completing
        self._announced = outgoing.length
        self._outgoing = outgoing
        self._target = target
        self._headers = headers
        self._checked_head = head
        self._on_connected = on_connected
        self._body_left = outgoing.max_body
        self._ended = False  # the request's body is complete

    @property
    def buffered(self) -> bool:
        """Whether the next `read` will not wait."""
        return self._call.buffered

    @property
    def resumable(self) -> bool:
        """Whether a `wait` that is cancelled loses nothing."""
        return self._call.resumable

    async def __aenter__(self) -> Self:
        if self._bound:
            self._bound.__enter__()
        call, outgoing = self._call, self._outgoing
        headers, self._headers = self._headers, []  # a stream may take long, and has no use for them
        length = None if outgoing.chunked else outgoing.length or 0
        if length == 0:
            self._complete()  # the head is the whole request
        try:
            try:
                await call.begin(
                    outgoing.method,
                    self._target,
                    headers,
                    length,
                    source=self._piece,
                    on_connected=self._on_connected,
                    on_sent=self._sent,
                    head=self._checked_head,
                )
            except (BodyStalled, httpx.TransportError) as error:
                raise self._failure(error) from None
        except BaseException as error:
            self._end_bound(error)
            raise
        assert call.head is not None
        self.head = call.head
        self._headers, self._checked_head = [], b""  # a stream may be long
        return self

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._bound is None and self._call.over:
            return
        try:
            await self._call.aclose(error)
        except (BodyStalled, httpx.TransportError) as failure:  # of an upload during the response
            self._end_bound(None)
            raise self._failure(failure) from None
        except BaseException as ended:
            self._end_bound(ended)
            raise
        else:
            self._end_bound(error)
        finally:
            del error  # it refers to this frame: break the cycle

    def _end_bound(self, error: BaseException | None) -> None:
        """Close the scope of the total timeout; raise UpstreamFault if the timeout ended the request."""
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
        """Return the next piece, b"" at a clean end. Raises UpstreamFault for a broken or stalled response."""
        try:
            piece = await self._call.read()
        except httpx.TransportError as error:
            raise self._failure(error) from None
        self.complete = self._call.complete
        return piece

    async def wait(self) -> None:
        """Wait until `read` will not. Raises UpstreamFault for a broken or stalled response."""
        if not self._call.buffered:
            try:
                await self._call.wait()
            except httpx.TransportError as error:
                raise self._failure(error) from None

    async def stop_upload(self) -> None:
        """Send nothing more of the request, and read nothing more of its body. Raises the upload's fault."""
        try:
            await self._call.stop_upload()
        except (BodyStalled, httpx.TransportError) as failure:
            raise self._failure(failure) from None

    async def _piece(self) -> bytes | None:
        """Return the next piece of the request's body, None at its end."""
        outgoing = self._outgoing
        if self._ended and outgoing.body is outgoing.from_caller:
            return None
        has_body = outgoing.chunked or outgoing.length is not None
        piece = await anext(outgoing.body, None) if has_body else None
        if self._bound and self._bound.deadline == math.inf:
            self._bound.deadline = trio.current_time() + self._total
        if piece is None:
            self._ended = True
            if self._announced is None:
                self._complete()
            return None
        self._body_left -= (size := len(piece))
        if self._body_left < 0:
            raise BodyTooLarge(outgoing.max_body)
        if self._announced is not None:
            self._announced -= size
            if self._announced <= 0:
                self._ended = True
                self._complete()
        return piece

    def _complete(self) -> None:
        """Report that the next piece completes the request."""
        on_completing, self._completing = self._completing, None
        if on_completing:
            on_completing()

    def _failure(self, error: BodyStalled | httpx.TransportError) -> BadRequest | UpstreamFault:
        match error:
            case BodyStalled():
                return BadRequest(STALLED)
            case httpx.LocalProtocolError():
                return BadRequest("request cannot be framed for the provider")
        timeout = isinstance(error, httpx.TimeoutException)
        neutral = isinstance(error, ConnectionLost) or is_local_shortage(error)
        return UpstreamFault(
            self._call.phase,
            str(error),
            timeout=timeout,
            neutral=neutral,
            refused=self._call.phase == "connect" and not neutral and (timeout or is_refusal(error)),
        )
