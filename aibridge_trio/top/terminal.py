"""The operator's terminal: taken over, drawn on, listened to, and given back as it was, however it ends."""

from __future__ import annotations

import errno
import math
import os
import select
import signal
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import trio
from rich.console import Console
from rich.control import Control
from rich.screen import Screen

from aibridge_trio.process import standard_streams
from aibridge_trio.top.keyboard import Decoder
from aibridge_trio.top.screen.text import Frame, knows_blocks

_READ = 1024


class Terminal:
    """Full screen, without echo, key by key. A context manager; nothing of it is async but waiting for keys.

    When the terminal has gone, `draw` and `size` raise OSError; leaving does not.
    """

    def __init__(self, screen: TextIO, keyboard: int | None) -> None:
        # Variables that force or forbid colours do not decide whether this is a terminal.
        self._console = Console(file=screen, highlight=False, force_terminal=True)
        self._screen = screen.fileno()
        self._keyboard = keyboard
        self.ascii = not knows_blocks(screen.encoding)
        self._saved: list[Any] | None = None
        self._decoder = Decoder()

    def __enter__(self) -> None:
        self._take()

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def size(self) -> tuple[int, int]:
        """Return columns and rows, as they are now."""
        columns, rows = os.get_terminal_size(self._screen)
        return (columns, rows) if columns and rows else (80, 24)

    def draw(self, frame: Frame) -> None:
        """Draw over what is there; nothing while the terminal takes nothing, as after Ctrl-S."""
        if not select.select([], [self._screen], [], 0)[1]:
            return
        self._console.size = self.size()
        with self._console:  # written in one go
            self._console.control(Control.home())
            self._console.print(Screen(frame), end="")

    async def keys(self) -> list[str]:
        """Wait for keys; "interrupt" when the keyboard has gone. Without a keyboard, for ever."""
        if self._keyboard is None:
            await trio.sleep_forever()
        keys: list[str] = []
        while not keys:
            seconds = self._decoder.patience if self._decoder.pending else math.inf
            with trio.move_on_after(seconds) as patience:
                keys = await self._read()
            if patience.cancelled_caught:
                keys = self._decoder.flush()
        return keys

    def suspend(self) -> None:
        """Give the terminal back, stop this process as Ctrl-Z does, and take it over again afterwards.

        Where there is no shell that could continue it, the system does not stop it.
        """
        self._give_back()
        with _unhandled(signal.SIGTSTP):
            os.kill(os.getpid(), signal.SIGTSTP)
        self._take()

    def retake(self) -> None:
        """Take the screen over again after somebody else stopped and continued this process."""
        self._enter()

    async def _read(self) -> list[str]:
        assert self._keyboard is not None
        await trio.lowlevel.wait_readable(self._keyboard)
        try:
            data = os.read(self._keyboard, _READ)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        return self._decoder.feed(data) if data else ["interrupt"]

    def _take(self) -> None:
        if self._keyboard is not None:
            # In the background the terminal is the shell's, and so are its modes: this waits for `fg`.
            with _unhandled():
                _insist(termios.tcflow, self._keyboard, termios.TCOON)
            self._saved = termios.tcgetattr(self._keyboard)
        self._enter()

    def _enter(self) -> None:
        if self._keyboard is not None:
            _insist(tty.setcbreak, self._keyboard, termios.TCSANOW)
        self._console.set_alt_screen(enable=True)
        self._console.show_cursor(show=False)

    def _give_back(self) -> None:
        try:
            # What Ctrl-S has stopped goes on, or the next write would wait for Ctrl-Q.
            for action in (termios.TCOOFF, termios.TCOON):
                _insist(termios.tcflow, self._screen, action)
            self._console.show_cursor(show=True)
            self._console.set_alt_screen(enable=False)
        except (OSError, termios.error):
            # It has gone. At exit Python would try again to write what could not be written.
            standard_streams.discard_output(self._screen)
        finally:
            if self._keyboard is not None and self._saved is not None:
                with suppress(termios.error):
                    _insist(termios.tcsetattr, self._keyboard, termios.TCSANOW, self._saved)


@contextmanager
def _unhandled(*more: signal.Signals) -> Iterator[None]:
    """Let signals that end a program do so at once: the terminal is not ours, so there is nothing to give back."""
    ends = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, *more)
    handlers = {number: signal.signal(number, signal.SIG_DFL) for number in ends}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _insist(call: Callable[..., object], *arguments: object) -> None:
    """Call again when a signal came in between, as SIGCONT does after a wait in the background."""
    while True:
        try:
            call(*arguments)
        except termios.error as error:
            if error.args[0] != errno.EINTR:
                raise
        else:
            return
