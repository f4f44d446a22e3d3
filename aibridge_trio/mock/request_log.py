"""Counts the requests that the mock receives, and records the last ones."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aibridge_trio.http.headers import content_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aibridge_trio.http.headers import Headers
    from aibridge_trio.mock.capacity import Capacity
    from aibridge_trio.server.asgi import Message, Scope, Send

# How many requests are recorded.
_RECORDED = 32


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as received."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body_bytes: int
    body_sha256: str


@dataclass(frozen=True, slots=True)
class MockStats:
    """The mock's counters; `aborted` counts callers that left before their response was complete.

    `serving` is how many requests have a slot, `queued` how many wait for one; `pushback` counts the requests that
    were not taken, by what was lacking: slots, requests or tokens.
    """

    requests: int
    in_flight: int
    aborted: int
    by_status: Mapping[str, int]
    serving: int
    queued: int
    pushback: Mapping[str, int]
    scripted_left: int
    last: list[Seen]


class Entry:
    """A request in progress; `settle` is called when its response is complete, or incomplete on purpose."""

    def __init__(self, scope: Scope, request_log: RequestLog) -> None:
        query = scope.get("query_string", b"")
        target = scope.get("raw_path", b"") + (b"?" + query if query else b"")
        self._method: str = scope["method"]
        self._target = target.decode("latin-1")
        self._headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        self._bytes = 0
        self._digest = hashlib.sha256()
        self._request_log = request_log
        self._at_end: list[Callable[[], None]] = []
        self.settled = False

    def feed(self, piece: bytes) -> None:
        """Record a piece of the body."""
        self._bytes += len(piece)
        self._digest.update(piece)

    def at_end(self, call: Callable[[], None]) -> None:
        """Have this called when the request is finished or its caller has left."""
        self._at_end.append(call)

    def settle(self) -> None:
        """Record that the request is finished."""
        if not self.settled:
            self.settled = True
            self._request_log.in_flight -= 1
            for call in self._at_end:
                call()

    def watch(self, send: Send) -> Send:
        """Return a `send` that records status and end before it sends them.

        So a caller that asks for statistics next finds its own request settled. A body with a Content-Length ends
        with its last byte: the caller has it before the exchange has ended.
        """
        left = math.inf

        async def noted(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                self._request_log.by_status[str(message["status"])] += 1
                left = _length(message["headers"])
            else:
                left -= len(message.get("body", b""))
                if left <= 0 or not message.get("more_body", False):
                    self.settle()
            await send(message)

        return noted

    def seen(self) -> Seen:
        """Return the record of the request so far."""
        return Seen(self._method, self._target, self._headers, self._bytes, self._digest.hexdigest())


class RequestLog:
    """Counters, and the last requests."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.requests = 0
        self.aborted = 0
        self.by_status: Counter[str] = Counter()
        self._last: deque[Entry] = deque(maxlen=_RECORDED)

    @contextmanager
    def entry(self, scope: Scope) -> Iterator[Entry]:
        """Record one request; a caller that leaves before it is settled counts as aborted."""
        self.requests += 1
        self.in_flight += 1
        entry = Entry(scope, self)
        self._last.append(entry)
        try:
            yield entry
        finally:
            if not entry.settled:
                self.aborted += 1
                entry.settle()

    def reset(self) -> None:
        """Reset the counters, except for requests in flight."""
        self.requests = self.aborted = 0
        self.by_status.clear()
        self._last.clear()

    def statistics(self, scripted_left: int, capacity: Capacity) -> MockStats:
        """Return the statistics now."""
        return MockStats(
            requests=self.requests,
            in_flight=self.in_flight,
            aborted=self.aborted,
            by_status=dict(sorted(self.by_status.items())),
            serving=capacity.serving,
            queued=capacity.queued,
            pushback=dict(sorted(capacity.pushed_back.items())),
            scripted_left=scripted_left,
            last=[entry.seen() for entry in self._last],
        )


def _length(headers: Headers) -> float:
    """Return how many bytes the body has, infinity where its head does not say (or a script says nonsense)."""
    try:
        length = content_length([value for name, value in headers if name.lower() == b"content-length"])
    except ValueError:
        return math.inf
    return math.inf if length is None else length
