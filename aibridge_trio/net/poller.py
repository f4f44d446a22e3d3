"""Reports sockets that have something to read, with one registration per socket instead of one per read.

Trio registers and unregisters a socket for each wait, with two system calls and some Python. Here a socket is
registered once (epoll, edge-triggered), and Trio waits for the one epoll descriptor.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

import trio

# Called when there is something to read, with: is the end of the stream behind it, and is some of it urgent data.
ReadableCallback = Callable[[bool, bool], None]


class Poller:
    """Watches sockets while `run` is running. Linux only: on other systems Trio waits for each socket itself.

    `alone` says whether the latest report was about one socket.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, ReadableCallback] = {}
        self.alone = False

    def watch(self, sock: socket.socket, callback: ReadableCallback) -> None:
        """Call `callback` for a socket from now on, until `unwatch`."""
        number = sock.fileno()
        self._epoll.register(number, _READABLE | select.EPOLLET)
        self._callbacks[number] = callback

    def unwatch(self, sock: socket.socket) -> None:
        """Stop watching a socket. To be called before it is closed, because its number may then be reused."""
        number = sock.fileno()
        del self._callbacks[number]
        self._epoll.unregister(number)

    async def run(self) -> None:
        """Call the callbacks until cancelled. They must not block or raise; they may unwatch other sockets."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll)
            ready = self._epoll.poll(0)
            self.alone = len(ready) == 1
            for number, events in ready:
                if callback := self._callbacks.get(number):
                    callback(bool(events & _ENDED), bool(events & _URGENT))

    def close(self) -> None:
        """Stop watching all sockets."""
        self._epoll.close()

    def statistics(self) -> int:
        """Return the number of watched sockets."""
        return len(self._callbacks)

    def __repr__(self) -> str:
        return f"<Poller watching={len(self._callbacks)}>"


def new_poller() -> Poller | None:
    """Return a poller, None on systems without epoll."""
    return Poller() if hasattr(select, "epoll") else None


_URGENT = getattr(select, "EPOLLPRI", 0)
_READABLE = getattr(select, "EPOLLIN", 0) | getattr(select, "EPOLLRDHUP", 0) | _URGENT
_ENDED = sum(getattr(select, name, 0) for name in ("EPOLLRDHUP", "EPOLLHUP", "EPOLLERR"))
