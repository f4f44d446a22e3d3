"""Detects a request that comes back, alone or through other bridges.

Each bridge on a request's way adds itself to a header (RFC 9110, 7.6.3 has `Via` for that, which providers may act
on, and which does not go up beside a central key). A chain of bridges works; one that sees itself again refuses.
"""

from __future__ import annotations

import os

from aibridge_trio.errors import LoopDetected
from aibridge_trio.http.message import Request

HOPS = b"x-aibridge-hops"
# More bridges than anybody puts one behind the other.
_MOST = 8


class Hops:
    """This bridge's mark on the requests that it sends on."""

    def __init__(self) -> None:
        self._own = os.urandom(8).hex().encode()

    def check(self, request: Request) -> None:
        """Refuse a request that was here before, or has come through too many bridges."""
        if request.header(HOPS) is None:
            return
        hops = _hops(request)
        if self._own in hops or len(hops) >= _MOST:
            raise LoopDetected

    def mark(self, request: Request) -> tuple[bytes, bytes]:
        """Return the header with all hops so far, and this one."""
        if request.header(HOPS) is None:
            return HOPS, self._own
        return HOPS, b", ".join([*_hops(request), self._own])


def _hops(request: Request) -> list[bytes]:
    return [hop.strip() for value in request.header_values(HOPS) for hop in value.split(b",")]
