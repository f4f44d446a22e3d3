"""Parses server-sent events: bytes in, events out, in bounded memory.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from dataclasses import dataclass

# The longest event that is parsed (bytes). Text deltas take a few hundred bytes, images more than this.
MAX_EVENT = 1024 * 1024
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name ("" without one) and its data, lines joined by a newline."""

    name: str
    data: bytes


class Parser:
    """Parses one stream. `overflowed` is set at the first event above `max_event` bytes; parsing stops there.

    `between_events`: the next byte begins an event; one that is complete need not be fed then.
    """

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._line = bytearray()
        self._data: list[bytes] = []
        self._name = ""
        self._size = 0
        self._after_cr = False
        self._first_line = True
        self.overflowed = False
        self.between_events = True

    def feed(self, piece: bytes) -> list[Event]:
        """Return the events that `piece` completes; pieces may split events anywhere."""
        if self.overflowed or not piece:
            return []
        if self._after_cr and piece[:1] == b"\n":
            piece = piece[1:]
            self._after_cr = False
            if not piece:
                return []
        self._after_cr = piece[-1:] == b"\r"
        events: list[Event] = []
        for part in piece.splitlines(keepends=True):
            self._size += len(part)
            self._line += part
            if part[-1:] in (b"\n", b"\r") and (event := self._end_of_line()):
                events.append(event)
            if self._size > self._max_event:
                self.overflowed = True
                self._line.clear()
                self._data.clear()
                break
        self.between_events = not (self._size or self._after_cr)
        return events

    def _end_of_line(self) -> Event | None:
        line = bytes(self._line).rstrip(b"\r\n")
        self._line.clear()
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._end_of_event()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        return None

    def _end_of_event(self) -> Event | None:
        event = Event(self._name, b"\n".join(self._data)) if self._data else None
        self._data.clear()
        self._name = ""
        self._size = 0
        return event
