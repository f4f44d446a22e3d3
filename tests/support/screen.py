"""A terminal with a program in it: presses its keys, reads its screen, and is its shell."""

from __future__ import annotations

import array
import copy
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pyte

from tests.support.processes import START, environment, until

AIBRIDGE = (sys.executable, "-m", "aibridge_trio")
UP, DOWN, RIGHT, ESC, ENTER, BACKSPACE = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b", "\r", "\x7f"
CTRL_C, CTRL_Q, CTRL_S, CTRL_Z, CTRL_BACKSLASH = "\x03", "\x11", "\x13", "\x1a", "\x1c"

ENTER_ALTERNATE, LEAVE_ALTERNATE = b"\x1b[?1049h", b"\x1b[?1049l"
HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"

_SHELL = (sys.executable, "-I", str(Path(__file__).with_name("job_shell.py")))
# Where these tests run must not matter to what is seen.
_FOREIGN = re.compile(
    r"COLORTERM|NO_COLOR|(CLI|FORCE_)COLOR.*|TTY_.*|COLUMNS|LINES|LANG|LC_.*|TMUX.*|PYTHON[A-Z].*"
)
# Several programs start at once on few cores; waits look every few milliseconds.
_PATIENCE = START
_ALTERNATE = 1049
# So long a word may take from one end of a terminal to the other (seconds).
_LAST = 0.02


def at_home(**more: str) -> dict[str, str]:
    """An environment as a terminal gives it, with `more`."""
    mine = {name: value for name, value in environment().items() if not _FOREIGN.fullmatch(name)}
    return mine | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | more


class _Xterm(pyte.Screen):
    """pyte's screen, with the alternate one that pyte does not know."""

    _normal: tuple[Any, Any] | None = None

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        super().set_mode(*modes, **kwargs)
        if kwargs.get("private") and _ALTERNATE in modes:
            self._normal = self._normal or (copy.deepcopy(self.buffer), copy.copy(self.cursor))
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        super().reset_mode(*modes, **kwargs)
        if kwargs.get("private") and _ALTERNATE in modes and self._normal:
            hidden = self.cursor.hidden
            self.buffer, self.cursor = self._normal
            self.cursor.hidden = hidden
            self._normal = None

    @property
    def alternate(self) -> bool:
        return self._normal is not None


class Screen:
    """A terminal and the program in it: the job of a shell, or `alone` in its session."""

    def __init__(
        self, command: tuple[str, ...], size: tuple[int, int], environ: dict[str, str], *, alone: bool
    ) -> None:
        columns, rows = size
        self._master, self._slave = os.openpty()
        termios.tcsetwinsize(self._slave, (rows, columns))
        self.found = self.modes()
        self._screen = _Xterm(columns or 80, rows or 24)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.raw = bytearray()
        self._told, tell = os.pipe()
        hear, self._orders = os.pipe()
        os.set_blocking(self._told, False)
        self._tales = b""
        how = ("alone",) if alone else (str(tell), str(hear))
        self._popen = subprocess.Popen(
            [*_SHELL, *how, *command],
            env=environ,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            pass_fds=() if alone else (tell, hear),
            start_new_session=True,
        )
        os.close(tell)
        os.close(hear)
        self._alone = alone
        self._deaf, self._deafen = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.pid = self._popen.pid if alone else int(self.until(self._changes, "a job")[0])

    # What is seen.

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        with self._lock:
            return list(self._screen.display)

    @property
    def text(self) -> str:
        """The screen, without the spaces at the ends of lines."""
        return "\n".join(line.rstrip() for line in self.lines)

    def full(self) -> bool:
        """Whether the program has the whole screen, with the cursor hidden."""
        with self._lock:
            return self._screen.alternate and self._screen.cursor.hidden

    def given_back(self) -> bool:
        """Whether everything is as the program found it: the modes, the normal screen, the cursor."""
        with self._lock:
            shown = not self._screen.alternate and not self._screen.cursor.hidden
        return shown and self.modes() == self.found

    def styled(self, text: str) -> Any:
        """The first cell of a text on the screen, with its style."""
        with self._lock:
            for row, line in enumerate(self._screen.display):
                if (column := line.find(text)) >= 0:
                    return self._screen.buffer[row][column]
        return None

    def modes(self) -> list[Any]:
        """The terminal's attributes."""
        return termios.tcgetattr(self._slave)

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Wait until it holds; else the message shows the screen."""
        try:
            return until(holds, what, _PATIENCE)
        except AssertionError as late:
            raise AssertionError(f"{late}; on the screen:\n{self.text}") from None

    def shows(self, pattern: str) -> re.Match[str]:
        """Wait until the pattern is found on the screen, `^` and `$` at any line."""
        match: re.Match[str] = self.until(lambda: re.search(pattern, self.text, re.MULTILINE), pattern)
        self._settle()  # the rest of the frame may still be on its way
        return match

    def hides(self, pattern: str) -> None:
        """Wait until the pattern is nowhere on the screen."""
        self.until(lambda: not re.search(pattern, self.text, re.MULTILINE), f"no {pattern}")

    # What is done.

    def press(self, keys: str) -> None:
        """Press keys, all at once."""
        os.write(self._master, keys.encode())

    def heard(self) -> None:
        """Wait until the program has read every key."""
        waiting = array.array("i", [0])

        def read() -> bool:
            fcntl.ioctl(self._slave, termios.FIONREAD, waiting)
            return not waiting[0]

        self.until(read, "keys that are read")

    def resize(self, columns: int, rows: int) -> None:
        """Change the size; what is seen afterwards has been drawn afterwards."""
        with self._lock:
            self._screen.resize(rows, columns)
            self._screen.erase_in_display(2)
        termios.tcsetwinsize(self._slave, (rows, columns))

    def write(self, text: bytes) -> None:
        """Write to the terminal, as another program would."""
        os.write(self._slave, text)

    def set_modes(self, modes: list[Any]) -> None:
        """Change the terminal's attributes, as another program would."""
        termios.tcsetattr(self._slave, termios.TCSANOW, modes)

    def hang_up(self) -> None:
        """Take the terminal away, as a window that is closed."""
        self.stop_reading()
        os.close(self._master)
        self._master = -1

    def stop_reading(self) -> None:
        """Read nothing any more."""
        os.write(self._deafen, b"x")
        self._reader.join(_PATIENCE)

    def signal(self, number: int) -> None:
        """Send a signal to the program."""
        os.kill(self.pid, number)

    # What the shell sees and does.

    def stopped(self, times: int = 1) -> int:
        """Wait until the program has stopped so many times; returns the signal that stopped it last."""
        stops: list[str] = self.until(
            lambda: len(found := [each for each in self._changes() if each.startswith("stop")]) >= times and found,
            f"{times} stops",
        )
        self._settle()
        return int(stops[-1].split()[1])

    def state(self) -> str:
        """The state of the program's process: T is stopped."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def order(self, word: str) -> None:
        """Tell the shell `fg` or `bg`."""
        os.write(self._orders, f"{word}\n".encode())

    def ended(self) -> int:
        """Wait for the program's end; returns its exit status, below 0 for a signal."""
        if self._alone:
            status: int | None = None
            with suppress(subprocess.TimeoutExpired):
                status = self._popen.wait(_PATIENCE)
            assert status is not None, f"it does not end; on the screen:\n{self.text}"
        else:
            self.until(lambda: "ended" in self._changes()[-1], "the end")
            status = int(self._changes()[-1].split()[1])
        self._settle()
        return status

    def close(self) -> None:
        """End what still runs."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.kill()
        self._popen.wait()
        self.stop_reading()
        for each in (self._master, self._slave, self._told, self._orders, self._deaf, self._deafen):
            with suppress(OSError):
                os.close(each)

    def _changes(self) -> list[str]:
        with suppress(BlockingIOError):
            self._tales += os.read(self._told, 65536)
        return self._tales.decode().split("\n")[:-1]

    def _read(self) -> None:
        while self._deaf not in (ready := select.select([self._master, self._deaf], [], [])[0]):
            assert ready
            with self._lock:
                data = os.read(self._master, 65536)
                self.raw += data
                self._stream.feed(data)

    def _settle(self) -> None:
        """Wait until all that was written has been read."""

        def silent() -> bool:
            with self._lock:
                return not select.select([self._master], [], [], _LAST)[0]

        if self._master >= 0:
            self.until(silent, "the last word")


@contextmanager
def on_screen(
    *command: str, size: tuple[int, int] = (80, 24), alone: bool = False, crash: bool = False, **environ: str
) -> Iterator[Screen]:
    """Run a command in a terminal for as long as the block lasts; without `crash` there is no traceback."""
    screen = Screen(command, size, at_home(**environ), alone=alone)
    try:
        yield screen
    finally:
        screen.close()
    assert crash or b"Traceback" not in screen.raw, screen.raw[-4000:].decode(errors="replace")


def top(url: str, *flags: str, **more: Any) -> AbstractContextManager[Screen]:
    """Run `aibridge top` in a terminal."""
    return on_screen(*AIBRIDGE, "top", "--url", url, *flags, **more)
