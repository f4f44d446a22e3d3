"""Connections that end in a way that says nothing about the provider's health."""

from __future__ import annotations

import httpx
import trio

# When a provider's program stops reading, its kernel may have taken this much (bytes) that the program has not
# read, and the end of the request may have been in flight for this long (seconds).
_UNREAD = 64 * 1024
_IN_FLIGHT = 1.0


class ConnectionLost(httpx.ReadError):
    """An established connection ended in a way that says nothing about the provider's health.

    Either the connection had carried a response before, and ended without a byte of this one: providers close idle
    connections, and a request may meet that. Or the request was not completely sent: its caller paused for longer
    than the provider waits, or the body exceeds a limit on the way. Whether the provider processed the request is
    unknown.
    """


def unread(size: int, sent_at: float) -> bool:
    """Return whether the end of a request of `size` bytes may be in flight, or unread in the provider's kernel.

    That our kernel took the last byte says little about a long request: a reset may come before it is read.
    """
    return size > _UNREAD and trio.current_time() - sent_at < _IN_FLIGHT
