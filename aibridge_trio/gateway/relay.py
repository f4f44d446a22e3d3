"""Relays a provider's answer to the caller, unchanged and piece by piece; reads verdict and usage from it."""

from __future__ import annotations

from aibridge_trio.core.inspection.response import ResponseInspector
from aibridge_trio.core.inspection.secret_mask import SecretMask
from aibridge_trio.errors import UpstreamFault
from aibridge_trio.gateway.attempt import Attempt
from aibridge_trio.gateway.first_content import Opening
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http.message import Reply
from aibridge_trio.providers import Route
from aibridge_trio.upstream.exchange import Response

# A write to the caller that waits for as long (seconds) may have stalled the provider, too.
_SLOW_CALLER = 0.5


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
        attempt.report(inspector.head())
        source: Response | Opening | _Masked = response
        if secret:
            mask = SecretMask(secret, stream=head.media_type == "text/event-stream")
            headers, source = mask.headers(headers), _masked(response, mask)
        await reply.start(head.status, headers, more=response.buffered)
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
        attempt.report(inspector.end())
    except UpstreamFault as fault:
        # A caller that stalled the provider may be why it broke off; after a stream's last event nothing is lost.
        fault.neutral = fault.neutral or inspector.finished or reply.longest_write >= _SLOW_CALLER
        raise
    finally:
        attempt.report(inspector.cut())
        record.usage, record.output = inspector.usage, inspector.output
        record.error_code = inspector.error_code
        if record.model is None:
            record.model = inspector.model
    return last


def _masked(response: Response | Opening, mask: SecretMask) -> Response | Opening | _Masked:
    # Whatever the status: errors come with 200, too, and within streams.
    return _Masked(response, mask) if response.head.unencoded else response


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
