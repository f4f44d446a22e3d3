"""Detects requests that return to this bridge, directly or through other bridges.

Each bridge adds its own mark to a header of the requests it sends. (RFC 9110, 7.6.3 has `Via` for that, but
providers may act on it, and it is not sent beside a central key.) Chains of bridges work; a bridge that finds its
own mark rejects the request.
"""

from __future__ import annotations

import os

from aibridge_trio.errors import LoopDetected
from aibridge_trio.http.message import Request

HOPS = b"x-aibridge-hops"
# More bridges than a sensible chain has.
_MOST = 8


class Hops:
    """This bridge's mark: random, and unique to the process."""

    def __init__(self) -> None:
        self._own = os.urandom(8).hex().encode()

    def check(self, request: Request) -> None:
        """Raise LoopDetected if the request has this bridge's mark, or too many others."""
        if request.header(HOPS) is None:
            return
        hops = _hops(request)
        if self._own in hops or len(hops) >= _MOST:
            raise LoopDetected

    def mark(self, request: Request) -> tuple[bytes, bytes]:
        """Return the header with the marks so far, and this bridge's."""
        if request.header(HOPS) is None:
            return HOPS, self._own
        return HOPS, b", ".join([*_hops(request), self._own])


def _hops(request: Request) -> list[bytes]:
    return [hop.strip() for value in request.header_values(HOPS) for hop in value.split(b",")]
