"""How often the garbage collector runs."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from aibridge_trio.process import collector


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The collector of the tests as it was."""
    before = gc.get_threshold()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*before)


def test_it_runs_rarely() -> None:
    """Much more rarely than Python has it, and is not off."""
    gc.set_threshold(700, 10, 10)
    collector.run_rarely()
    assert gc.get_threshold()[0] > 700
    assert gc.isenabled()


def test_it_leaves_what_lives_as_long_as_the_program() -> None:
    """What is there when the start is over is frozen, and the collector runs again."""
    collector.pause()
    assert not gc.isenabled()
    collector.spare_present()
    assert gc.get_freeze_count() > 0
    assert gc.isenabled()


@pytest.mark.parametrize(("command", "most"), [("check", 9), ("serve", 0)])
def test_it_runs_rarely_from_the_first_import_on(command: str, most: int) -> None:
    """Imports make many objects and little garbage; at Python's threshold it would run some sixty times."""
    asked = (
        "import gc, sys; from aibridge_trio.__main__ import main; before = gc.get_stats()[0]['collections']; "
        f"sys.argv[1:] = ['{command}', '--help']; main(); sys.exit(gc.get_stats()[0]['collections'] - before)"
    )
    ended = subprocess.run([sys.executable, "-c", asked], check=False, stdout=subprocess.DEVNULL)
    assert ended.returncode <= most
