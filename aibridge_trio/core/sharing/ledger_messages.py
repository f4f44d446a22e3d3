"""Values that all replicas know, each with a version, and the messages that tell of their changes."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

# Messages that are kept for replicas that know less, and of them in one reply.
LOGGED, SENT = 1_000, 100
# Values that are kept for replicas that come later; when there are more, the older half is forgotten.
KEPT = 1_024


class Posted(NamedTuple):
    """A message, as it was posted; `value` is JSON."""

    number: int
    topic: str
    key: str
    version: int
    value: str
    at: float
    sender: str

    def sent(self, now: float) -> list[object]:
        """Return it as replies have it."""
        return [self.number, self.topic, self.key, self.version, self.value, now - self.at, self.sender]


class Messages:
    """A log of the last messages, and the present values."""

    __slots__ = ("_kept", "_log", "number")

    def __init__(self) -> None:
        self.number = 0  # of the last message
        self._log: deque[Posted] = deque(maxlen=LOGGED)
        self._kept: dict[tuple[str, str], tuple[Posted, float]] = {}

    def post(
        self, topic: str, key: str, now: float, sender: str, *, version: int = 0, value: str = "null"
    ) -> Posted:
        """Tell all replicas."""
        self.number += 1
        posted = Posted(self.number, topic, key, version, value, now, sender)
        self._log.append(posted)
        return posted

    def set(self, op: list[Any], now: float, sender: str) -> list[object]:
        """Set a value if its version is this one; return the op's result."""
        _, topic, key, version, value, keep = op
        known = self._kept.get((topic, key))
        # A value that is forgotten has the version that the replica knows: versions do not go back.
        present = max(version, 0) if known is None else known[0].version
        if known is not None and version not in {-1, present}:
            return [0, present, known[0].value]
        posted = self.post(topic, key, now, sender, version=present + 1, value=value)
        self._kept.pop((topic, key), None)
        if keep:
            self._kept[topic, key] = posted, now + keep
            if len(self._kept) > KEPT:
                for oldest in list(self._kept)[: KEPT // 2]:
                    del self._kept[oldest]
        return [1, present + 1]

    def kept(self, now: float) -> list[list[object]]:
        """Return the values that are kept, the oldest first."""
        return [posted.sent(now) for posted, until in self._kept.values() if until > now]

    def after(self, since: int, now: float) -> list[list[object]]:
        """Return the messages after one, as many as a reply has."""
        first = len(self._log) - (self.number - since)
        return [self._log[index].sent(now) for index in range(max(0, first), min(len(self._log), first + SENT))]

    def knows(self, since: int) -> bool:
        """Whether all messages after one are still in the log."""
        return since <= self.number <= since + len(self._log)

    def __repr__(self) -> str:
        return f"<Messages up to {self.number}, {len(self._kept)} values>"
