"""The way back: bytes unchanged and as they come, verdict and usage read on the side."""

from __future__ import annotations

from aibridge_trio.core.breaker.verdict import ERRORS_FROM
from aibridge_trio.core.inspection.response import ResponseInspector
from aibridge_trio.core.inspection.secret_mask import SecretMask
from aibridge_trio.errors import UpstreamFault
from aibridge_trio.gateway.circuit import Attempt
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import Reply
from aibridge_trio.providers import Route
from aibridge_trio.upstream.client import Response

# A write to the caller that waits for so long (seconds) may keep the provider waiting, too.
_SLOW_READER = 0.5
_OURS = b"x-aibridge-"
_UNENCODED = (b"", b"identity")


async def relay(
    response: Response,
    reply: Reply,
    attempt: Attempt,
    route: Route,
    record: Record,
    *,
    secret: bytes | None = None,
) -> bytes:
    """Carry an answer to the caller, all but the piece that completes it, if that can be known; return it.

    A caller that has its whole answer may come again at once, and must find its slot free. So what makes the
    answer complete (the last piece of a sized one, the end of any other) waits until nothing else is left to do.

    Evidence is heard before the bytes that hold it are passed on, because the caller may leave meanwhile. An
    UpstreamFault leaves the reply without its end: a broken answer must not look like a short one. The `secret`
    does not go back: not in a header, nor in the body of an error that can be read.
    """
    encoding = (h.find(response.headers, b"content-encoding") or b"").strip().lower()
    onlooker = ResponseInspector(
        response.status,
        media_type=h.media_type(response.headers),
        readable=route.intercepted and encoding in _UNENCODED,
    )
    length = response.length
    last, heard = b"", False
    try:
        attempt.response_started(response.headers)
        attempt.report(onlooker.head())
        head = _going_back(response.headers, length)
        answer: Response | _Masked = response
        if secret:
            mask = SecretMask(secret)
            head = mask.headers(head)
            if response.status >= ERRORS_FROM and encoding in _UNENCODED:
                answer = _Masked(response, mask)
        await reply.start(response.status, head, more=response.buffered)
        while piece := await answer.read():
            if not heard:
                heard = True
                record.first_byte()
                attempt.first_byte()
            for evidence in onlooker.feed(piece):
                attempt.report(evidence)
            if reply.sent + len(piece) == length:
                last = piece
            else:
                await reply.send(piece)
                if onlooker.finished:
                    record.finished = True
        attempt.report(onlooker.end())
    except UpstreamFault as fault:
        # A provider that was kept waiting by its caller may have given up for that. What ended was said already.
        fault.neutral = fault.neutral or onlooker.finished or reply.held_up >= _SLOW_READER
        raise
    finally:
        attempt.report(onlooker.cut())
        record.usage = onlooker.usage
    return last


def _going_back(headers: h.Headers, length: int | None) -> h.Headers:
    kept = [(name, value) for name, value in h.end_to_end(headers) if not name.lower().startswith(_OURS)]
    return kept if length is None else [*kept, (b"content-length", b"%d" % length)]


class _Masked:
    """An answer without the secret."""

    def __init__(self, response: Response, mask: SecretMask) -> None:
        self._response = response
        self._mask = mask
        self._over = False

    async def read(self) -> bytes:
        """Return the next piece, as far as it may be passed on; b"" at a clean end."""
        while not self._over and (piece := await self._response.read()):
            if passed := self._mask.feed(piece):
                return passed
        self._over = True
        return self._mask.end()
