"""What commands print arrives whole, also where standard output is non-blocking, as other programs leave it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time

import pytest

from aibridge_trio.process import standard_streams

# The smallest that Linux has; F_SETPIPE_SZ is 1031 (fcntl(2)).
_PIPE, _SET_SIZE = 4096, 1031
_SLOW = 0.3


def run(arguments: list[str], *, stream: str = "stdout", unbuffered: bool = False) -> tuple[bytes, int, bool]:
    """Run with a small non-blocking pipe, read late: what came, the status, whether it stays non-blocking."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, _SET_SIZE, _PIPE)
    os.set_blocking(writing, False)
    command = [sys.executable, "-m", "aibridge_trio", *arguments]
    out, err = (writing, subprocess.DEVNULL) if stream == "stdout" else (subprocess.DEVNULL, writing)
    environ = os.environ | {"PYTHONUNBUFFERED": "1" if unbuffered else ""}
    process = subprocess.Popen(command, stdout=out, stderr=err, env=environ)
    came = b""
    time.sleep(_SLOW)
    still = os.get_blocking(writing)
    os.close(writing)
    while piece := os.read(reading, 1000):
        came += piece
        time.sleep(0.001)
    os.close(reading)
    return came, process.wait(20), not still


@pytest.mark.real
@pytest.mark.parametrize(
    "arguments",
    [
        ["completion", "bash"],
        ["completion", "zsh"],
        ["completion", "fish"],
        ["man", "serve"],
        ["check", "--json"],
        ["serve", "--help"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("unbuffered", [False, True])
def test_nothing_is_lost_on_a_non_blocking_pipe(arguments: list[str], unbuffered: bool) -> None:
    """More than the pipe holds comes through it, all of it, and the pipe's mode stays as others left it."""
    whole = subprocess.run(
        [sys.executable, "-m", "aibridge_trio", *arguments], capture_output=True, timeout=60, check=True
    ).stdout
    came, status, non_blocking = run(arguments, unbuffered=unbuffered)
    assert len(whole) > _PIPE
    assert (came, status, non_blocking) == (whole, 0, True)


@pytest.mark.real
def test_a_mistake_arrives_on_a_non_blocking_pipe() -> None:
    """One line, with its status."""
    came, status, _ = run(["serve", "--port", "5"], stream="stderr")
    assert (came, status) == (b"aibridge: --port: unknown option; did you mean --bind HOST:PORT?\n", 2)


@pytest.mark.real
def test_a_reader_that_leaves_ends_it() -> None:
    """A non-blocking pipe without a reader is a broken one: the status is 1."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, _SET_SIZE, _PIPE)
    os.set_blocking(writing, False)
    process = subprocess.Popen(
        [sys.executable, "-m", "aibridge_trio", "man", "serve"], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    threading.Timer(1.5, os.close, [reading]).start()
    assert process.wait(30) == 1
    assert process.stderr
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("null", [os.devnull, "/nowhere/null"])
def test_what_is_dropped_raises_nothing(null: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there is no /dev."""
    monkeypatch.setattr(os, "devnull", null)
    reading, writing = os.pipe()
    os.close(reading)
    standard_streams.discard_output(writing)
    assert os.write(writing, b"last words") == 10
    os.close(writing)
