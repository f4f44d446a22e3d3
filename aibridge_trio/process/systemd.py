"""Tells the service manager what the process does: the protocol of sd_notify(3), over one datagram socket.

Without a service manager (`NOTIFY_SOCKET` is not set) everything here does nothing. A message that the manager's
socket does not take at once is kept, and sent before the next one: nothing here waits.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Mapping, MutableMapping

_SOCKET, _WATCHDOG, _WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
# Messages that wait for a manager that does not read; beyond it the oldest are lost.
_MOST_WAITING = 16
_MICROSECONDS = 1_000_000
_MOST_DIGITS = 20  # of a number of 64 bits


class ServiceManager:
    """The service manager that started this process; without an `address` there is none.

    `watchdog` is the time (seconds) after which the manager ends a process that has not called `alive`; None if it
    never does.
    """

    def __init__(self, address: str = "", watchdog: float | None = None) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        self.watchdog = watchdog if self._socket else None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> ServiceManager:
        """Return the service manager that these variables name (sd_notify(3), sd_watchdog_enabled(3))."""
        address = environ.get(_SOCKET, "")
        # Other families (vsock:) are for virtual machines.
        return cls(address if address[:1] in {"/", "@"} and len(address) > 1 else "", _watchdog(environ))

    @property
    def present(self) -> bool:
        """Whether there is a service manager."""
        return self._socket is not None

    def ready(self, status: str) -> None:
        """The service serves: it has started, or is done reloading. `status` is a line for people."""
        self._send("READY=1", _status(status))

    def status(self, text: str) -> None:
        """Show a line for people."""
        self._send(_status(text))

    def reloading(self) -> None:
        """The service rereads its configuration, until `ready` is called (Type=notify-reload)."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """The service has begun to stop."""
        self._send("STOPPING=1", _status(status))

    def extend(self, seconds: float) -> None:
        """Ask for time: the manager waits at least this long for the next message before it ends the process."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * _MICROSECONDS)}")

    def alive(self) -> None:
        """Reset the manager's watchdog."""
        self._send("WATCHDOG=1")

    def flush(self) -> None:
        """Send what waits, as far as the manager takes it."""
        while self._socket and self._waiting:
            try:
                self._socket.sendto(self._waiting[0], self._address)
            except BlockingIOError:
                return
            except OSError:  # the manager has gone, or its socket is not reachable
                self._waiting.clear()
                return
            self._waiting.popleft()

    def close(self) -> None:
        """Send what can be sent, and close the socket."""
        self.flush()
        if self._socket:
            self._socket.close()
            self._socket = None

    def __repr__(self) -> str:
        return f"<ServiceManager present={self.present} watchdog={self.watchdog}>"

    def _send(self, *assignments: str) -> None:
        if self._socket:
            self._waiting.append("\n".join(assignments).encode())
            self.flush()


def forget(environ: MutableMapping[str, str]) -> None:
    """Remove the manager's variables, so that no child process takes them for its own."""
    for name in (_SOCKET, _WATCHDOG, _WATCHDOG_PID):
        environ.pop(name, None)


def is_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Return whether what is written there goes to the journal (`JOURNAL_STREAM`, systemd.exec(5))."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Return the watchdog's time; None without one, or if it is another process's."""
    if environ.get(_WATCHDOG_PID, str(os.getpid())) != str(os.getpid()):
        return None
    text = environ.get(_WATCHDOG, "")
    valid = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) / _MICROSECONDS if valid and int(text) else None


def _status(text: str) -> str:
    """A status is one line: another one would be another assignment."""
    return "STATUS=" + " ".join(text.split())
