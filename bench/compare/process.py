"""A program under measurement: started on its cores, watched from outside, ended with all it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO


class Failed(Exception):
    """A program did not do what the bench needs of it; `str()` says which and what."""


class Process:
    """A running program with its children, pinned to `cores`; what it says goes to the file `log`."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cores: set[int],
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        talk: bool = False,
    ) -> None:
        self.name = Path(argv[0]).name
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        self.log = log
        self._used = 0.0
        before = os.sched_getaffinity(0)
        # Inherited by the child; `preexec_fn` would cost a fork of this process instead of a vfork.
        os.sched_setaffinity(0, cores)
        try:
            with log.open("ab") as output:
                self._popen = subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if talk else output,
                    stderr=output,
                    env={**os.environ, **(environment or {})},
                    cwd=folder,
                    start_new_session=True,
                )
        finally:
            os.sched_setaffinity(0, before)
        if nice:
            prefer(nice, self._popen.pid)

    @property
    def stdin(self) -> IO[bytes]:
        """Its standard input; only with `talk`."""
        assert self._popen.stdin is not None
        return self._popen.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """Where it answers; only with `talk`."""
        assert self._popen.stdout is not None
        return self._popen.stdout

    def check(self) -> None:
        """Raise `Failed` with the last of its words if it has ended."""
        if self._popen.poll() is not None:
            raise Failed(f"{self.name} ended with status {self._popen.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-600:].strip()

    def cpu(self) -> float:
        """Return the CPU seconds that it and its living children have used, to the nanosecond."""
        if self._popen.poll() is None:
            self._used = sum(map(_cpu, self._tree()))
        return self._used

    def resident(self) -> int:
        """Return its resident bytes; of several processes the PSS, so that what they share counts once."""
        pids = self._tree()
        what = "Rss:" if len(pids) == 1 else "Pss:"
        return sum(_rollup(pid, what) for pid in pids)

    def terminate(self) -> None:
        """Send SIGTERM to the program itself, as a supervisor does, and return at once."""
        if self._popen.poll() is None:
            self._popen.terminate()

    def stop(self) -> None:
        """End it: politely, then not."""
        self.cpu()
        for sign, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, 3)):
            if self._popen.poll() is None:
                self._signal(sign)
                try:
                    self._popen.wait(patience)
                except subprocess.TimeoutExpired:
                    continue
        self._signal(signal.SIGKILL)
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe:
                pipe.close()

    def _signal(self, sign: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, sign)

    def _tree(self) -> list[int]:
        found = [self._popen.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    found += map(int, task.read_text().split())
                except OSError:
                    continue  # the thread has ended meanwhile
        return found


def prefer(nice: int, pid: int) -> None:
    """Give a process, and the session that it leads, a niceness."""
    os.setpriority(os.PRIO_PROCESS, pid, nice)
    # Where sessions are scheduled as groups, a process's niceness counts within its session only.
    group = Path(f"/proc/{pid}/autogroup")
    if group.exists():
        group.write_text(f"{nice}\n")


def _cpu(pid: int) -> float:
    # The clock of another process, as clock_getcpuclockid(3) makes it; /proc/PID/stat counts in hundredths.
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0  # a child that has ended meanwhile


def _rollup(pid: int, what: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # a child that has ended meanwhile
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


def python() -> str:
    """Return the interpreter that runs the bench."""
    return sys.executable
