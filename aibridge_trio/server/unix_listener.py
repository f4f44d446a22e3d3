"""Listens on a unix socket, which is a file, for callers of this machine."""

from __future__ import annotations

import errno
import socket
import ssl
import stat
from contextlib import suppress
from pathlib import Path

from aibridge_trio.errors import UsageError
from aibridge_trio.net.poller import Poller
from aibridge_trio.server.listener import BACKLOG, SocketListener


class UnixListener(SocketListener):
    """Listens on a unix socket; its file is created with `mode`, and removed on close.

    A stale socket file, on which no program listens, is replaced. Raises UsageError, which names `option`.
    """

    def __init__(
        self, path: str, mode: int, context: ssl.SSLContext | None, poller: Poller | None = None, *, option: str
    ) -> None:
        try:
            sock = _take(path, mode)
        except OSError as error:
            raise UsageError(f"{option}: cannot listen on unix:{path}: {_why(error)}") from None
        super().__init__(sock, context, poller)
        self._path = path
        self._file = _identity(path)

    def close(self) -> None:
        """Close the socket and remove its file, unless another program has replaced it."""
        if self._file is not None and _identity(self._path) == self._file:
            with suppress(OSError):
                Path(self._path).unlink()
        self._file = None
        super().close()


def _take(path: str, mode: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            sock.bind(path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not _is_stale(path):
                raise
            Path(path).unlink()
            sock.bind(path)
        try:
            # Set the mode before listening: until then no program can connect, whatever the umask is.
            Path(path).chmod(mode)
            sock.listen(BACKLOG)
        except BaseException:
            Path(path).unlink()
            raise
    except BaseException:
        sock.close()
        raise
    return sock


def _is_stale(path: str) -> bool:
    """Whether the file is a socket on which no program listens."""
    if not stat.S_ISSOCK(Path(path).lstat().st_mode):
        raise FileExistsError(errno.EEXIST, "")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:  # a full backlog (EAGAIN) is a program that listens
            return False
    return False


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _why(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "the socket is in use; stop the program that listens on it or choose another path"
        case errno.EEXIST:
            return "the file there is no socket; remove it or choose another path"
        case errno.ENOENT | errno.ENOTDIR:
            return "there is no such directory"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "not permitted; choose a directory that this user may write to"
    return str(error.strerror or error)
