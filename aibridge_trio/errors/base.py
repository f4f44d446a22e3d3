"""The base classes of all errors, and the headers of a reject: its reason, and when to retry."""

from __future__ import annotations

from typing import ClassVar, Literal, get_args


class BridgeError(Exception):
    """The base of all errors that the bridge raises on purpose."""


class UsageError(BridgeError):
    """Wrong usage or configuration; `str()` is one line: where, what is wrong, and how to correct it."""


class CommandError(BridgeError):
    """A command failed at run time; `str()` is one line with the cause."""


Phase = Literal["connect", "head", "stream"]
PHASES: tuple[Phase, ...] = get_args(Phase)


class UpstreamFault(BridgeError):
    """A connection to a provider failed, its response head was late, or its response broke or stalled.

    `phase` is where it failed; `timeout` is True for a timeout, False for a broken connection. `neutral` is True
    if the fault says nothing about the provider's health: the bridge ran out of a resource, or a slow caller
    held the connection for too long. `detail` is the cause, as printable text of bounded length without anything
    that a caller sent. `bound` is the --max-duration (seconds) if that was exceeded, else None. `refused` is True
    if there was no connection, for a cause that may pass.
    """

    def __init__(
        self,
        phase: Phase,
        detail: str,
        *,
        timeout: bool = False,
        neutral: bool = False,
        bound: float | None = None,
        refused: bool = False,
    ) -> None:
        super().__init__(detail)
        self.bound = bound
        self.refused = refused
        self.neutral = neutral
        self.phase: Phase = phase
        self.timeout = timeout
        self.detail = "".join(char if char.isprintable() else "?" for char in detail[:_DETAIL_SHOWN])

    @property
    def cause(self) -> str:
        """A short description for events: one of a closed set."""
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
    """A response that the bridge makes itself, in place of a provider's.

    `reason` names it in headers, metrics and logs; `status` is the HTTP status. `wait` is the number of seconds
    until a retry helps, None if waiting does not help. `closes` is True if the connection closes after it.
    `spread` seconds are added to the wait in place of the jitter, where the waits of rejected requests differ
    already; None keeps the jitter.
    """

    reason: ClassVar[str]
    status: ClassVar[int]
    closes: ClassVar[bool] = False
    spread: float | None = None
    # The header lines of all rejects of a class.
    _lines: ClassVar[bytes]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        closing = b"connection: close\r\n" if cls.closes else b""
        cls._lines = _LINES % (cls.reason.encode(), closing)

    @property
    def final(self) -> bool:
        """Whether a retry would get the same reject; `x-should-retry: false` then keeps SDKs from retrying.

        Never with a wait.
        """
        return self.wait is None and self.status < _SERVER_ERRORS

    def __init__(self, message: str, *, wait: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.wait = wait

    def headers(self, jitter: float) -> list[tuple[bytes, bytes]]:
        """Return the headers of `lines`."""
        pairs = (line.split(b": ", 1) for line in self.lines(jitter).splitlines())
        return [(name, value) for name, value in pairs]

    def lines(self, jitter: float) -> bytes:
        """Return the lines of its head with the reason and the time to retry; names are in lower case.

        `jitter` (0 to MAX_JITTER) lengthens the wait by that share, so that clients rejected together retry
        apart. Milliseconds and seconds are rounded up, because a retry that comes too early is rejected again.
        Above a minute `x-should-retry: false` keeps SDKs from sleeping inside the call: some sleep for any time.
        """
        if self.wait is None:
            return self._lines + _NO_RETRY if self.final else self._lines
        seconds = self.wait * (1 + jitter) if self.spread is None else self.wait + self.spread
        # -(-x // 1) is math.ceil(x) without a call
        times = _WAIT % (self._lines, -(-seconds * 1000 // 1), -(-seconds // 1) or 1)
        return times + _NO_RETRY if seconds > _LONGEST_SLEEP else times


_LINES = b"content-type: application/json\r\nx-aibridge-reject: %b\r\n%b"
_WAIT = b"%bretry-after-ms: %d\r\nretry-after: %d\r\n"
_NO_RETRY = b"x-should-retry: false\r\n"
_SERVER_ERRORS = 500
# The largest random share by which a wait is lengthened.
MAX_JITTER = 0.2
# openai-node ignores a longer Retry-After; anthropic-python sleeps for any, even an hour (seconds).
_LONGEST_SLEEP = 60.0
