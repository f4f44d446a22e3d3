"""Makes standard output and error usable when they are closed or non-blocking.

A pipe or terminal that another program has made non-blocking (Node does, and so do some terminals) accepts only
part of a write, and Python loses the rest. Here a write waits until all of it is accepted. The mode stays as it
is, because other processes share the pipe.
"""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import BinaryIO, TextIO, cast

# Timeout of a write to stderr (seconds). A write to stdout waits without limit, as on any pipe.
_STDERR_TIMEOUT = 5.0
# The buffers of a text stream that writes to a file; FileIO under PYTHONUNBUFFERED.
_FILES = (io.BufferedWriter, io.FileIO)


class _CompleteWriter(io.RawIOBase):
    """A descriptor whose writes are complete; each waits at most `timeout` seconds, None for no limit."""

    def __init__(self, descriptor: int, timeout: float | None) -> None:
        self._descriptor = descriptor
        self._timeout = None if timeout is None else timeout * 1000

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: object) -> int:
        rest = memoryview(data).cast("B")  # type: ignore[arg-type] # any buffer, as io calls it
        length = len(rest)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                waiting = select.poll()
                waiting.register(self._descriptor, select.POLLOUT)
                if not waiting.poll(self._timeout):
                    raise
        return length


def prepare() -> None:
    """If stdout or stderr is closed, discard its output instead of failing; make writes to both complete."""
    for name, timeout in (("stdout", None), ("stderr", _STDERR_TIMEOUT)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - open until exit
        elif type(stream) is io.TextIOWrapper and isinstance(stream.buffer, _FILES):
            with suppress(OSError, ValueError):  # it has no descriptor
                setattr(sys, name, _completing(stream, timeout))


def flush_or_discard(stream: TextIO) -> None:
    """Flush the stream. If its reader has left, discard the rest, so that Python does not fail on it at exit."""
    try:
        stream.flush()
    except OSError:
        discard_output(stream.fileno())


def discard_output(descriptor: int) -> None:
    """Redirect the descriptor to /dev/null."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
    except OSError:  # no /dev in this root directory
        null = os.memfd_create("nowhere")
    os.dup2(null, descriptor)
    os.close(null)


def _completing(stream: io.TextIOWrapper, timeout: float | None) -> io.TextIOWrapper:
    stream.flush()
    raw = _CompleteWriter(stream.fileno(), timeout)
    return io.TextIOWrapper(
        io.BufferedWriter(raw) if isinstance(stream.buffer, io.BufferedWriter) else cast("BinaryIO", raw),
        encoding=stream.encoding,
        errors=stream.errors,
        newline=None,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
