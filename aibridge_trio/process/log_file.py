"""The file that a log is appended to, and opened anew when another program has renamed it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

# For its owner, and to be read by its group: a log names callers.
_MODE = 0o640


class LogFile:
    """The file at `path`; `report` is called with the error if it cannot be opened again.

    Several processes may append to it: lines stay whole. All methods block: call them in a thread.
    """

    def __init__(self, path: Path, report: Callable[[OSError], None]) -> None:
        self.path = path
        self._report = report
        self._descriptor = -1

    def open(self) -> int:
        """Open the file, create it if there is none, and return its descriptor. Raises OSError."""
        # A pipe without a reader is an error, and not waited for.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        self._descriptor = os.open(self.path, flags, _MODE)
        return self._descriptor

    def reopen(self) -> int:
        """Open the file again, and close the former one; if that fails, lines still go there."""
        before = self._descriptor
        try:
            self.open()
        except OSError as error:
            self._report(error)
        else:
            os.close(before)
        return self._descriptor

    def __repr__(self) -> str:
        return f"<LogFile {self.path}>"
