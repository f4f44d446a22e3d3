"""How a mock provider is told to behave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class Bind(Protocol):
    """Where to listen: anything with a host and a port."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...


class Loopback(NamedTuple):
    """The default: this machine only. Port 0 takes any free one."""

    host: str = "127.0.0.1"
    port: int = 4010


@dataclass(frozen=True, slots=True, kw_only=True)
class MockOptions:
    """What every answer is like, unless a script says otherwise.

    `fail` pairs a status with its probability; `latency` is seconds before the head; `tokens_per_second`
    paces an answer, 0 is as fast as possible; `tokens` is words per answer; `seed` makes the failures
    repeatable.
    """

    bind: Bind = field(default_factory=Loopback)
    fail: tuple[tuple[int, float], ...] = ()
    latency: float = 0.0
    tokens_per_second: float = 0.0
    tokens: int = 16
    seed: int | None = None
