"""File descriptors: what is said when none is left, and the reserve."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from unittest.mock import Mock

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.server.connection_limit import ConnectionLimit
from aibridge_trio.server.descriptors import Reserve, shortage
from tests.server.test_connection import GET, OK, Site, ok
from tests.support.network import MemoryListener, MemoryWire, Network


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EMFILE, "out of file descriptors (limit 64; raise it with ulimit -n or LimitNOFILE=)"),
        (errno.ENFILE, "this machine is out of file descriptors (fs.file-max)"),
        (errno.ENOMEM, "this machine is short of memory for sockets (no)"),
    ],
)
def test_a_shortage_is_called_what_it_is(monkeypatch: pytest.MonkeyPatch, number: int, said: str) -> None:
    """An operator reads which limit to raise."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (64, 128))
    assert shortage(OSError(number, "no")) == said


class Short(MemoryListener):
    """Has no descriptor to accept with, unless the reserve has freed one."""

    def __init__(self) -> None:
        super().__init__()
        self.free = 10**6

    async def accept(self) -> MemoryWire:
        wire = await super().accept()
        while self.free <= 0:
            self._again(wire)
            raise OSError(errno.EMFILE, "no more")
        self.free -= 1
        return wire

    def _again(self, wire: MemoryWire) -> None:
        self._inlet.send_nowait(wire)


def test_a_reserve_needs_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is filled where there is no /dev, as in a root directory with the binary alone."""
    monkeypatch.setattr(os, "open", Mock(side_effect=FileNotFoundError))
    reserve = Reserve(2)
    reserve.refill()
    assert not reserve.spent_last
    assert [reserve.spend() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(("reserve", "served"), [(1, 0), (3, 2)])
async def test_with_no_descriptor_left_a_few_are_served_and_the_rest_told(
    autojump_clock: MockClock, network: Network, monkeypatch: pytest.MonkeyPatch, reserve: int, served: int
) -> None:
    """One of the reserve lets another in; the last is for turning away; then it is kept back again."""
    short = Short()

    class Fake(Reserve):
        def spend(self) -> bool:
            spent = super().spend()
            short.free += spent
            return spent

        def refill(self) -> None:
            while len(self._kept) < self._size and short.free > 0:
                self._kept.append(os.open(os.devnull, os.O_RDONLY))
                short.free -= 1

    monkeypatch.setattr("aibridge_trio.server.server.Reserve", Fake)
    said: list[str] = []
    site = Site(network, ok, connections=ConnectionLimit("callers", said.append), reserve=reserve)
    network.listeners["s"] = short
    site.server._listeners = [short]
    await network.nursery.start(site.server.run)
    short.free = 0
    for wire_closed in [False] * served + [True] * 3:
        caller = await site.call(GET)
        if wire_closed:
            short.free += 1  # the one that was turned away is closed
        await trio.sleep(1)
        assert caller.heard().startswith(b"HTTP/1.1 503 " if wire_closed else OK)
        assert caller.closed is wire_closed
    assert site.server.statistics().causes["descriptors"] == 3
    assert site.reports == []
    assert any(line.startswith("out of file descriptors") for line in said)


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_reserve_gives_everything_back() -> None:
    """Descriptors of this process."""
    before = descriptors()
    reserve = Reserve(5)
    assert not reserve.spend()
    reserve.refill()
    assert descriptors() == before + 5
    assert [reserve.spend() for _ in range(6)] == [True] * 5 + [False]
    assert reserve.spent_last
    reserve.refill()
    reserve.close()
    reserve.refill()
    assert descriptors() == before
    assert not reserve.spent_last
