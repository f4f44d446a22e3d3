"""The options of a mock provider, and how they are changed while it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from aibridge_trio.mock.json_fields import check, count, number, parsed, positive

if TYPE_CHECKING:
    from aibridge_trio.mock.json_fields import Fields

# What a request gets that finds no slot free: an error of this status, or its turn.
WHEN_FULL = ("429", "503", "529", "queue")


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

    `slots` is how many requests are answered at once; `when_full` is one of WHEN_FULL, or None for what the
    dialect's provider does. Quotas are per credential; what is refilled in `quota_burst` seconds can be used at
    once. 0 is unlimited.
    """

    bind: Bind = field(default_factory=Loopback)
    fail: tuple[tuple[int, float], ...] = ()
    latency: float = 0.0
    tokens_per_second: float = 0.0
    tokens: int = 16
    seed: int | None = None
    slots: int = 0
    when_full: str | None = None
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    quota_burst: float = 10.0


def changed(options: MockOptions, document: bytes) -> MockOptions:
    """Return the options with those of a JSON document in place of the former. Raises ControlError."""
    changes = parsed(document)
    check("", changes, _FIELDS)
    if "fail" in changes:
        changes["fail"] = tuple((int(status), probability) for status, probability in changes["fail"].items())
    return replace(options, **changes)


def _failures(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(status.isascii() and status.isdigit() and 400 <= int(status) < 600 for status in value)  # noqa: PLR2004 - the errors
        and all(map(number, value.values()))
        and math.fsum(value.values()) <= 1
    )


def _when_full(value: Any) -> bool:
    return value is None or value in WHEN_FULL


_FIELDS: Fields = {
    "fail": (_failures, "an object of statuses and their probabilities"),
    "latency": (number, "a number of seconds"),
    "tokens_per_second": (number, "a number"),
    "tokens": (count(0), "a count"),
    "slots": (count(0), "a count"),
    "when_full": (_when_full, f"one of {', '.join(WHEN_FULL)}, or null"),
    "requests_per_minute": (count(0), "a count"),
    "tokens_per_minute": (count(0), "a count"),
    "quota_burst": (positive, "a number of seconds above 0"),
}
