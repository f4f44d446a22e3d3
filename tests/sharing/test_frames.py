"""Frames on a unix socket."""

from __future__ import annotations

import socket

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.sharing.frames import LONGEST, WAKE_UP, FrameReader, FrameStream, frame


@given(st.lists(st.binary(max_size=40)), st.integers(1, 50))
def test_frames_come_as_they_were_sent(contents: list[bytes], size: int) -> None:
    """However they are cut on the way."""
    data = b"".join(map(frame, contents))
    reader = FrameReader()
    found = [each for at in range(0, len(data), size) for each in reader.feed(data[at : at + size])]
    assert found == contents


def test_a_wake_up_is_an_empty_frame() -> None:
    """It has no content."""
    assert frame(b"") == WAKE_UP


def test_a_frame_has_a_longest() -> None:
    """Whatever the other end says, no more is kept."""
    with pytest.raises(ValueError, match="too long"):
        FrameReader().feed((LONGEST + 1).to_bytes(4, "big"))


async def test_what_is_not_taken_at_once_is_sent_later() -> None:
    """In order."""
    ours, theirs = map(FrameStream, socket.socketpair())
    content = bytes(range(256)) * 20_000
    assert not ours.send(frame(content))
    assert not ours.send(frame(b"last"))
    found: list[bytes] = []

    async def read() -> None:
        while len(found) < 2:
            found.extend(await theirs.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await ours.drain()
    assert found == [content, b"last"]
    assert ours.unsent == 0
    ours.close()
    with pytest.raises(ConnectionResetError):
        await theirs.receive()
    theirs.close()
