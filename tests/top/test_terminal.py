"""A terminal is taken over, drawn on, read key by key, and given back as it was."""

from __future__ import annotations

import os
import termios
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.top.screen.text import Frame
from aibridge_trio.top.terminal import Terminal


@dataclass
class Pair:
    """A pseudo-terminal: the user's end as a descriptor, the program's as a file."""

    user: int
    program: TextIO

    @property
    def modes(self) -> list[object]:
        """The program's end's attributes."""
        return termios.tcgetattr(self.program)

    def written(self) -> bytes:
        """What the program has written."""
        os.set_blocking(self.user, False)
        found = b""
        with suppress(BlockingIOError):
            while True:
                found += os.read(self.user, 65536)
        return found


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A terminal of 40 columns and 5 rows."""
    user, program = os.openpty()
    termios.tcsetwinsize(program, (5, 40))
    with os.fdopen(program, "w", encoding="utf-8") as file:
        pair = Pair(user, file)
        yield pair
    os.close(pair.user)


def a_terminal(pair: Pair, *, keyboard: bool = True) -> Terminal:
    """The program's view of it."""
    return Terminal(pair.program, pair.program.fileno() if keyboard else None)


def test_a_terminal_is_given_back_as_it_was(pair: Pair) -> None:
    """Echo and lines are off inside; afterwards modes, normal screen and cursor are back."""
    before = pair.modes
    with a_terminal(pair):
        assert pair.modes != before
        assert b"\x1b[?1049h" in (entered := pair.written())
        assert b"\x1b[?25l" in entered
    assert pair.modes == before
    left = pair.written()
    assert b"\x1b[?25h" in left
    assert b"\x1b[?1049l" in left


def test_a_terminal_is_given_back_after_a_crash(pair: Pair) -> None:
    """An exception changes nothing of that."""
    before = pair.modes
    with pytest.raises(ZeroDivisionError), a_terminal(pair):
        raise ZeroDivisionError
    assert pair.modes == before


def test_a_frame_is_written_from_the_top_left(pair: Pair) -> None:
    """All of it in one write, over what is there."""
    terminal = a_terminal(pair)
    terminal.draw(Frame(tuple([(f"line {n}".ljust(40), "")] for n in range(5))))
    drawn = pair.written()
    assert drawn.startswith(b"\x1b[H")
    assert [f"line {n}".encode() in drawn for n in range(5)] == [True] * 5
    assert b"\x1b[2J" not in drawn


def test_the_size_is_the_present_one(pair: Pair) -> None:
    """It is asked anew each time; a terminal without a size has 80 columns and 24 rows."""
    terminal = a_terminal(pair)
    assert terminal.size() == (40, 5)
    termios.tcsetwinsize(pair.program, (30, 100))
    assert terminal.size() == (100, 30)
    termios.tcsetwinsize(pair.program, (0, 0))
    assert terminal.size() == (80, 24)


async def test_keys_are_read_as_they_come(pair: Pair) -> None:
    """Several at once, an arrow as one."""
    terminal = a_terminal(pair)
    with terminal:
        os.write(pair.user, b"q\x1b[A?")
        with trio.fail_after(10):
            assert await terminal.keys() == ["q", "up", "?"]


async def test_a_keyboard_that_has_gone_is_an_interrupt(pair: Pair) -> None:
    """As when the window is closed: reading fails, which ends the program."""
    terminal = a_terminal(pair)
    user, pair.user = pair.user, os.open(os.devnull, os.O_RDONLY)
    os.close(user)
    with trio.fail_after(10):
        assert await terminal.keys() == ["interrupt"]


async def test_without_a_keyboard_there_is_no_key(pair: Pair, autojump_clock: MockClock) -> None:
    """Waiting for one has no end."""
    with trio.move_on_after(1e6) as scope:
        await a_terminal(pair, keyboard=False).keys()
    assert scope.cancelled_caught


def test_an_encoding_without_blocks_is_ascii(pair: Pair) -> None:
    """Frames are drawn with ASCII then."""
    assert not a_terminal(pair).ascii
    with open(os.dup(pair.program.fileno()), "w", encoding="latin-1") as old:  # noqa: PTH123 - a descriptor
        assert Terminal(old, None).ascii
