"""The state file on a real file system."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aibridge_trio.process import state_file
from aibridge_trio.process.state_file import StateFile


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """For its owner alone, and nothing is left beside it but its lock."""
    file = StateFile(tmp_path / "state.json")
    assert file.read() is None
    assert file.lock()
    for content in (b"one", b"another, longer", b""):
        file.write(content)
        assert file.read() == content
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["state.json", "state.json.lock"]


def test_a_wider_mode_does_not_last(tmp_path: Path) -> None:
    """Whatever a file that was left behind permits, the new one is its owner's."""
    file = StateFile(tmp_path / "state.json")
    left = tmp_path / "state.json.new"
    left.write_bytes(b"half of")
    left.chmod(0o666)
    file.write(b"all")
    assert file.read() == b"all"
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Another user of the folder cannot have other files overwritten."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "state.json.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        StateFile(tmp_path / "state.json").write(b"all")
    assert victim.read_bytes() == b"precious"


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """A second one may read; it may write when the first is gone, however that ended."""
    code = (
        "import sys, time; from pathlib import Path; from aibridge_trio.process.state_file import StateFile\n"
        "file = StateFile(Path(sys.argv[1])); print(file.lock(), flush=True); time.sleep(60)"
    )
    path = tmp_path / "state.json"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as first:
        assert first.stdout
        assert first.stdout.readline() == b"True\n"
        second = StateFile(path)
        assert not second.lock()
        first.send_signal(signal.SIGKILL)
    assert second.lock()
    assert second.lock()
    assert not StateFile(path).lock()
    second.unlock()
    assert StateFile(path).lock()


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, for example."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    file = StateFile(tmp_path / "state.json")
    file.write(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        file.write(b"new")
    assert file.read() == b"old"


def test_an_endless_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded whatever the file is."""
    monkeypatch.setattr(state_file, "_LONGEST", 100)
    (tmp_path / "state.json").write_bytes(b"x" * 101)
    with pytest.raises(OSError, match="longer than 100 bytes"):
        StateFile(tmp_path / "state.json").read()


def test_set_aside(tmp_path: Path) -> None:
    """Nothing is lost: an older one that was set aside is replaced."""
    file = StateFile(tmp_path / "state.json")
    for content in (b"first", b"second"):
        file.write(content)
        assert file.set_aside() == tmp_path / "state.json.bad"
        assert (tmp_path / "state.json.bad").read_bytes() == content
        assert file.read() is None


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """It is no file of a state, and does not hold up the start."""
    path = tmp_path / "state.json"
    os.mkfifo(path)
    with pytest.raises(OSError, match="it is no regular file"):
        StateFile(path).read()
