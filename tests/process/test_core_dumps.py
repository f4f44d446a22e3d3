"""What of a process's memory gets out."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_ASLEEP = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
from aibridge_trio.process.core_dumps import forbid_core_dumps
forbid_core_dumps()
print(resource.getrlimit(resource.RLIMIT_CORE), flush=True)
time.sleep(60)
"""


@pytest.mark.real
def test_a_process_with_keys_leaves_no_core(tmp_path: Path) -> None:
    """When it is aborted there is no file, though its limit had allowed one."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", _ASLEEP], cwd=tmp_path, env=environ, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"(0, 0)\n"
        process.send_signal(signal.SIGABRT)
        assert process.wait(10) == -signal.SIGABRT
    assert list(tmp_path.iterdir()) == []


def test_serving_forbids_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is opened."""
    from aibridge_trio.bridge import running
    from aibridge_trio.config.settings import Settings
    from aibridge_trio.server.inherited_sockets import InheritedSockets

    class Forbidden(Exception):
        pass

    def forbid() -> None:
        raise Forbidden

    monkeypatch.setattr(running, "forbid_core_dumps", forbid)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    with pytest.raises(Forbidden):
        running.serve(Settings(), InheritedSockets(), Settings)
