"""What is being played, on a terminal's stderr; nothing of it anywhere else."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TextIO


class Progress:
    """One line that changes, and is gone at the end. Without a stream, or off a terminal, it says nothing."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream if stream is not None and stream.isatty() else None
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.clear()

    def say(self, text: str) -> None:
        """Put a text in place of the one before it."""
        self._write(text)

    def clear(self) -> None:
        """Take it away, so that something else can be written there."""
        if self._width:
            self._write("")
            self._put("\r")

    def _write(self, text: str) -> None:
        self._put(f"\r{text:<{self._width}}")
        self._width = len(text)

    def _put(self, text: str) -> None:
        if self._stream:
            self._stream.write(text)
            self._stream.flush()


SILENT = Progress(None)
