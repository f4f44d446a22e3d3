"""What reached the mock, and what became of it."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aibridge_trio.server.asgi import Message, Scope, Send

# How many requests are remembered one by one.
_REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body_bytes: int
    body_sha256: str


@dataclass(frozen=True, slots=True)
class MockStats:
    """What the mock has counted; `aborted` are the callers that left before their answer was complete."""

    requests: int
    in_flight: int
    aborted: int
    by_status: Mapping[str, int]
    scripted_left: int
    last: list[Seen]


class Entry:
    """One request on its way; `settle` is called when its answer is as complete as the mock wants it."""

    def __init__(self, scope: Scope, ledger: Ledger) -> None:
        query = scope.get("query_string", b"")
        target = scope.get("raw_path", b"") + (b"?" + query if query else b"")
        self._method: str = scope["method"]
        self._target = target.decode("latin-1")
        self._headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        self._bytes = 0
        self._digest = hashlib.sha256()
        self._ledger = ledger
        self.settled = False

    def feed(self, piece: bytes) -> None:
        """Take down a piece of the body."""
        self._bytes += len(piece)
        self._digest.update(piece)

    def settle(self) -> None:
        """Note that nothing is owed to the caller any more."""
        if not self.settled:
            self.settled = True
            self._ledger.in_flight -= 1

    def overhear(self, send: Send) -> Send:
        """Note the status and the end as they go out.

        Before they do: a caller that asks for statistics next finds its own request settled.
        """

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._ledger.by_status[str(message["status"])] += 1
            elif not message.get("more_body", False):
                self.settle()
            await send(message)

        return noted

    def seen(self) -> Seen:
        """Return what is known now."""
        return Seen(self._method, self._target, self._headers, self._bytes, self._digest.hexdigest())


class Ledger:
    """Counts, and the last requests one by one."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.requests = 0
        self.aborted = 0
        self.by_status: Counter[str] = Counter()
        self._last: deque[Entry] = deque(maxlen=_REMEMBERED)

    @contextmanager
    def entry(self, scope: Scope) -> Iterator[Entry]:
        """Follow one request to its end; who leaves before it is settled has aborted."""
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
        """Start counting anew; what is in flight stays so."""
        self.requests = self.aborted = 0
        self.by_status.clear()
        self._last.clear()

    def statistics(self, scripted_left: int) -> MockStats:
        """Return a frozen view."""
        return MockStats(
            requests=self.requests,
            in_flight=self.in_flight,
            aborted=self.aborted,
            by_status=dict(sorted(self.by_status.items())),
            scripted_left=scripted_left,
            last=[entry.seen() for entry in self._last],
        )
