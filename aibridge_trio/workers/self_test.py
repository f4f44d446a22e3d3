"""The supervisor asks its workers: a request over a real connection to each of the callers' sockets.

All workers accept from them, so any of them may answer: each knows the request by its path, a secret of theirs.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from aibridge_trio.bridge.self_test import SelfTest

# The answer of a worker, and of one that has as many connections as it may have.
_ANSWERS = b"HTTP/1.1 204 ", b"HTTP/1.1 503 "


class WorkersTest(SelfTest):
    """Tells whether workers answer at their sockets; each has a self-test of its own with the same `path`."""

    async def failure_of(self, sockets: Iterable[socket.socket], within: float, *, secure: bool) -> str | None:
        """Return why callers are not served; None if each socket answers within so many seconds.

        What is not tested is as in `SelfTest.failure`.
        """
        return await self._failure(sockets, within, lambda: self._answered, secure=secure)

    async def _ask(self, listening: socket.socket, *, secure: bool) -> bytes:
        head = await super()._ask(listening, secure=secure)
        self._answered += head.startswith(_ANSWERS)
        return head
