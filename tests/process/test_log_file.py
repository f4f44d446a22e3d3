"""A log's file: appended to, opened again, and kept where that fails."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from aibridge_trio.process.log_file import LogFile
from aibridge_trio.process.log_writer import LogWriter
from tests.support.processes import until


def gap(lines: int) -> str:
    """The line for missing ones."""
    return f"missing {lines}\n"


def fails(error: OSError) -> None:
    """What no test but one expects."""
    raise error


def test_the_file_is_made_and_appended_to(tmp_path: Path) -> None:
    """By its owner; its group reads it at most."""
    path = tmp_path / "log"
    for text in (b"1\n", b"2\n"):
        descriptor = LogFile(path, fails).open()
        os.write(descriptor, text)
        os.close(descriptor)
    assert path.read_bytes() == b"1\n2\n"
    assert stat.S_IMODE(path.stat().st_mode) & 0o137 == 0


def test_a_pipe_without_a_reader_is_an_error(tmp_path: Path) -> None:
    """It is not waited for."""
    os.mkfifo(tmp_path / "log")
    with pytest.raises(OSError, match="No such device"):
        LogFile(tmp_path / "log", fails).open()


def test_no_line_is_lost_while_a_file_is_rotated(tmp_path: Path) -> None:
    """However often it is renamed and opened again, all lines are in one of the files, in order and whole."""
    path = tmp_path / "log"
    file = LogFile(path, fails)
    with LogWriter(file.open(), "utf-8", gap, file=file) as writer:
        for turn in range(20):
            for number in range(50):
                writer.put(f"{turn} {number}\n")
            path.rename(tmp_path / f"log.{turn:02}")
            writer.reopen()
            until(path.exists, "the new file")
        writer.put("last\n")
    text = "".join(each.read_text() for each in [*sorted(tmp_path.glob("log.*")), path])
    assert text.splitlines() == [f"{turn} {number}" for turn in range(20) for number in range(50)] + ["last"]
    assert path.read_text().splitlines()[-1] == "last"


def test_a_file_that_cannot_be_opened_again_stays_in_use(tmp_path: Path) -> None:
    """Its folder has gone: lines go to the former file, and the cause is reported."""
    folder = tmp_path / "logs"
    folder.mkdir()
    failed: list[OSError] = []
    file = LogFile(folder / "log", failed.append)
    with LogWriter(file.open(), "utf-8", gap, file=file) as writer:
        folder.rename(tmp_path / "moved")
        writer.reopen()
        until(lambda: failed, "the report")
        writer.put("still\n")
    assert (tmp_path / "moved" / "log").read_text() == "still\n"
    assert failed[0].strerror == "No such file or directory"


def test_without_a_thread_it_is_opened_again_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As lines are written."""
    path = tmp_path / "log"
    file = LogFile(path, fails)

    def no_thread(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("threading.Thread.start", no_thread)
    with LogWriter(file.open(), "utf-8", gap, file=file) as writer:
        path.rename(tmp_path / "log.1")
        writer.reopen()
        writer.put("new\n")
    assert path.read_text() == "new\n"


def test_what_is_no_file_has_nothing_to_open(tmp_path: Path) -> None:
    """Of stderr a reload changes nothing."""
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    with LogWriter(descriptor, "utf-8", gap) as writer:
        writer.reopen()
        writer.put("line\n")
    assert (tmp_path / "log").read_text() == "line\n"
