"""Writes log lines to stderr: one per request, breaker transition, learned limit, start, drain and override.

A line never contains a body or a credential. The format is JSON, or logfmt for people: `key=value`, with ambiguous
values in quotes, so that no caller can forge a field.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import trio

from aibridge_trio.config.settings import LogFormat, LogLevel
from aibridge_trio.core.key_pool import KeyState
from aibridge_trio.events import (
    ADMIN_REFUSALS,
    AdminRefused,
    Bug,
    Finished,
    Handlers,
    KeyChanged,
    LifecycleChanged,
    LimitChanged,
    Overridden,
    Reloaded,
    Transitioned,
)
from aibridge_trio.process.log_writer import LogWriter
from aibridge_trio.process.throttled_reports import Throttled
from aibridge_trio.sharing.change import StoreChanged
from aibridge_trio.telemetry.log_format import human_line, human_request, json_line, json_request

_OF_KEYS: dict[KeyState, LogLevel] = {
    KeyState.READY: "info",
    KeyState.RESTING: "warning",
    KeyState.OUT: "error",
}
_LEVELS: dict[LogLevel, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3}

_INFO = _LEVELS["info"]


class Log:
    """Writes a line for each event that it handles; `form` `auto` is `human` on a terminal, otherwise `json`."""

    def __init__(
        self,
        level: LogLevel = "info",
        form: LogFormat = "auto",
        *,
        now: Callable[[], float],
        stream: TextIO | None = None,
    ) -> None:
        self._stream = stream or sys.stderr
        self.apply(level, form)
        self._now = now
        self._writer: LogWriter | None = None
        self._write: Callable[[str], None] = self._write_through
        self._dropped = 0
        self._refused = {cause: Throttled(self._admin_refused) for cause in ADMIN_REFUSALS}
        self.handlers: Handlers = {
            Finished: self._finished,
            Transitioned: self._transitioned,
            Overridden: self._overridden,
            LimitChanged: self._limit_changed,
            KeyChanged: self._key_changed,
            StoreChanged: self._store_changed,
            AdminRefused: lambda event: self._refused[event.cause].add(event),
            LifecycleChanged: self._lived,
            Reloaded: self._reloaded,
            Bug: self._bug,
        }

    def apply(self, level: LogLevel, form: LogFormat) -> None:
        """Write from now on at this level and in this format."""
        self._min_level = _LEVELS[level]
        human = form == "human" or (form == "auto" and self._stream.isatty())
        self._format, self._format_request = (human_line, human_request) if human else (json_line, json_request)

    def _finished(self, event: Finished) -> None:
        if self._min_level <= _INFO:
            self._write(self._format_request(self._now(), event))

    def _transitioned(self, event: Transitioned) -> None:
        change = {"provider": event.provider, "from": event.source, "to": event.target}
        if event.scope is not None:
            change["scope"] = event.scope
        self._line("warning" if event.trip else "info", "breaker", {**change, "because": event.because})

    def _overridden(self, event: Overridden) -> None:
        change = {"provider": event.provider, "mode": event.mode, "peer": event.peer}
        why = {"for_s": event.seconds, "reason": event.reason or None, "ended": event.ended}
        self._line("warning", "override", {**change, **why})

    def _limit_changed(self, event: LimitChanged) -> None:
        change = {"provider": event.provider, "from": event.source, "to": event.target, "because": event.because}
        self._line("warning" if event.target == "outage" else "info", "adaptive", change)

    def _key_changed(self, event: KeyChanged) -> None:
        change = {"provider": event.provider, "key": event.label, "state": event.state.value}
        seconds = None if event.seconds is None else round(event.seconds, 3)
        self._line(_OF_KEYS[event.state], "key", {**change, "for_s": seconds, "because": event.because})

    def _store_changed(self, event: StoreChanged) -> None:
        because = event.because or None
        change = {"from": event.source, "to": event.target, "replicas": event.replicas, "because": because}
        self._line("warning" if event.target in {"degraded", "closed"} else "info", "store", change)

    def _admin_refused(self, event: AdminRefused, count: int) -> None:
        self._line("warning", "admin", {"refused": event.cause, "peer": event.peer, "count": count})

    def _lived(self, event: LifecycleChanged) -> None:
        self._line("info", event.what, {"detail": event.detail})

    def _reloaded(self, event: Reloaded) -> None:
        fields = {
            "outcome": "rejected" if event.mistake else "applied",
            "by": event.by,
            "changes": "; ".join(event.changes) or None,
            "fixed": "; ".join(event.fixed) or None,
            "mistake": event.mistake,
        }
        self._line("error" if event.mistake else "warning" if event.fixed else "info", "reload", fields)

    def _bug(self, event: Bug) -> None:
        self._line("error", "bug", {"where": event.where})

    @property
    def dropped(self) -> int:
        """The number of lines that could not be written."""
        return self._dropped + (self._writer.dropped if self._writer else 0)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write from a thread while this context is open, so that a stalled reader blocks no request."""
        try:
            descriptor = self._stream.fileno()
        except (io.UnsupportedOperation, ValueError):  # no file, or a closed one
            yield
            return
        encoding = self._stream.encoding or "utf-8"
        with LogWriter(descriptor, encoding, self._gap) as writer:
            self._writer, self._write = writer, writer.put
            try:
                yield
            finally:
                self._writer, self._write = None, self._write_through
        self._dropped += writer.dropped

    async def run(self) -> None:
        """Write the delayed lines of throttled events when they are due, until cancelled."""
        async with trio.open_nursery() as nursery:
            for throttled in self._refused.values():
                nursery.start_soon(throttled.run)

    def _gap(self, lines: int) -> str:
        """Return the line that replaces dropped lines."""
        return self._format(self._now(), "warning", "dropped", {"lines": lines})

    def warning(self, detail: str, about: str = "config") -> None:
        """Write a warning; `about` is its event, by default the configuration."""
        self._line("warning", about, {"detail": detail})

    def _line(self, level: LogLevel, event: str, fields: dict[str, Any]) -> None:
        if _LEVELS[level] >= self._min_level:
            self._write(self._format(self._now(), level, event, fields))

    def _write_through(self, line: str) -> None:
        try:
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError):
            self._dropped += 1  # stderr has no reader any more; requests go on
