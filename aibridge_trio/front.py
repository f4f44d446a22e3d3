"""What is asked of a request before it costs anything: before its slot, its credential and its caller's rate."""

from __future__ import annotations

from aibridge_trio.errors import UpgradeRefused
from aibridge_trio.message import Request


class Front:
    """Refuses what no limit shall spend anything on."""

    def check(self, request: Request) -> None:
        """Raise the reject of a request that goes no further."""
        if request.header(b"upgrade") is not None:
            _refuse_websocket(request.header_values(b"upgrade"))


def _refuse_websocket(offers: list[bytes]) -> None:
    """Refuse a WebSocket, whose caller can do nothing with an ordinary answer.

    Whatever else is offered, `h2c` first of all, is ignored and HTTP/1.1 goes on (RFC 9110, 7.8).
    """
    protocols = (offer.partition(b"/")[0].strip().lower() for value in offers for offer in value.split(b","))
    if b"websocket" in protocols:
        raise UpgradeRefused
