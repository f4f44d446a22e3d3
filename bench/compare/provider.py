"""A provider faster than any proxy: one thread, epoll, and answers that were written before they were asked for.

A program of its own: `scripted.py` starts it, tells it on stdin how to behave, and reads its counts on stdout.
"""

from __future__ import annotations

import gc
import heapq
import json
import os
import re
import select
import socket
import ssl
import sys
from collections import deque
from dataclasses import asdict
from itertools import count
from time import perf_counter

from bench.compare import traffic
from bench.compare.behaviour import Behaviour, Counts

_STREAM = re.compile(rb'"stream": ?true')
_USAGE = re.compile(rb'"include_usage": ?true')
_READ = 65536


class _Caller:
    """One connection."""

    __slots__ = ("buffer", "left", "sock", "state", "usage")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""
        self.left = 0
        self.state = ""
        self.usage = False


class Provider:
    """Answers on one port until stdin ends, over TLS with a certificate (the file of it and of its key)."""

    def __init__(self, port: int, certificate: str = "") -> None:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if self._tls:
            self._tls.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", port), backlog=16384)
        self._listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self._epoll.register(0, select.EPOLLIN)
        self._callers: dict[int, _Caller] = {}
        self._due: list[tuple[float, int, _Caller]] = []
        self._order = count()
        self._queue: deque[_Caller] = deque()
        self._working = 0
        self._since = perf_counter()
        self._behaviour = Behaviour()
        self._counts = Counts()
        self._commands = b""
        self._answer = traffic.answer()
        self._models = traffic.models()
        self._head = traffic.stream_head()
        # With and without the usage that is asked for, or not.
        self._events = {usage: traffic.stream_event(usage=usage) for usage in (True, False)}
        self._ends = {usage: traffic.stream_end(usage=usage) for usage in (True, False)}

    def run(self) -> None:
        """Serve."""
        listening = self._listener.fileno()
        wait_for = [self._epoll.fileno()]
        while True:
            if self._due:
                # epoll counts milliseconds, select microseconds: paced events should not come in heaps.
                select.select(wait_for, [], [], max(0.0, self._due[0][0] - perf_counter()))
                self._fire()
                ready = self._epoll.poll(0)
            else:
                ready = self._epoll.poll()
            for fd, _ in ready:
                if fd == listening:
                    self._accept()
                elif fd == 0:
                    if not self._obey():
                        return
                else:
                    self._read(fd)

    def _accept(self) -> None:
        for _ in range(256):
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            self._callers[sock.fileno()] = _Caller(sock)
            self._epoll.register(sock, select.EPOLLIN)

    def _read(self, fd: int) -> None:
        caller = self._callers.get(fd)
        if caller is None:
            return
        try:
            data = _records(caller.sock) if isinstance(caller.sock, ssl.SSLSocket) else caller.sock.recv(_READ)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            data = b""
        if not data:
            self._drop(caller)
            return
        asked = caller.buffer + data if caller.buffer else data
        if traffic.whole(asked):
            caller.buffer = b""
            if asked.startswith(b"GET "):
                self._send(caller, self._models)
                return
            self._counts.requests += 1
            caller.usage = _USAGE.search(asked) is not None
            self._take(caller, stream=_STREAM.search(asked) is not None)
        else:
            caller.buffer = asked

    def _take(self, caller: _Caller, *, stream: bool) -> None:
        how = self._behaviour
        if stream:
            caller.left = how.events
            self._send(caller, self._head)
            if how.rate:
                caller.state = "stream"
                self._later(caller, 1 / how.rate)
            else:
                self._send(caller, self._events[caller.usage] * how.events)
                self._counts.events += how.events
                self._finish_stream(caller)
        elif not how.service:
            self._send(caller, self._answer)
            self._counts.answers += 1
        elif how.slots and self._working >= how.slots:
            caller.state = "queue"
            self._queue.append(caller)
        else:
            self._work(caller)

    def _work(self, caller: _Caller) -> None:
        self._settle()
        self._working += 1
        caller.state = "work"
        self._later(caller, self._behaviour.service)

    def _later(self, caller: _Caller, seconds: float) -> None:
        heapq.heappush(self._due, (perf_counter() + seconds, next(self._order), caller))

    def _fire(self) -> None:
        now = perf_counter()
        while self._due and self._due[0][0] <= now:
            due, _, caller = heapq.heappop(self._due)
            if caller.state == "stream":
                self._send(caller, self._events[caller.usage])
                self._counts.events += 1
                caller.left -= 1
                if caller.left > 0:
                    # From when it was due, not from when it was sent: the pace must not drift under load.
                    heapq.heappush(self._due, (due + 1 / self._behaviour.rate, next(self._order), caller))
                else:
                    self._finish_stream(caller)
            elif caller.state == "work":
                self._send(caller, self._answer)
                self._counts.answers += 1
                self._free(caller)

    def _finish_stream(self, caller: _Caller) -> None:
        caller.state = "hold" if self._behaviour.hold else ""
        if not self._behaviour.hold:
            self._send(caller, self._ends[caller.usage])
            self._counts.answers += 1

    def _free(self, caller: _Caller) -> None:
        self._settle()
        self._working -= 1
        caller.state = ""
        while self._queue:
            following = self._queue.popleft()
            if following.state == "queue":
                self._work(following)
                return

    def _settle(self) -> None:
        now = perf_counter()
        self._counts.busy += self._working * (now - self._since)
        self._since = now

    def _send(self, caller: _Caller, data: bytes) -> None:
        try:
            if caller.sock.send(data) < len(data):
                self._counts.stalled += 1
        except (BlockingIOError, ssl.SSLWantWriteError):
            self._counts.stalled += 1
        except OSError:
            pass  # its end is read in a moment

    def _drop(self, caller: _Caller) -> None:
        if caller.state:
            self._counts.abandoned += 1
        if caller.state == "work":
            self._free(caller)
        caller.state = "gone"
        del self._callers[caller.sock.fileno()]
        caller.sock.close()

    def _obey(self) -> bool:
        data = os.read(0, _READ)
        self._commands += data
        *lines, self._commands = self._commands.split(b"\n")
        for line in lines:
            wanted = json.loads(line)
            if wanted:
                self._behaviour = Behaviour(**wanted)
            self._settle()
            self._counts.waiting = len(self._queue)
            sys.stdout.write(json.dumps(asdict(self._counts)) + "\n")
            sys.stdout.flush()
        return bool(data)


def _records(sock: ssl.SSLSocket) -> bytes:
    """Return all that has come: epoll tells nothing of records that OpenSSL has read already."""
    data = sock.recv(_READ)
    while sock.pending():
        data += sock.recv(_READ)
    return data


if __name__ == "__main__":
    gc.disable()  # nothing here is circular, and a collection among 5,000 connections is a pause of milliseconds
    Provider(int(sys.argv[1]), *sys.argv[2:]).run()
