"""The options of a mock provider."""

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
    """The default: loopback only. Port 0 takes any free port."""

    host: str = "127.0.0.1"
    port: int = 4010


@dataclass(frozen=True, slots=True, kw_only=True)
class MockOptions:
    """How the mock responds, unless a script says otherwise.

    `fail` pairs a status with its probability; `latency` is seconds before the head; `tokens_per_second`
    paces a response, 0 is as fast as possible; `tokens` is words per response; `seed` makes the failures
    repeatable.
    """

    bind: Bind = field(default_factory=Loopback)
    fail: tuple[tuple[int, float], ...] = ()
    latency: float = 0.0
    tokens_per_second: float = 0.0
    tokens: int = 16
    seed: int | None = None
