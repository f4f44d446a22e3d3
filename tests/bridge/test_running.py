"""The process around a bridge."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from aibridge_trio.bridge import running


class Hosted(SimpleNamespace):
    """What is hosted: it ends at once, and notes what was frozen when it began."""

    def __init__(self) -> None:
        log = SimpleNamespace(writing=nullcontext, warning=print)
        super().__init__(
            settings=None,
            lifecycle=SimpleNamespace(phase="serving"),
            reloader=None,
            log=log,
            process=SimpleNamespace(run=trio.sleep_forever),
        )
        self.opened = False
        self.frozen = 0

    def open(self) -> None:
        self.opened = True

    def subscribe(self, _listener: Callable[[Any], None], *_kinds: type) -> None:
        pass

    async def failure(self, _within: float) -> str | None:
        return None

    def summary(self) -> str:
        return ""

    async def run(self, _signals: AsyncIterator[int], ready: Callable[[], None]) -> int:
        ready()
        self.frozen = gc.get_freeze_count()
        return 7


@pytest.fixture
def no_limits_changed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The limits of the tests' own process stay, and so does its collector."""
    for name in ("forbid_core_dumps", "raise_descriptor_limit"):
        monkeypatch.setattr(running, name, lambda: None)
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("no_limits_changed")
def test_what_is_there_when_it_begins_is_frozen() -> None:
    """The collector leaves what lives as long as the program; the status is that of what was hosted."""
    hosted = Hosted()
    gc.unfreeze()
    assert running.host(lambda _manager: hosted) == 7
    assert hosted.opened
    assert hosted.frozen > 0
