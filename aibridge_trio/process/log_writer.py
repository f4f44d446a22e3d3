"""A thread that writes log lines, so that a reader of stderr who has stopped reading blocks nothing but the lines.

`write(2)` on a full pipe blocks until its reader reads, perhaps for ever, and O_NONBLOCK would be set for every
process that shares the pipe. So the event loop only appends to a bounded buffer. Lines are written by file
descriptor, not through `sys.stderr`: the lock of a stream that a blocked thread holds would block the
interpreter's end.
"""

from __future__ import annotations

import io
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from types import TracebackType
from typing import Self

from aibridge_trio.process import standard_streams

# What waits to be written (characters), some ten thousand lines. What does not fit is dropped and counted.
_MOST = 4 * 1024 * 1024
# Lines come in bursts: those of so long (seconds) are one write.
_PAUSE = 0.01
# At the end, how long (seconds) a reader may take for what is still in the buffer.
_LAST_WORDS = 1.0
_NEWLINE = 0x0A


class LogWriter:
    """Writes text to a file descriptor for as long as its context is open; what others print to stderr too.

    `put` never blocks, unless no thread can be started: then it writes. `gap` makes the line that stands where so
    many lines are missing.
    """

    def __init__(self, descriptor: int, encoding: str, gap: Callable[[int], str], most: int = _MOST) -> None:
        self.dropped = 0  # lines in all
        self._descriptor = descriptor
        self._encoding = encoding
        self._gap = gap
        self._most = most
        self._lines: list[str] = []
        self._size = 0
        # Dropped lines of which no gap has told yet: in front of what is in the buffer, and behind it.
        self._missing_before = 0
        self._missing_behind = 0
        self._torn = False  # the last write ended in the middle of a line
        self._idle = False
        self._alone = False  # there is no thread
        self._news = threading.Condition()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
        self._redirect = redirect_stderr(_Printed(self.put))

    def __enter__(self) -> Self:
        try:
            self._thread.start()
        except RuntimeError:  # a limit of processes; lines are worth more than a start that fails for want of them
            self._alone = True
        self._redirect.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left, if it is taken within a second; else what follows on stderr is lost as well."""
        self._redirect.__exit__(kind, error, trace)
        if self._alone:
            return
        with self._news:
            self._ending.set()
            self._news.notify()
        self._thread.join(_LAST_WORDS)
        if self._thread.is_alive():  # a traceback, or the interpreter's last flush, would block as well
            standard_streams.discard_output(self._descriptor)

    def put(self, text: str) -> None:
        """Append to the buffer, or drop it if that is full."""
        if self._alone:
            self._write([text])
            return
        with self._news:
            # Behind a line that was dropped none goes in before the gap is told: the order is true.
            if self._missing_behind or self._size + len(text) > self._most:
                lines = text.count("\n")
                self.dropped += lines
                self._missing_behind += lines
                return
            self._lines.append(text)
            self._size += len(text)
            if self._idle:
                self._idle = False
                self._news.notify()

    def _run(self) -> None:
        while lines := self._next():
            self._write(lines)
            self._ending.wait(_PAUSE)

    def _next(self) -> list[str]:
        """Wait for lines and take all of them; none when the end has come and all are written."""
        with self._news:
            while not (self._lines or self._missing_behind):
                if self._ending.is_set():
                    return []
                self._idle = True
                self._news.wait()
            self._idle = False
            lines, self._lines, self._size = self._lines, [], 0
            before, self._missing_before = self._missing_before, 0
            behind, self._missing_behind = self._missing_behind, 0
        if before:
            lines.insert(0, self._gap(before))
        if behind:
            lines.append(self._gap(behind))
        return lines

    def _write(self, lines: list[str]) -> None:
        pieces = [line.encode(self._encoding, "backslashreplace") for line in lines]
        if self._torn:
            pieces.insert(0, b"\n")
        data = memoryview(b"".join(pieces))
        written = 0
        try:
            while written < len(data):
                try:
                    written += os.write(self._descriptor, data[written:])
                except BlockingIOError:  # another process that has this pipe made it non-blocking
                    _until_writable(self._descriptor)
        except OSError:  # the reader has left, or the disk is full: perhaps the next lines get through
            lost = bytes(data[written:]).count(b"\n")
            with self._news:
                self.dropped += lost
                self._missing_before += lost
        if written:
            self._torn = data[written - 1] != _NEWLINE


@contextmanager
def unblocked_stderr() -> Iterator[None]:
    """Let what is printed to `sys.stderr` block nothing while this context is open."""
    try:
        descriptor, encoding = sys.stderr.fileno(), sys.stderr.encoding
    except (io.UnsupportedOperation, ValueError):  # no file, or a closed one
        yield
        return
    with LogWriter(descriptor, encoding, "({} lines are missing here)\n".format):
        yield


class _Printed(io.TextIOBase):
    """What warnings, hooks and other threads print to `sys.stderr`."""

    encoding = "utf-8"

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put

    def write(self, text: str) -> int:
        """Append it to the buffer."""
        self._put(text)
        return len(text)


def _until_writable(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()
