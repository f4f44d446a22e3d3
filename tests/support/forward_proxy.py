"""A forward proxy on a real socket: tunnels, and requests with a whole URL for a target."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

# Seconds; nothing here takes long.
_PATIENCE = 10.0


@dataclass
class Proxy:
    """Where it listens, and the heads of the requests that it saw."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)

    def url(self, userinfo: str = "") -> str:
        """How it is reached; `userinfo` with its @."""
        return f"http://{userinfo}127.0.0.1:{self.port}"


@contextmanager
def a_proxy() -> Iterator[Proxy]:
    """Run a proxy. A connection serves one request, or one tunnel."""
    proxy = Proxy()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                _serve(self.request, proxy)

    class Threaded(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Threaded(("127.0.0.1", 0), Handler) as server:
        proxy.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join(_PATIENCE)


def _serve(caller: socket.socket, proxy: Proxy) -> None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (byte := caller.recv(1)):
            return
        head += byte
    proxy.heads.append(head)
    line, _, fields = head.partition(b"\r\n")
    method, target, version = line.split(b" ")
    authority = target if method == b"CONNECT" else target.split(b"/")[2]
    host, _, port = authority.decode().rpartition(":")
    with socket.create_connection((host, int(port)), timeout=_PATIENCE) as onward:
        if method == b"CONNECT":
            caller.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            path = target.split(b"/", 3)[3]
            onward.sendall(b"%s /%s %s\r\nConnection: close\r\n%s" % (method, path, version, fields))
        back = threading.Thread(target=_pump, args=(onward, caller))
        back.start()
        _pump(caller, onward)
        back.join(_PATIENCE)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Carry bytes until either side is done, and tell both."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for sock in (source, sink):
        with suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
