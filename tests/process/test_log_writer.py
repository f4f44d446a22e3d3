"""The thread that writes log lines: in order, bounded, and nothing waits for it."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibridge_trio.process.log_writer import LogWriter, unblocked_stderr
from tests.support.processes import PATIENCE, a_bridge, until

# What Linux gives a pipe, and enough lines to fill that and a buffer.
PIPE = 65536


def gap(lines: int) -> str:
    """The line for missing ones."""
    return f"missing {lines}\n"


class Pipe:
    """A pipe whose reader reads when a test says so."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.text = b""

    def read(self, most: int = PIPE) -> str:
        """Read once, and return all that was read so far."""
        self.text += os.read(self.reading, most)
        return self.text.decode()

    def drain(self) -> str:
        """Close the writing end and read to the end."""
        os.close(self.writing)
        while piece := os.read(self.reading, PIPE):
            self.text += piece
        os.close(self.reading)
        return self.text.decode()


def missing(pipe: Pipe) -> int:
    """How many lines are missing, by all gaps that were read."""
    return sum(map(int, re.findall(r"^missing (\d+)\n", pipe.text.decode(), re.MULTILINE)))


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for what a thread does."""
    until(holds, "what the thread does")


@contextmanager
def draining(pipe: Pipe) -> Iterator[Callable[[], None]]:
    """Read from a pipe in a thread, from a signal on until the writing end is closed."""
    begin = threading.Event()

    def read() -> None:
        begin.wait(PATIENCE)
        while piece := os.read(pipe.reading, PIPE):
            pipe.text += piece

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    yield begin.set
    os.close(pipe.writing)
    reader.join(PATIENCE)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\n"), max_size=40), max_size=50))
def test_lines_come_out_as_they_went_in(texts: list[str]) -> None:
    """All of them, in order, before the context ends, whatever characters they have."""
    pipe = Pipe()
    with LogWriter(pipe.writing, "utf-8", gap) as writer:
        for text in texts:
            writer.put(text + "\n")
    expected = "".join(text + "\n" for text in texts).encode("utf-8", "backslashreplace").decode()
    assert pipe.drain() == expected
    assert writer.dropped == 0


def test_without_a_reader_nothing_waits_and_what_is_lost_is_counted() -> None:
    """Each line is appended or dropped at once; when the reader reads again, a line tells how many are missing."""
    pipe = Pipe()
    line = "x" * 99 + "\n"
    with draining(pipe) as go_on, LogWriter(pipe.writing, "utf-8", gap, capacity=50_000) as writer:
        began = time.perf_counter()
        put = 5_000
        for _ in range(put):
            writer.put(line)
        assert time.perf_counter() - began < 1
        assert writer.dropped > put - (50_000 + 10 * PIPE) // 100
        go_on()
        # There may be several gaps, and until the last is written the next line would be dropped, too.
        eventually(lambda: missing(pipe) == writer.dropped)
        writer.put("and on\n")
    assert missing(pipe) == writer.dropped
    assert pipe.text.decode().count(line) == put - writer.dropped
    assert pipe.text.decode().endswith("and on\n")


def test_a_gap_stands_where_lines_are_missing() -> None:
    """Numbered lines rise, and where one is missing stands a gap that tells how many."""
    pipe = Pipe()
    with draining(pipe) as go_on, LogWriter(pipe.writing, "utf-8", gap, capacity=20_000) as writer:
        for n in range(20_000):
            writer.put(f"{n}\n")
            if n == 15_000:
                go_on()
                eventually(lambda: not writer._lines)
    lines = pipe.text.decode().splitlines()
    assert writer.dropped > 0
    expected = 0
    for line in lines:
        if line.startswith("missing "):
            expected += int(line.removeprefix("missing "))
        else:
            assert int(line) == expected
            expected += 1
    assert expected == 20_000


def test_the_end_waits_a_second_for_a_reader_and_no_longer() -> None:
    """A pipe that is full at the end does not hold up the end, nor what is printed after it."""
    pipe = Pipe()
    began = time.perf_counter()
    with LogWriter(pipe.writing, "utf-8", gap) as writer:
        writer.put("x" * 10 * PIPE + "\n")
    assert 0.9 < time.perf_counter() - began < PATIENCE
    os.write(pipe.writing, b"y" * 10 * PIPE)  # goes nowhere, at once
    while writer._thread.is_alive():
        pipe.read()
    os.close(pipe.reading)
    os.close(pipe.writing)


def test_a_reader_that_left_costs_the_lines_and_nothing_else() -> None:
    """EPIPE for each write: all is counted, and the end comes at once."""
    pipe = Pipe()
    os.close(pipe.reading)
    began = time.perf_counter()
    with LogWriter(pipe.writing, "utf-8", gap) as writer:
        for _ in range(10):
            writer.put("x\n")
            eventually(lambda: not writer._lines)
    os.close(pipe.writing)
    assert time.perf_counter() - began < PATIENCE
    assert writer.dropped >= 10


def test_a_full_disk_that_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that breaks in the middle of a line: what follows begins on a line of its own, behind a gap."""
    out = bytearray()
    room = 7

    def write(_descriptor: int, data: memoryview) -> int:
        fits = bytes(data[: room - len(out)]) if room - len(out) > 0 else b""
        if not fits:
            raise OSError(errno.ENOSPC, "No space left on device")
        out.extend(fits)
        return len(fits)

    monkeypatch.setattr(os, "write", write)
    with LogWriter(99, "utf-8", gap) as writer:
        writer.put("first\nsecond\nthird\n")
        eventually(lambda: writer.dropped == 2)
        room = 1_000
        writer.put("fourth\n")
    assert out.decode() == "first\ns\nmissing 2\nfourth\n"


def test_a_pipe_that_others_made_nonblocking_loses_nothing() -> None:
    """EAGAIN is waited for, in the thread."""
    pipe = Pipe()
    os.set_blocking(pipe.writing, False)
    text = "".join(f"{n}\n" for n in range(100_000))
    with draining(pipe) as go_on, LogWriter(pipe.writing, "utf-8", gap) as writer:
        writer.put(text)
        time.sleep(0.05)
        go_on()
    assert pipe.text.decode() == text
    assert writer.dropped == 0


def test_what_is_printed_to_stderr_goes_the_same_way() -> None:
    """Tracebacks, warnings and the interpreter's hooks can't block either; afterwards stderr is as it was."""
    pipe = Pipe()
    before = sys.stderr
    with LogWriter(pipe.writing, "utf-8", gap) as writer:
        writer.put("a line\n")
        sys.stderr.write("printed\n")
        traceback.print_exception(ValueError("mind the gap"))
        sys.stderr.flush()
        assert not sys.stderr.isatty()
    assert sys.stderr is before
    said = pipe.drain()
    assert said.startswith("a line\nprinted\n")
    assert "mind the gap" in said


def test_a_program_that_only_prints_is_served_too() -> None:
    """What it prints meanwhile comes out; without a file behind stderr nothing changes."""
    pipe = Pipe()
    with os.fdopen(os.dup(pipe.writing), "w") as stream, redirect_stderr(stream), unblocked_stderr():
        assert sys.stderr is not stream
        sys.stderr.write("printed\n")
    assert pipe.drain() == "printed\n"
    nowhere = io.StringIO()
    with redirect_stderr(nowhere), unblocked_stderr():
        assert sys.stderr is nowhere


# The program


@pytest.mark.real
@pytest.mark.parametrize("signals", [1, 2])
def test_a_stderr_without_a_reader_stops_nothing(signals: int) -> None:
    """Two thousand requests are served, /healthz and /metrics answer, and a signal ends the process in time."""
    with a_bridge("--graceful-timeout", "1s") as bridge:
        bridge.process.ignore()
        for _ in range(2_000):
            assert bridge.caller.get("/", headers={"user-agent": "x" * 64}).status_code == 200
        assert bridge.admin.get("/healthz").status_code == 200
        assert bridge.metric("aibridge_requests_total", provider="none", route="other", status="200") == 2_000
        began = time.perf_counter()
        for _ in range(signals):
            bridge.process.signal()
        status = bridge.process.wait()
        assert time.perf_counter() - began < 6
        assert status == 0 or signals > 1
        assert len(bridge.process.lines) < 2_000  # it was full


@pytest.mark.real
def test_the_last_lines_of_a_process_arrive() -> None:
    """Behind a burst of requests an orderly end still says that it drained and stopped."""
    with a_bridge() as bridge:
        for _ in range(300):
            assert bridge.caller.get("/").status_code == 200
        bridge.process.signal()
        assert bridge.process.wait() == 0
        events = [json.loads(line)["event"] for line in bridge.process.lines]
        assert events == ["start", *["request"] * 300, "drain", "stop"]


def test_without_a_thread_lines_are_written_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of processes is no reason not to start."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pipe = Pipe()
    with LogWriter(pipe.writing, "utf-8", gap) as writer:
        writer.put("one\n")
        assert pipe.read() == "one\n"
        sys.stderr.write("two\n")
    assert writer.dropped == 0
    assert pipe.drain() == "one\ntwo\n"
