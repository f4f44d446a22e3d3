"""Writes log lines to stderr: one per request, breaker transition, learned limit, start, drain and override.

A line never contains a body or a credential. The format is JSON, or logfmt for people: `key=value`, with ambiguous
values in quotes, so that no caller can forge a field.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from json.encoder import encode_basestring
from types import NoneType
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

_OF_KEYS: dict[KeyState, LogLevel] = {
    KeyState.READY: "info",
    KeyState.RESTING: "warning",
    KeyState.OUT: "error",
}
_LEVELS: dict[LogLevel, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3}

# Encoders of the values that are not strings. json.dumps() would make an encoder for every line.
_ENCODERS: dict[type, Callable[[Any], str]] = {
    NoneType: lambda _: "null",
    bool: lambda value: "true" if value else "false",
    int: repr,
    float: repr,
}
# A value with one of these characters is quoted.
_AMBIGUOUS = re.compile(r'[ ="\\]')


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
        self._format = _human if human else _json

    def _finished(self, event: Finished) -> None:
        self._line("info", "request", _request(event))

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
            self._writer = writer
            try:
                yield
            finally:
                self._writer = None
        self._dropped += writer.dropped

    async def run(self) -> None:
        """Write the delayed lines of throttled events when they are due, until cancelled."""
        async with trio.open_nursery() as nursery:
            for throttled in self._refused.values():
                nursery.start_soon(throttled.run)

    def _gap(self, lines: int) -> str:
        """Return the line that replaces dropped lines."""
        return self._format(self._now(), "warning", "dropped", {"lines": lines}) + "\n"

    def warning(self, detail: str, about: str = "config") -> None:
        """Write a warning; `about` is its event, by default the configuration."""
        self._line("warning", about, {"detail": detail})

    def _line(self, level: LogLevel, event: str, fields: dict[str, Any]) -> None:
        if _LEVELS[level] < self._min_level:
            return
        line = self._format(self._now(), level, event, fields) + "\n"
        if self._writer:
            self._writer.put(line)
            return
        try:
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError):
            self._dropped += 1  # stderr has no reader any more; requests go on


def _request(event: Finished) -> dict[str, Any]:
    return {
        "request_id": event.request_id,
        "provider": event.provider,
        "route": event.route,
        "method": event.method,
        "status": event.status,
        "reject": event.reject,
        "would_reject": ",".join(event.would_reject) or None,
        "cause": event.cause,
        "verdict": event.verdict,
        "broken": event.broken,
        "left": event.left,
        "duration_s": None if event.duration is None else round(event.duration, 4),
        "first_byte_s": None if event.first_byte is None else round(event.first_byte, 4),
        "queue_s": round(event.queued, 4),
        "held_s": round(event.held, 4),
        "sent_again": event.sent_again,
        "total_s": round(event.total, 4),
        "bytes_in": event.bytes_in,
        "bytes_out": event.bytes_out,
        "caller": event.caller.hint if event.caller else None,
        "class": (event.caller.class_name or None) if event.caller else None,
        "user_agent": event.user_agent,
        **({"passed_over": ",".join(event.passed_over)} if event.passed_over else {}),
        **({"path": event.path} if event.path is not None else {}),
    }


def _json(now: float, level: LogLevel, event: str, fields: dict[str, Any]) -> str:
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    pairs = [f', "{key}": {_ENCODERS.get(type(value), encode_basestring)(value)}' for key, value in fields.items()]
    line = f'{{"time": "{time}Z", "level": "{level}", "event": "{event}"{"".join(pairs)}}}'
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)


def _human(now: float, level: LogLevel, event: str, fields: dict[str, Any]) -> str:
    time = datetime.fromtimestamp(now, UTC).astimezone().strftime("%H:%M:%S")
    pairs = " ".join(f"{key}={_logfmt(value)}" for key, value in fields.items() if not _is_omitted(value))
    return f"{time} {level:<7} {event:<8} {pairs}"


def _is_omitted(value: Any) -> bool:
    return value is None or value is False or value == ""


def _logfmt(value: Any) -> str:
    """Return a value as logfmt; in quotes, with Python's escapes, if it is ambiguous or not printable."""
    text = _ENCODERS[type(value)](value) if type(value) in _ENCODERS else str(value)
    if text.isprintable() and not _AMBIGUOUS.search(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if escaped.isprintable():
        return f'"{escaped}"'
    return '"' + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in escaped) + '"'
