"""About how many tokens an answer has so far: for answers that end before they report it, or that never do."""

from __future__ import annotations

from collections.abc import Iterable

# Bytes for each token, about: of text, and of the JSON around it.
BYTES_PER_TOKEN = 4
# An event with a piece of content has at least so many bytes; shorter ones, like pings, have none.
_SHORTEST = 64
# OpenAI pads its events, so that their sizes tell nothing; one is a token then. Looked for in the first events.
_PADDING, _LOOKED_AT = b'"obfuscation"', 4


class OutputEstimate:
    """Counts the events of a stream, from its first content on.

    An event has at least one token. The size of the shortest one is taken for the JSON around the text; of the
    text four bytes are a token. Of padded events each is one token.
    """

    __slots__ = ("_bytes", "_events", "_frame", "_padded", "settled")

    def __init__(self) -> None:
        self.settled = False  # the events that follow are counted by their sizes alone
        self._bytes = 0
        self._events = 0
        self._frame = 0
        self._padded = False

    def add_event(self, data: bytes) -> None:
        """Count an event with this data."""
        size = len(data)
        if size >= _SHORTEST and not self.settled:
            self._padded = self._padded or _PADDING in data
            self.settled = self._events == _LOOKED_AT - 1
        self.add_sizes((size,))

    def add_sizes(self, sizes: Iterable[int]) -> None:
        """Count events with data of these sizes, once the estimate is `settled`."""
        for size in sizes:
            if size >= _SHORTEST:
                self._events += 1
                self._bytes += size
                if size < self._frame or not self._frame:
                    self._frame = size

    @property
    def tokens(self) -> int:
        """The tokens so far."""
        if self._padded:
            return self._events
        return max(self._events, (self._bytes - self._events * self._frame) // BYTES_PER_TOKEN)

    def __repr__(self) -> str:
        return f"<OutputEstimate {self.tokens}>"
