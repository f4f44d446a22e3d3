"""Checks that run before a request costs a slot, a hash of its credential or its caller's rate."""

from __future__ import annotations

from aibridge_trio.errors import UpgradeRefused
from aibridge_trio.gateway.browser_origins import Origins, allow_page, is_from_page, preflight
from aibridge_trio.gateway.caller_identity import CallerIdentifier
from aibridge_trio.gateway.loop_detection import Hops
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import Reply, Request

_HTTP, _HTTPS = frozenset({b"http"}), frozenset({b"https"})
_EITHER = _HTTP | _HTTPS


class Prechecks:
    """Rejects foreign web pages, loops and WebSockets, and answers preflights."""

    def __init__(self, origins: Origins, callers: CallerIdentifier, hops: Hops) -> None:
        self._origins = origins
        self._callers = callers
        self._hops = hops

    def check(self, request: Request, reply: Reply) -> h.Headers | None:
        """Raise the reject of a request that fails a check; return the headers of a preflight's answer, else None.

        Raises ForbiddenOrigin, LoopDetected or UpgradeRefused.
        """
        if request.on_loopback:
            self._origins.check_host(request)
        answer = None
        if is_from_page(request) and (page := self._origins.check_page(request, schemes=self._schemes(request))):
            allow_page(reply, page)
            answer = preflight(request)
        self._hops.check(request)
        if request.header(b"upgrade") is not None:
            _refuse_websocket(request.header_values(b"upgrade"))
        return answer

    def _schemes(self, request: Request) -> frozenset[bytes]:
        """Return the schemes by which browsers reach this listener: a proxy in front may terminate TLS."""
        if request.secure:
            return _HTTPS
        return _EITHER if self._callers.behind_proxy(request) else _HTTP


def _refuse_websocket(offers: list[bytes]) -> None:
    """Raise UpgradeRefused for a WebSocket: its client cannot use an ordinary answer.

    Any other offer, such as `h2c`, is ignored and the request is answered in HTTP/1.1 (RFC 9110, 7.8).
    """
    protocols = (offer.partition(b"/")[0].strip().lower() for value in offers for offer in value.split(b","))
    if b"websocket" in protocols:
        raise UpgradeRefused
