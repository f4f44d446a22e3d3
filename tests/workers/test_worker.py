"""The process of a worker."""

from __future__ import annotations

from tests.support.processes import run


def test_it_is_no_command_for_people() -> None:
    """Without a supervisor it says how workers are started."""
    done = run("worker", "9")
    assert done.returncode == 2
    assert "aibridge serve --workers N" in done.stderr
