"""Standard output and error as commands need them: they may be closed, and they may be non-blocking.

A pipe or terminal that another program has made non-blocking (Node does, and so do some terminals) takes only a
part of what is written, and Python then loses the rest. Here a write waits until all of it is taken. The mode is
left as it is: it belongs to whoever shares the pipe.
"""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import BinaryIO, TextIO, cast

# For so long nobody may read before a message on stderr is given up (seconds). Output itself waits as on any pipe.
_PATIENCE = 5.0
# What stands behind a text stream that is a file; the latter under PYTHONUNBUFFERED.
_FILES = (io.BufferedWriter, io.FileIO)


class _Whole(io.RawIOBase):
    """A descriptor that is written to the end; without `patience` (seconds) for as long as it takes."""

    def __init__(self, descriptor: int, patience: float | None) -> None:
        self._descriptor = descriptor
        self._patience = None if patience is None else patience * 1000

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: object) -> int:
        rest = memoryview(data).cast("B")  # type: ignore[arg-type] # any buffer, as io calls it
        whole = len(rest)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                waiting = select.poll()
                waiting.register(self._descriptor, select.POLLOUT)
                if not waiting.poll(self._patience):
                    raise
        return whole


def prepare() -> None:
    """Let who starts this with closed streams lose what is said, and see that nothing else is lost."""
    for name, patience in (("stdout", None), ("stderr", _PATIENCE)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - until the end
        elif type(stream) is io.TextIOWrapper and isinstance(stream.buffer, _FILES):
            with suppress(OSError, ValueError):  # it has no descriptor
                setattr(sys, name, _whole(stream, patience))


def flush_or_discard(stream: TextIO) -> None:
    """Flush it. Where its reader has left, see that Python does not try again at exit, and says so."""
    try:
        stream.flush()
    except OSError:
        discard_output(stream.fileno())


def discard_output(descriptor: int) -> None:
    """Let the little that is still written to a descriptor vanish."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except OSError:  # a root directory with nothing in it
        nowhere = os.memfd_create("nowhere")
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _whole(stream: io.TextIOWrapper, patience: float | None) -> io.TextIOWrapper:
    stream.flush()
    raw = _Whole(stream.fileno(), patience)
    return io.TextIOWrapper(
        io.BufferedWriter(raw) if isinstance(stream.buffer, io.BufferedWriter) else cast("BinaryIO", raw),
        encoding=stream.encoding,
        errors=stream.errors,
        newline=None,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
