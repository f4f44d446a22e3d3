"""A thread that writes log lines, so that a stalled reader of stderr does not block the event loop.

`write(2)` on a full pipe blocks until its reader reads, perhaps for ever, and O_NONBLOCK would be set for every
process that shares the pipe. So the event loop only appends to a bounded buffer. Lines are written by file
descriptor, not through `sys.stderr`: a blocked thread would hold the stream's lock, and the interpreter could
not exit.
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
from aibridge_trio.process.log_file import LogFile

# Capacity of the buffer (characters), about ten thousand lines. Lines beyond it are dropped and counted.
_CAPACITY = 4 * 1024 * 1024
# Lines that arrive within this time are one write (seconds).
_BATCH = 0.01
# How long to wait at exit until the buffer has been written (seconds).
_FLUSH_TIMEOUT = 1.0
_NEWLINE = 0x0A


class LogWriter:
    """Writes text to a file descriptor from a thread while its context is open; redirects `sys.stderr` too.

    `put` never blocks, unless no thread could be started: then it writes. `gap` formats the line that replaces
    a number of dropped lines. A `file` is opened again where that is wanted: `descriptor` is then another one.
    """

    def __init__(
        self,
        descriptor: int,
        encoding: str,
        gap: Callable[[int], str],
        capacity: int = _CAPACITY,
        *,
        file: LogFile | None = None,
    ) -> None:
        self._file = file
        self._reopens = False
        self.dropped = 0  # total lines
        self._descriptor = descriptor
        self._encoding = encoding
        self._gap = gap
        self._capacity = capacity
        self._lines: list[str] = []
        self._size = 0
        # Dropped lines without a gap line yet: before the buffer's content, and after it.
        self._missing_before = 0
        self._missing_after = 0
        self._torn = False  # the last write ended in the middle of a line
        self._idle = False
        self._synchronous = False  # no thread could be started
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
        self._redirect = redirect_stderr(_Printed(self.put))

    def __enter__(self) -> Self:
        try:
            self._thread.start()
        except RuntimeError:  # a limit on processes: write synchronously rather than fail to start
            self._synchronous = True
        self._redirect.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the rest; if that takes over a second, discard it and all later output on stderr."""
        self._redirect.__exit__(kind, error, trace)
        if self._synchronous:
            return
        with self._changed:
            self._ending.set()
            self._changed.notify()
        self._thread.join(_FLUSH_TIMEOUT)
        if self._thread.is_alive():  # a traceback, or the interpreter's last flush, would block too
            standard_streams.discard_output(self._descriptor)

    def put(self, text: str) -> None:
        """Append text to the buffer, or drop it if the buffer is full."""
        if self._synchronous:
            self._write([text])
            return
        with self._lock:
            # After a dropped line, drop all until its gap line is written: the order stays correct.
            size = self._size + len(text)
            if self._missing_after or size > self._capacity:
                lines = text.count("\n")
                self.dropped += lines
                self._missing_after += lines
                return
            self._lines.append(text)
            self._size = size
            if self._idle:
                self._idle = False
                self._changed.notify()

    def reopen(self) -> None:
        """Open the file again, in the thread; lines so far go to the former one."""
        if self._file is None:
            return
        if self._synchronous:
            self._descriptor = self._file.reopen()
            return
        with self._changed:
            self._reopens = True
            self._changed.notify()

    def _run(self) -> None:
        while (lines := self._next()) is not None:
            if lines:
                self._write(lines)
            if self._reopens and self._file:
                self._reopens = False
                self._descriptor, self._torn = self._file.reopen(), False
            self._ending.wait(_BATCH)

    def _next(self) -> list[str] | None:
        """Wait for lines, or for the wish to reopen the file, and take all of them; None if the writer ends."""
        with self._changed:
            while not (self._lines or self._missing_after or self._reopens):
                if self._ending.is_set():
                    return None
                self._idle = True
                self._changed.wait()
            self._idle = False
            lines, self._lines, self._size = self._lines, [], 0
            before, self._missing_before = self._missing_before, 0
            behind, self._missing_after = self._missing_after, 0
        if before:
            lines.insert(0, self._gap(before))
        if behind:
            lines.append(self._gap(behind))
        return lines

    def _write(self, lines: list[str]) -> None:
        if self._torn:
            lines.insert(0, "\n")
        data = memoryview("".join(lines).encode(self._encoding, "backslashreplace"))
        written = 0
        try:
            while written < len(data):
                try:
                    written += os.write(self._descriptor, _piece(data, written))
                except BlockingIOError:  # another process that has this pipe made it non-blocking
                    _until_writable(self._descriptor)
        except OSError:  # the reader has left, or the disk is full; later lines may succeed
            lost = bytes(data[written:]).count(b"\n")
            with self._changed:
                self.dropped += lost
                self._missing_before += lost
        if written:
            self._torn = data[written - 1] != _NEWLINE


@contextmanager
def unblocked_stderr() -> Iterator[None]:
    """Write what is printed to `sys.stderr` from a thread while this context is open."""
    try:
        descriptor, encoding = sys.stderr.fileno(), sys.stderr.encoding
    except (io.UnsupportedOperation, ValueError):  # no file, or a closed one
        yield
        return
    with LogWriter(descriptor, encoding, "({} lines are missing here)\n".format):
        yield


class _Printed(io.TextIOBase):
    """A `sys.stderr` for warnings, hooks and other threads that passes text to `put`."""

    encoding = "utf-8"

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put

    def write(self, text: str) -> int:
        """Pass the text on."""
        self._put(text)
        return len(text)


def _piece(data: memoryview, start: int) -> memoryview:
    """Return the lines from `start` that the kernel writes as a whole, whatever other processes write."""
    if len(data) - start <= select.PIPE_BUF:
        return data[start:]
    end = bytes(data[start : start + select.PIPE_BUF]).rfind(b"\n") + 1
    if not end:  # a long line
        rest = bytes(data[start:])
        end = rest.find(b"\n") + 1 or len(rest)
    return data[start : start + end]


def _until_writable(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()
