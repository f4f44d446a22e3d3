"""The roots of all errors. Of a reject: its reason, its status, and the headers that say when to come back."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, get_args


class BridgeError(Exception):
    """The root: everything that the bridge raises on purpose."""


class UsageError(BridgeError):
    """Wrong usage or configuration; `str()` is the one line that says what, where and how to mend it."""


class CommandError(BridgeError):
    """A command could not do its work; `str()` is the one line that says why."""


Phase = Literal["connect", "head", "stream"]
PHASES: tuple[Phase, ...] = get_args(Phase)


class UpstreamFault(BridgeError):
    """No connection, no head in time, or an answer that broke or fell silent.

    `phase` is where it happened; `timeout` tells silence from a break; `neutral` says that it does not show an
    outage of the provider: a shortage here, or a connection lost for its caller's slowness. `detail` is why, in
    printable text of bounded length, without anything that a caller sent. `bound` is the bound on the whole time
    (seconds) if it was that which was reached.
    """

    def __init__(
        self,
        phase: Phase,
        detail: str,
        *,
        timeout: bool = False,
        neutral: bool = False,
        bound: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.bound = bound
        self.neutral = neutral
        self.phase: Phase = phase
        self.timeout = timeout
        self.detail = "".join(char if char.isprintable() else "?" for char in detail[:_DETAIL_SHOWN])

    @property
    def cause(self) -> str:
        """Say it in a few words, for events: one of a closed set."""
        return _CAUSES[self.phase, self.timeout]

    def __str__(self) -> str:
        return f"{self.cause}: {self.detail}" if self.detail else self.cause


_DETAIL_SHOWN = 200
_CAUSES: dict[tuple[Phase, bool], str] = {
    ("connect", False): "no connection",
    ("connect", True): "connect timed out",
    ("head", False): "broken before the head",
    ("head", True): "no head in time",
    ("stream", False): "answer broken",
    ("stream", True): "answer silent",
}


class Reject(BridgeError):
    """An answer that the bridge gives by itself.

    `wait` is how many seconds until coming back helps, None where waiting does not. `closes` if the connection
    must not be used again. `final` if the same request, sent again soon, would meet the same.
    """

    reason: ClassVar[str]
    status: ClassVar[int]
    closes: ClassVar[bool] = False

    @property
    def final(self) -> bool:
        """Whether SDKs shall not try again by themselves: they would for minutes, in silence."""
        return self.wait is None and self.status < _SERVER_ERRORS

    def __init__(self, message: str, *, wait: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.wait = wait

    def headers(self, jitter: float) -> list[tuple[bytes, bytes]]:
        """Return the headers that say why and when to come back.

        `jitter` in 0 … MAX_JITTER lengthens the wait, so that those who were told together come back apart.
        Milliseconds and seconds are rounded up: early is worse than late. Above a minute SDKs are told not
        to wait inside the call, because some sleep for as long as they are told.
        """
        headers = [(b"content-type", b"application/json"), (b"x-aibridge-reject", self.reason.encode())]
        if self.closes:
            headers.append((b"connection", b"close"))
        if self.final:
            headers.append((b"x-should-retry", b"false"))
        if self.wait is None:
            return headers
        seconds = self._told(self.wait, jitter)
        headers += [
            (b"retry-after-ms", b"%d" % math.ceil(seconds * 1000)),
            (b"retry-after", b"%d" % max(1, math.ceil(seconds))),
        ]
        if seconds > _LONGEST_SLEEP:
            headers.append((b"x-should-retry", b"false"))
        return headers

    def _told(self, wait: float, jitter: float) -> float:
        """Return the seconds that are told."""
        return wait * (1 + jitter)


_SERVER_ERRORS = 500
# Waits are lengthened by a random part, at most this one, so that refused callers do not come back together.
MAX_JITTER = 0.2
# What openai-node accepts as a Retry-After; anthropic-python sleeps an hour if told so.
_LONGEST_SLEEP = 60.0
