"""A file that keeps some state from one process to the next: replaced as a whole, and by one process at a time."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

# The longest file that is read (bytes).
_LONGEST = 1 << 26


class StateFile:
    """The file, for its owner alone (0600). All methods may raise OSError, and all block: call them in a thread.

    A file beside it, with `.lock` added, is locked while a process writes it; the lock ends with the process.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def lock(self) -> bool:
        """Return whether this process may write the file: no other one does."""
        if self._lock is not None:
            return True
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._beside(".lock"), flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._lock = descriptor
        return True

    def unlock(self) -> None:
        """Let another process write the file."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def read(self) -> bytes | None:
        """Return the content, None if there is no file. A pipe is none, and not waited for."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError("it is no regular file")
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise OSError(f"it is longer than {_LONGEST} bytes")
        return content

    def write(self, content: bytes) -> None:
        """Replace the file: a reader finds the old content or the new one, also after a power failure."""
        new = self._beside(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(new, flags, 0o600), "wb") as file:  # noqa: PTH123 - of a descriptor
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def set_aside(self) -> Path:
        """Rename the file, so that it can be looked at; return its new name."""
        return self.path.replace(self._beside(".bad"))

    def __repr__(self) -> str:
        return f"<StateFile {self.path}{' locked' if self._lock is not None else ''}>"

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)
