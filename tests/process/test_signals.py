"""Signals from the program's first act on, as the first process of a container gets them too."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import PATIENCE, environment

pytestmark = pytest.mark.real

# The command line takes a long time to import, and says when that begins.
SLOW = "import sys, time; sys.stderr.write('importing\\n'); sys.stderr.flush(); time.sleep(60)\n"


def start(
    tmp_path: Path, *arguments: str, wrap: tuple[str, ...] = (), pipe: tuple[int, int] | None = None
) -> subprocess.Popen[str]:
    """Start the program where typing is slow to import; return when that has begun. `pipe` is its stderr."""
    (tmp_path / "cyclopts.py").write_text(SLOW)
    (tmp_path / "tomllib.py").write_text(SLOW)
    (tmp_path / "trio.py").write_text(SLOW)
    path = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))
    process = subprocess.Popen(
        [*wrap, sys.executable, "-m", "aibridge_trio", *arguments],
        env=environment(PYTHONPATH=path),
        stderr=pipe[1] if pipe else subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    if pipe:
        assert os.read(pipe[0], 99) == b"importing\n"
    else:
        assert process.stderr
        assert process.stderr.readline() == "importing\n"
    return process


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(("command", "status"), [("serve", 0), ("mock", 0), ("top", 130), ("simulate", 130)])
def test_a_signal_while_it_starts_ends_it(
    tmp_path: Path, signum: signal.Signals, command: str, status: int
) -> None:
    """At once, with a word and a documented status: for services that is an ordinary end."""
    with start(tmp_path, command) as process:
        process.send_signal(signum)
        assert process.wait(PATIENCE) == status
        assert process.stderr
        assert process.stderr.read() == f"aibridge: ended by {signum.name}\n"


def test_a_signal_leaves_stderr_as_it_was(tmp_path: Path) -> None:
    """It is the shell's too, and other processes', whose words would be lost if it did not block any more."""
    reader, writer = pipe = os.pipe()
    with start(tmp_path, "simulate", pipe=pipe) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 130
    assert os.get_blocking(writer)
    assert os.read(reader, 99) == b"aibridge: ended by SIGTERM\n"
    os.close(writer)
    os.close(reader)


def test_the_first_process_of_a_container_hears_it_too(tmp_path: Path) -> None:
    """The kernel gives such a process only those signals that it has a handler for."""
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        pytest.skip("only root can make a container's first process")
    with start(tmp_path, "serve", wrap=(unshare, "--pid", "--fork", "--kill-child")) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        began = time.perf_counter()
        os.kill(int(children[0]), signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert time.perf_counter() - began < PATIENCE


def test_a_simulation_ends_by_a_signal() -> None:
    """In the middle of its work."""
    with subprocess.Popen(
        [sys.executable, "-m", "aibridge_trio", "simulate", "--suggest"],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 130
