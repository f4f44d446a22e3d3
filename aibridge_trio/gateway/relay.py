"""Relays a provider's answer to the caller, unchanged and piece by piece; reads verdict and usage from it."""

from __future__ import annotations

from aibridge_trio.core.breaker.provider_error import OVERLOAD_STATUSES
from aibridge_trio.core.breaker.verdict import ERRORS_FROM
from aibridge_trio.core.inspection.response import ResponseInspector
from aibridge_trio.core.inspection.secret_mask import SecretMask
from aibridge_trio.errors import UpstreamFault
from aibridge_trio.gateway.attempt import Attempt
from aibridge_trio.gateway.first_content import Opening
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http.headers import Headers
from aibridge_trio.http.message import Reply
from aibridge_trio.http.response_head import ResponseHead
from aibridge_trio.providers import Route
from aibridge_trio.upstream.exchange import Response

# A write to the caller that waits for as long (seconds) may have stalled the provider, too.
_SLOW_CALLER = 0.5
_STREAM = "text/event-stream"


async def relay(
    response: Response | Opening,
    reply: Reply,
    attempt: Attempt,
    route: Route,
    record: Record,
    *,
    secret: bytes | None = None,
) -> bytes:
    """Relay an answer, but return the piece that completes it if its length is known, instead of sending it.

    A caller that has its whole answer may send its next request at once, and must find its slot free. So what
    completes the answer (the last piece of known length, else the end) is sent after all else is done.

    Evidence is reported before the bytes that contain it are sent, because the caller may leave meanwhile. Raises
    UpstreamFault if the answer breaks; the reply is not ended then, so that it does not look complete. The
    `secret` is masked in the answer's headers, and in a body that is not encoded: in all of a stream, else in its
    first 64 KiB.
    """
    head = response.head
    inspector = ResponseInspector(
        head.status, media_type=head.media_type, readable=route.intercepted and head.unencoded
    )
    length = head.length
    headers = head.forwarded if length is None else [*head.forwarded, (b"content-length", b"%d" % length)]
    last, has_begun = b"", False
    try:
        attempt.response_started(head.headers)
        if head.status >= ERRORS_FROM or not inspector.readable:
            attempt.report(inspector.head())
        headers, source = _masked(response, headers, secret) if secret else (headers, response)
        await reply.start(head.status, headers, more=response.buffered)
        headers = _kept(headers, attempt, head)
        while piece := await source.read():
            if not has_begun:
                has_begun = True
                record.first_byte()
                attempt.first_byte()
            for evidence in inspector.feed(piece):
                attempt.report(evidence)
            if length is not None and reply.sent + len(piece) == length:
                last = piece
                if response.complete:
                    break  # one more read would say so
            else:
                await reply.send(piece)
                if inspector.finished:
                    record.finished = True
            del piece  # the next one may be long in coming
        attempt.ended = True
        attempt.report(inspector.end())
    except UpstreamFault as fault:
        # A caller that stalled the provider may be why it broke off; after a stream's last event nothing is lost.
        fault.neutral = fault.neutral or inspector.finished or reply.longest_write >= _SLOW_CALLER
        raise
    finally:
        if head.status in OVERLOAD_STATUSES:
            attempt.report(inspector.cut())
        record.usage, record.output = inspector.usage, inspector.output
        record.error_code = inspector.error_code
        record.model = record.model or inspector.model
    return last


def _kept(headers: Headers, attempt: Attempt, head: ResponseHead) -> Headers:
    """Keep no headers of a stream: it may take long, and they are a tenth of what it holds meanwhile."""
    if head.media_type != _STREAM:
        return headers
    attempt.forget_headers()
    head.forget_headers()
    return []


def _masked(
    response: Response | Opening, headers: Headers, secret: bytes
) -> tuple[Headers, Response | Opening | _Masked]:
    """Return an answer's headers and body with the secret masked, but for a body that is encoded."""
    mask = SecretMask(secret, stream=response.head.media_type == _STREAM)
    # Whatever the status: errors come with 200, too, and within streams.
    return mask.headers(headers), _Masked(response, mask) if response.head.unencoded else response


class _Masked:
    """An answer's body with the secret masked."""

    def __init__(self, response: Response | Opening, mask: SecretMask) -> None:
        self._response = response
        self._mask = mask
        self._ended = False

    async def read(self) -> bytes:
        """Return the next masked piece; b"" at a clean end."""
        while not self._ended and (piece := await self._response.read()):
            if passed := self._mask.feed(piece):
                return passed
        self._ended = True
        return self._mask.end()
