"""A unix socket: its file, its mode, and when the file is replaced."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio

from aibridge_trio.errors import UsageError
from tests.server.test_listener import call, opened


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    """A socket's path that is short enough."""
    short = Path(f"/tmp/aibridge-test-{os.getpid()}")  # pytest's own may be too long
    short.mkdir(mode=0o700)
    yield str(short / "socket")
    for left in short.iterdir():
        left.unlink()
    short.rmdir()


@pytest.mark.parametrize("mode", [0o600, 0o666])
async def test_a_unix_socket_serves_callers_without_addresses(path: str, mode: int) -> None:
    """Its file has the mode that was asked for, whatever the umask; it is gone at the end."""
    before = os.umask(0o077)
    try:
        listener = opened(path, mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path(path).stat().st_mode) == mode
    with call(path) as caller:
        wire = await listener.accept()
        assert (wire.peer, wire.local, wire.secure) == (None, None, False)
        caller.sendall(b"ping")
        assert await wire.receive() == b"ping"
        assert wire.push(b"pong") == 4
        assert caller.recv(9) == b"pong"
        assert not wire.peer_left()
        caller.close()
        assert wire.peer_left()
        wire.reset()
    listener.close()
    assert not os.path.lexists(path)
    listener.close()


async def test_what_an_ended_process_left_behind_is_replaced(path: str) -> None:
    """A socket file on which no program listens is replaced."""
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(path)
        dead.listen()
    listener = opened(path)
    with call(path):
        (await listener.accept()).close()
    listener.close()


def test_a_socket_in_use_is_left_alone(path: str) -> None:
    """A program that listens keeps its socket, be its queue full or not."""
    with closing(socket.socket(socket.AF_UNIX)) as other:
        other.bind(path)
        other.listen(0)
        for _ in range(3):
            with pytest.raises(UsageError, match=f"--bind: cannot listen on unix:{path}: the socket is in use"):
                opened(path)
        assert Path(path).exists()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_left_alone(path: str, kind: str) -> None:
    """A typo in the path removes nothing."""
    here = Path(path)
    if kind == "directory":
        here.mkdir()
    elif kind == "link":
        here.symlink_to("nowhere")
    else:
        here.write_text("precious")
    with pytest.raises(UsageError, match="is no socket"):
        opened(path)
    assert os.path.lexists(path)
    if kind == "directory":
        here.rmdir()


def test_a_directory_that_is_not_there_is_a_mistake(path: str) -> None:
    """The reason is said in plain words."""
    with pytest.raises(UsageError, match="there is no such directory"):
        opened(f"{path}/x/y")


async def test_a_successors_file_is_not_removed(path: str) -> None:
    """A listener whose file was replaced does not remove the new file."""
    first = opened(path)
    Path(path).unlink()
    second = opened(path)
    first.close()
    assert Path(path).exists()
    second.close()
    assert not os.path.lexists(path)


def test_a_socket_that_cannot_be_opened_leaves_no_file(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a start leaves nothing behind."""

    def chmod(*_: object) -> None:
        raise PermissionError(1, "no")

    monkeypatch.setattr(Path, "chmod", chmod)
    with pytest.raises(UsageError, match="not permitted"):
        opened(path)
    assert not os.path.lexists(path)


async def test_a_closed_unix_socket_wakes_who_accepts(path: str) -> None:
    """A server that stops does not hang in accept()."""
    listener = opened(path)
    async with trio.open_nursery() as nursery:

        async def accept() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await listener.accept()

        nursery.start_soon(accept)
        await trio.testing.wait_all_tasks_blocked()
        listener.close()
