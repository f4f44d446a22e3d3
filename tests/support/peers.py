"""One end of a connection that can be closed or reset at any byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal, NamedTuple

import trio

from tests.support.pipes import End

Way = Literal["says", "hears"]
BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError)


class Gone(Exception):
    """This end was closed, as its fault wanted it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens behind the `after`-th byte of one way: an end, a reset, no more words, silence for a time."""

    what: Literal["close", "reset", "mute", "stall"]
    way: Way
    after: int
    seconds: float

    @classmethod
    def drawn(cls, draw: Random, most: int) -> Fault:
        """Return some fault within so many bytes, early ones as likely as late ones."""
        return cls(
            what=draw.choice(("close", "reset", "mute", "stall", "stall")),
            way=draw.choice(("says", "hears")),
            after=int(most ** draw.random()) - 1,
            seconds=draw.choice((0.01, 1.0, 10.0, 40.0, 70.0, 200.0)) * (0.5 + draw.random()),
        )


class Peer:
    """Sends and receives through one end, in pieces of any size, until its fault strikes."""

    def __init__(
        self, end: End, draw: Random, fault: Fault | None, *, tell: Callable[[], None] = lambda: None
    ) -> None:
        self.end = end
        self.struck = False
        self._tell = tell
        self._draw = draw
        self._fault = fault
        self._gone_by: Counter[Way] = Counter()
        self._mute = False

    async def say(self, data: bytes, *, and_at_once: bytes = b"") -> None:
        """Send this; Gone or trio.BrokenResourceError if that ends it. Add the rest if it goes without waiting."""
        if and_at_once and self._fault is None and self.end.room >= len(data + and_at_once):
            self.end.push(data + and_at_once)
            return
        size = max(1, len(data) // 16, int(4096 ** self._draw.random()))
        if self._draw.random() < 0.5:
            size = len(data)
        while data and not self._mute:
            part, data = data[:size], data[size:]
            if (left := self._left("says")) < len(part):
                await self._send(part[:left])
                await self._strike()
                part = part[left:]
            if not self._mute:
                await self._send(part)

    async def hear(self) -> bytes:
        """Return what comes next, nothing at its end; Gone or trio.BrokenResourceError if that ends it."""
        if (left := self._left("hears")) <= 0:
            await self._strike()
        data = bytes(await self.end.receive_some(max(1, int(min(left, 65536)))))
        self._gone_by["hears"] += len(data)
        return data

    async def _send(self, part: bytes) -> None:
        self._gone_by["says"] += len(part)
        if self._draw.random() < 0.1:
            await trio.sleep(self._draw.random() / 10)
        await self.end.send_all(part)

    def _left(self, way: Way) -> int:
        """Return how many bytes may go by before the fault strikes."""
        if self._fault is None or self.struck or self._fault.way != way:
            return 1 << 30
        return self._fault.after - self._gone_by[way]

    async def _strike(self) -> None:
        assert self._fault
        self.struck = True
        self._tell()
        match self._fault.what:
            case "stall":
                await trio.sleep(self._fault.seconds)
            case "mute":
                self._mute = True
                self.end.finish()
            case "close":
                self.end.close()
                raise Gone
            case "reset":
                self.end.reset()
                raise Gone


class Told(NamedTuple):
    """A provider's answer, all of it; `open_ended` if nothing but the end of the connection ends it."""

    status: int
    body: bytes
    open_ended: bool


class Asked(NamedTuple):
    """A caller's request: its body, its target, and some headers that must arrive, all that have their names."""

    body: bytes
    target: bytes = b""
    headers: list[tuple[bytes, bytes]] | None = None


@dataclass
class Ledger:
    """What was asked and what was said, by request id; who was disturbed, and what came of it all.

    `shown` has the x-request-id that has gone up with each, `given` those that the bridge made.
    """

    asked: dict[bytes, Asked] = field(default_factory=dict)
    shown: dict[bytes, bytes] = field(default_factory=dict)
    given: set[bytes] = field(default_factory=set)
    arrived: Counter[bytes] = field(default_factory=Counter)
    whole: set[bytes] = field(default_factory=set)  # arrived to its end
    told: dict[bytes, Told] = field(default_factory=dict)
    disturbed: set[bytes | None] = field(default_factory=set)
    # Providers' faults before it was known whose request they hit, and answers that only these explain.
    blind_faults: int = 0
    unexplained: int = 0
    ending: bool = False  # the bridge has got a stop signal
    outcomes: Counter[str] = field(default_factory=Counter)
