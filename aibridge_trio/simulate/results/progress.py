"""The progress line on stderr, if that is a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TextIO


class Progress:
    """One line that changes, and is removed at the end. Nothing is written without a stream or off a terminal."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream if stream is not None and stream.isatty() else None
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Replace the line's text."""
        self._write(text)

    def clear(self) -> None:
        """Remove the line, so that other output can take its place."""
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
