"""Writes log lines: one per request, breaker transition, learned limit, start, drain and override.

A line never contains a body or a credential. The format is JSON, or logfmt for people: `key=value`, with ambiguous
values in quotes, so that no caller can forge a field.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import trio

from aibridge_trio.config.settings import LogFormat, LogLevel, Settings
from aibridge_trio.core.key_pool import KeyState
from aibridge_trio.errors import UsageError
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
from aibridge_trio.process.audit import Audited
from aibridge_trio.process.log_file import LogFile
from aibridge_trio.process.log_writer import LogWriter
from aibridge_trio.process.systemd import is_journal
from aibridge_trio.process.throttled_reports import Throttled
from aibridge_trio.sharing.change import StoreChanged
from aibridge_trio.telemetry.log_format import (
    human_line,
    human_request,
    json_line,
    json_request,
    request_with_priority,
    with_priority,
)

_OF_KEYS: dict[KeyState, LogLevel] = {
    KeyState.READY: "info",
    KeyState.RESTING: "warning",
    KeyState.OUT: "error",
}
_LEVELS: dict[LogLevel, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3}
_STDERR = 2

_INFO = _LEVELS["info"]


class Log:
    """Writes a line for each event that it handles; `form` `auto` is `human` on a terminal, otherwise `json`.

    Without a `file` it writes to stderr; if that is the `journal`'s, lines have its priorities.
    """

    def __init__(
        self,
        level: LogLevel = "info",
        form: LogFormat = "auto",
        *,
        now: Callable[[], float],
        stream: TextIO | None = None,
        file: Path | None = None,
        journal: bool = False,
    ) -> None:
        self._stream = stream or sys.stderr
        self._file = LogFile(file, self._not_reopened) if file else None
        self._journal = journal and not file
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
            Audited: self._audited,
            Bug: self._bug,
        }

    @classmethod
    def of(cls, settings: Settings, *, now: Callable[[], float]) -> Log:
        """Return the log that settings describe."""
        journal = is_journal(_STDERR, os.environ)
        return cls(settings.log_level, settings.log_format, now=now, file=settings.log_file, journal=journal)

    def apply(self, level: LogLevel, form: LogFormat) -> None:
        """Write from now on at this level and in this format."""
        self._min_level = _LEVELS[level]
        human = form == "human" or (form == "auto" and not self._file and self._stream.isatty())
        self._format = human_line if human else json_line
        self._format_request: Callable[[float, Finished], str] = human_request if human else json_request
        if self._journal:
            self._format = with_priority(self._format)
            self._format_request = request_with_priority(self._format_request)

    def reopen(self) -> None:
        """Open the file again: another program has renamed it."""
        if self._writer:
            self._writer.reopen()

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
        if event.by == "SIGHUP":  # else the admin listener knows more of who it was
            detail = "; ".join(event.changes) or None
            order = {"action": "reload", "target": None, "detail": detail, "by": "SIGHUP", "peer": None}
            self._audit({**order, "outcome": event.mistake or "done"})
        fields = {
            "outcome": "rejected" if event.mistake else "applied",
            "by": event.by,
            "changes": "; ".join(event.changes) or None,
            "fixed": "; ".join(event.fixed) or None,
            "mistake": event.mistake,
        }
        self._line("error" if event.mistake else "warning" if event.fixed else "info", "reload", fields)

    def _audited(self, event: Audited) -> None:
        fields = {"action": event.action, "target": event.target, "detail": event.detail or None}
        self._audit({**fields, "by": event.by, "peer": event.peer, "outcome": event.outcome})

    def _audit(self, fields: dict[str, Any]) -> None:
        """Write a line at every level."""
        self._write(self._format(self._now(), "info", "audit", fields))

    def _bug(self, event: Bug) -> None:
        self._line("error", "bug", {"where": event.where})

    @property
    def dropped(self) -> int:
        """The number of lines that could not be written."""
        return self._dropped + (self._writer.dropped if self._writer else 0)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write from a thread while this context is open, so that a stalled reader or disk blocks no request.

        Raises UsageError for a file that cannot be opened.
        """
        descriptor = self._open()
        if descriptor is None:
            yield
            return
        encoding = (None if self._file else self._stream.encoding) or "utf-8"
        with LogWriter(descriptor, encoding, self._gap, file=self._file) as writer:
            self._writer, self._write = writer, writer.put
            try:
                yield
            finally:
                self._writer, self._write = None, self._write_through
        self._dropped += writer.dropped

    def _open(self) -> int | None:
        """Return the descriptor of the file or of stderr; None if that has none."""
        try:
            return self._file.open() if self._file else self._stream.fileno()
        except (io.UnsupportedOperation, ValueError):  # no file, or a closed one
            return None
        except OSError as error:
            assert self._file
            text = f"--log-file: {self._file.path} cannot be opened ({error.strerror}); name a file in a folder"
            raise UsageError(f"{text} that may be written") from None

    def _not_reopened(self, error: OSError) -> None:
        self.warning(f"--log-file cannot be opened again ({error.strerror}); lines go to the former file", "log")

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
