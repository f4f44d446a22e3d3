"""The log of real processes: in a file that is rotated, and in the journal."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.log_lines import lines_of
from tests.support.processes import PATIENCE, PROGRAM, environment, run, until

pytestmark = pytest.mark.real

_PORTS = ("--bind", "127.0.0.1:0", "--admin-bind", "127.0.0.1:0")


@contextmanager
def logging_to(path: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """Run a bridge that logs into a file, and a client of it."""
    command = [*PROGRAM, "serve", *_PORTS, "--log-file", str(path), *flags]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE)
    try:
        said = re.compile(r"listens on (\S+?),")
        found = until(lambda: path.exists() and said.search(path.read_text()), "the start", 3 * PATIENCE)
        with httpx.Client(base_url=found[1], trust_env=False, timeout=PATIENCE) as client:
            yield process, client
    finally:
        process.terminate()
        assert process.communicate(timeout=PATIENCE)[1] == b""
        assert process.returncode == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_log_file_is_rotated(tmp_path: Path, workers: str) -> None:
    """Renamed, then SIGHUP: no line is lost or torn, the new file has what follows, and stderr has nothing."""
    path, former = tmp_path / "log", tmp_path / "log.1"
    with logging_to(path, "--workers", workers) as (process, client):
        for number in range(20):
            client.get("/", headers={"x-request-id": f"old-{number}", "connection": "close"})
        path.rename(former)
        process.send_signal(signal.SIGHUP)
        # It may be written before the file is opened again.
        files = (former, path)
        until(lambda: any(each.exists() and '"reload"' in each.read_text() for each in files), "the reload's line")
        until(lambda: _open_files(process.pid, former) == 0, "all processes")
        for number in range(20):
            client.get("/", headers={"x-request-id": f"new-{number}", "connection": "close"})
    requests = [
        [line["request_id"] for line in lines_of(each.read_text()) if line["event"] == "request"]
        for each in (former, path)
    ]
    assert sorted(requests[0] + requests[1]) == sorted(f"{age}-{n}" for age in ("old", "new") for n in range(20))
    assert {name for name in requests[1] if name.startswith("new")} == {f"new-{n}" for n in range(20)}


def _open_files(pid: int, path: Path) -> int:
    """How many processes of this bridge have a file open."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    links = [link for each in (str(pid), *children) for link in Path(f"/proc/{each}/fd").iterdir()]
    return sum(link.exists() and link.resolve() == path for link in links)


def test_a_file_that_cannot_be_written_ends_the_start(tmp_path: Path) -> None:
    """With the status of a wrong configuration, and a line that says what to do."""
    done = run("serve", *_PORTS, "--log-file", str(tmp_path / "none" / "log"))
    assert done.returncode == 2
    assert re.search(r"^aibridge: --log-file: \S+ cannot be opened \(No such file or directory\); ", done.stderr)


def test_in_the_journal_each_line_has_its_priority(tmp_path: Path) -> None:
    """As systemd says with JOURNAL_STREAM; elsewhere, and where stderr was redirected since, there is none."""
    ours, theirs = socket.socketpair()
    found = os.fstat(theirs.fileno())
    for stream, prefix in ((f"{found.st_dev}:{found.st_ino}", b"<6>{"), ("1:1", b"{")):
        with subprocess.Popen(
            [*PROGRAM, "serve", *_PORTS], env=environment(JOURNAL_STREAM=stream), stderr=theirs.fileno()
        ) as process:
            ours.settimeout(PATIENCE)
            assert ours.recv(1 << 16).startswith(prefix)
            process.terminate()
        while b'"stop"' not in ours.recv(1 << 16):
            pass
    ours.close()
    theirs.close()
