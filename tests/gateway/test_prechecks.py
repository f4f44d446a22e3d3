"""What is refused before a request costs anything."""

from __future__ import annotations

from typing import Any, cast

import pytest

from aibridge_trio.errors import UpgradeRefused
from aibridge_trio.gateway.browser_origins import Origins
from aibridge_trio.gateway.caller_identity import CallerIdentifier
from aibridge_trio.gateway.loop_detection import Hops
from aibridge_trio.gateway.prechecks import Prechecks
from aibridge_trio.http.message import Request
from aibridge_trio.server.asgi import AsgiBody, AsgiReply

FRONT = Prechecks(Origins(), CallerIdentifier(), Hops())
REPLY = AsgiReply(cast("Any", None), AsgiBody())


def offering(*offers: bytes) -> Request:
    headers = [(b"upgrade", offer) for offer in offers]
    return Request("GET", b"/", b"", headers, "203.0.113.7", None, AsgiBody())


@pytest.mark.parametrize(
    "offers", [[b"websocket"], [b"WebSocket"], [b"h2c, websocket"], [b"websocket/13"], [b"h2c", b" websocket "]]
)
def test_a_websocket_is_refused(offers: list[bytes]) -> None:
    """An offer of a WebSocket is refused, in whatever case, list or header it stands."""
    with pytest.raises(UpgradeRefused):
        FRONT.check(offering(*offers), REPLY)


@pytest.mark.parametrize(
    "offers", [[], [b""], [b"h2c"], [b"TLS/1.2, HTTP/2.0"], [b"not-websocket"], [b"\xff/websocket"]]
)
def test_any_other_offer_is_ignored(offers: list[bytes]) -> None:
    """Any other offer is ignored, as a server may (RFC 9110, 7.8), and HTTP/1.1 goes on."""
    assert FRONT.check(offering(*offers), REPLY) is None
