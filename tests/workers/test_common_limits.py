"""The limits that all workers have in common."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest
import trio

from aibridge_trio.errors import UsageError
from aibridge_trio.workers.common_limits import CommonLimits


async def test_only_its_user_reaches_the_arbiter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of its own, which goes with the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    limits = CommonLimits()
    limits.open()
    async with trio.open_nursery() as nursery:
        await nursery.start(limits.run)
        path = Path(limits.path)
        assert path.is_socket()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        nursery.cancel_scope.cancel()
    limits.close()
    assert not list(tmp_path.iterdir())


def test_a_missing_directory_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to set."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="set TMPDIR"):
        CommonLimits().open()
