"""Inspects an answer while it passes to the caller: evidence for the breaker, and usage; in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence

from aibridge_trio.core.breaker import verdict
from aibridge_trio.core.breaker.provider_error import OVERLOAD_STATUSES, error_code
from aibridge_trio.core.breaker.verdict import Evidence
from aibridge_trio.core.inspection.model import named_model
from aibridge_trio.core.inspection.output_estimate import BYTES_PER_TOKEN, OutputEstimate
from aibridge_trio.core.inspection.plain_events import may_matter, plain_events
from aibridge_trio.core.inspection.usage import NO_USAGE
from aibridge_trio.http import sse

# The part of a unary answer that is kept (bytes): the bound of one event of a stream.
_MAX_BODY = sse.MAX_EVENT
_DONE = b"[DONE]"


class ResponseInspector:
    """Inspects one answer: `head`, then `feed` for each piece, then `end` if it ended cleanly.

    Each method returns evidence as soon as there is some. An answer that is not `readable` (it has a content
    coding, or its route is not intercepted) is judged by its head. `finished`: a stream has reached the event that
    is the last in its dialect, after which clients may close the connection. `model` is the model that the answer
    names, `error_code` the code of an error in it; None without one.
    """

    def __init__(self, status: int, *, media_type: str, readable: bool) -> None:
        self.usage = NO_USAGE
        self.model: str | None = None
        self.error_code: str | None = None
        self._status = status
        self.readable = readable
        self._streamed = media_type == "text/event-stream" and status < verdict.ERRORS_FROM
        self._parser = sse.Parser() if self._streamed else None
        self._body = bytearray()
        self._content_seen = False
        self._estimate = OutputEstimate() if self._parser and readable else None
        self._size = 0  # of what is not read as events (bytes)
        self._ended = False
        self.finished = False

    def head(self) -> Evidence | None:
        """Judge the status; None if the body decides."""
        return verdict.of_head(self._status) if self.readable else verdict.of_status(self._status)

    def feed(self, piece: bytes) -> Sequence[Evidence]:
        """Read one piece of the body; return its evidence, in order."""
        parser, estimate = self._parser, self._estimate
        if parser is None or estimate is None:
            if self.readable and self._size <= _MAX_BODY:
                self._body += piece
            self._size += len(piece)
            return []
        if self._content_seen and parser.between_events and estimate.settled:
            sizes, end = plain_events(piece)
            estimate.add_sizes(sizes)
            if end == len(piece):
                return ()
            piece = piece[end:]
        seen = (self._inspect(event, estimate) for event in parser.feed(piece))
        return [evidence for evidence in seen if evidence is not None]

    def end(self) -> Evidence | None:
        """Judge a complete answer; a stream without content is neutral."""
        self._ended = True
        if not self.readable:
            return None
        if self._parser:
            return verdict.SUCCESS if self._parser.overflowed else verdict.NEUTRAL
        if self._size > _MAX_BODY:
            return verdict.of_status(self._status)
        document = verdict.parse(self._body)
        self.usage = self.usage.updated(document)
        self.model = named_model(document)
        evidence = verdict.of_body(self._status, document)
        if evidence is not verdict.SUCCESS:
            self.error_code = error_code(document)
        return evidence

    def cut(self) -> Evidence | None:
        """Judge an answer that was not read to its end: an overload status is a failure, whatever follows."""
        return verdict.of_status(self._status) if self._status in OVERLOAD_STATUSES else None

    @property
    def output(self) -> int:
        """The tokens of the answer so far: as reported, if it came to its end; else at least as estimated."""
        if self._status >= verdict.ERRORS_FROM:
            return 0
        if self.usage != NO_USAGE and (self._ended or self.finished):
            return self.usage.output
        estimate = self._size // BYTES_PER_TOKEN if self._estimate is None else self._estimate.tokens
        return max(self.usage.output, estimate)

    def _inspect(self, event: sse.Event, estimate: OutputEstimate) -> Evidence | None:
        # After the first content only errors and usage matter; other events are not parsed.
        if event.data == _DONE:
            self.finished = True
            return None
        if self._content_seen:
            estimate.add_event(event.data)
        if self._content_seen and event.name not in verdict.LAST and not may_matter(event.data):
            return None
        document = verdict.parse(event.data)
        self.finished = self.finished or verdict.is_last(event.name, document)
        self.usage = self.usage.updated(document)
        if self.model is None:
            self.model = named_model(document)
        evidence = verdict.of_event(event.name, document)
        if evidence is verdict.SUCCESS:
            if self._content_seen:
                return None
            self._content_seen = True
            estimate.add_event(event.data)
        elif evidence is not None:
            self.error_code = error_code(document)
        return evidence
