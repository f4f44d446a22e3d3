"""The limits that all workers have in common."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest
import trio

from aibridge_trio.sharing.entrance import connect
from aibridge_trio.workers.common_limits import CommonLimits


async def test_workers_reach_it_by_what_they_inherit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is made, so that none is left behind, and no directory need be writable."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    limits = CommonLimits()
    limits.open()
    async with trio.open_nursery() as nursery:
        await nursery.start(limits.run)
        with socket.socket(fileno=socket.dup(limits.descriptor)) as entrance, connect(entrance):
            with trio.fail_after(5):
                while not limits.arbiter._connections:
                    await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    limits.close()
