"""Sockets that the process was given, as sd_listen_fds(3) has it."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aibridge_trio.config.settings import Address, UnixSocket
from aibridge_trio.errors import UsageError
from aibridge_trio.server.inherited_sockets import InheritedSockets, forget

# Tells in a process of its own, whose descriptors from 3 on are free, what it was given.
TELL = """
import os, sys
os.environ["LISTEN_PID"] = os.environ.get("LISTEN_PID") or str(os.getpid())
from aibridge_trio.errors import UsageError
from aibridge_trio.server.inherited_sockets import InheritedSockets
try:
    found = InheritedSockets.of(os.environ)
except UsageError as error:
    sys.exit(str(error))
print(found, dict(found.handed_over.binds), [os.get_inheritable(3 + n) for n in range(len(found._sockets))])
"""


def told(*socks: socket.socket, **environ: str) -> str:
    """Return what a process says that has these sockets as its descriptors 3, 4 …"""
    numbers = tuple(range(3, 3 + len(socks)))
    done = subprocess.run(
        [sys.executable, "-c", TELL],
        env={**os.environ, "LISTEN_FDS": str(len(socks)), **environ},
        preexec_fn=_arranger(socks),
        pass_fds=numbers,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return (done.stdout + done.stderr).strip()


def _arranger(socks: tuple[socket.socket, ...]) -> Callable[[], None]:
    def arrange() -> None:
        high = [fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD, 100) for sock in socks]
        for place, number in enumerate(high):
            os.dup2(number, 3 + place, inheritable=True)

    return arrange


def listening() -> socket.socket:
    """Return a socket on a port."""
    return socket.create_server(("127.0.0.1", 0))


def test_named_sockets_are_known_by_name_and_address(tmp_path: Path) -> None:
    """A port and a unix socket; programs that are started later do not inherit them."""
    with listening() as port, socket.socket(socket.AF_UNIX) as file:
        file.bind(str(tmp_path / "s"))
        file.listen()
        address, path = Address(*port.getsockname()), UnixSocket(str(tmp_path / "s"))
        both, unnamed = {"callers": (address,), "x.socket": (path,)}, {"": (address,)}
        found = told(port, file, LISTEN_FDNAMES="callers:x.socket")
        assert found == f"<InheritedSockets {address}, {path}> {both} [False, False]"
        assert told(port).startswith(f"<InheritedSockets {address}> {unnamed}")


def test_another_processs_sockets_are_left_alone() -> None:
    """LISTEN_PID says whose they are."""
    with listening() as port:
        assert told(port, LISTEN_PID="1") == "<InheritedSockets > {} []"


def test_a_descriptor_of_no_use_is_an_error() -> None:
    """It says which one, and what the unit should have."""
    with listening() as port, socket.create_connection(port.getsockname()) as connected:
        assert "descriptor 3 (a) does not listen for streams; in its unit write ListenStream=" in told(
            connected, LISTEN_FDNAMES="a"
        )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        assert "LISTEN_FDS: descriptor 3 does not listen" in told(datagrams)
    assert "LISTEN_FDS: descriptor 3 is no socket: Bad file descriptor" in told(LISTEN_FDS="1")
    assert "LISTEN_FDS: it is not a number of descriptors" in told(LISTEN_FDS="many")


def test_what_no_listener_takes_is_closed() -> None:
    """The process does not keep sockets on which nothing is accepted."""
    found = InheritedSockets()
    sock = listening()
    found._sockets[Address(*sock.getsockname())] = sock
    found.close()
    assert sock.fileno() == -1
    assert found.pop(Address("127.0.0.1", 1)) is None


def test_nothing_is_inherited_without_the_variables() -> None:
    """As without a service manager."""
    assert not InheritedSockets.of({}).handed_over.binds
    for count in ("65", "-1", "x", "9" * 5000):
        with pytest.raises(UsageError):
            InheritedSockets.of({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count})


def test_the_variables_are_forgotten() -> None:
    """No child takes them for its own."""
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "a", "PATH": "/bin"}
    forget(environ)
    assert environ == {"PATH": "/bin"}
