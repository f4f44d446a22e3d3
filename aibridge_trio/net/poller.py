"""Tells of sockets that have something to read: armed once in the life of a socket, not once per read.

Trio arms and disarms a socket each time somebody waits for it, in two system calls and some Python. Here a
socket is armed when it opens (epoll, edge-triggered), and Trio waits for one thing only: news of any of them.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

import trio

# Hears that there is something to read, whether that is followed by the end, and whether some of it is urgent.
ReadableCallback = Callable[[bool, bool], None]


class Poller:
    """Watches sockets while `run` runs. Linux only: elsewhere there is none, and Trio itself waits for each."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, ReadableCallback] = {}

    def watch(self, sock: socket.socket, callback: ReadableCallback) -> None:
        """Tell `callback` of a socket from now on, until it is forgotten."""
        number = sock.fileno()
        self._epoll.register(number, _READABLE | select.EPOLLET)
        self._callbacks[number] = callback

    def unwatch(self, sock: socket.socket) -> None:
        """Watch a socket no more; before it is closed, because its number is then another's."""
        number = sock.fileno()
        del self._callbacks[number]
        self._epoll.unregister(number)

    async def run(self) -> None:
        """Tell until cancelled. An callback must neither block nor raise; it may unwatch other sockets."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll)
            for number, events in self._epoll.poll(0):
                if callback := self._callbacks.get(number):
                    callback(bool(events & _ENDED), bool(events & _URGENT))

    def close(self) -> None:
        """Let go of all of them."""
        self._epoll.close()

    def statistics(self) -> int:
        """Return how many sockets are watched."""
        return len(self._callbacks)

    def __repr__(self) -> str:
        return f"<Poller watching={len(self._callbacks)}>"


def new_poller() -> Poller | None:
    """Return a poller where there are some."""
    return Poller() if hasattr(select, "epoll") else None


_URGENT = getattr(select, "EPOLLPRI", 0)
_READABLE = getattr(select, "EPOLLIN", 0) | getattr(select, "EPOLLRDHUP", 0) | _URGENT
_ENDED = sum(getattr(select, name, 0) for name in ("EPOLLRDHUP", "EPOLLHUP", "EPOLLERR"))
