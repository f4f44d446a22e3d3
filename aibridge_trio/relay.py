"""The way back: bytes unchanged and as they come, verdict and usage read on the side."""

from __future__ import annotations

from aibridge_trio.asgi import Reply
from aibridge_trio.circuit import Hold
from aibridge_trio.core import headers as h
from aibridge_trio.core.onlooker import Onlooker
from aibridge_trio.providers import Route
from aibridge_trio.record import Record
from aibridge_trio.upstream import Response

_OURS = b"x-aibridge-"
_UNENCODED = (b"", b"identity")


async def relay(response: Response, reply: Reply, hold: Hold, route: Route, record: Record) -> None:
    """Carry an answer to the caller.

    Evidence is heard before the bytes that hold it are passed on, because the caller may leave meanwhile. An
    UpstreamFault leaves the reply without its end: a broken answer must not look like a short one.
    """
    encoding = (h.find(response.headers, b"content-encoding") or b"").strip().lower()
    onlooker = Onlooker(
        response.status,
        media_type=h.media_type(response.headers),
        readable=route.intercepted and encoding in _UNENCODED,
    )
    try:
        hold.settle(onlooker.head())
        await reply.start(response.status, _going_back(response.headers))
        while piece := await response.read():
            record.first_byte()
            hold.settle(onlooker.feed(piece))
            await reply.send(piece)
        hold.settle(onlooker.end())
        await reply.end()
    finally:
        hold.settle(onlooker.cut())
        record.usage = onlooker.usage


def _going_back(headers: h.Headers) -> h.Headers:
    kept = [(name, value) for name, value in h.end_to_end(headers) if not name.lower().startswith(_OURS)]
    length = h.find(headers, b"content-length")
    if length is not None and h.find(headers, b"transfer-encoding") is None:
        kept.append((b"content-length", length))
    return kept
