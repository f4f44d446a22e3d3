"""The retry behavior of SDKs and agents, as data.

From their code (openai-python 3.54, anthropic-python 2.12, openai-node, Codex) or observed (Claude Code 2.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

Headers = Sequence[tuple[bytes, bytes]]
# The status of a failed or broken connection.
BROKEN = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """When a client retries, and after how long.

    It retries `statuses`, and those from 500 on if `server_errors`. It obeys a Retry-After of up to `longest_told`
    seconds; above that `beyond` decides. Without one it waits `first`·`factor`ⁿ seconds, at most `longest`,
    changed randomly by a share between −`shorter` and +`longer`. `streams` is how often it retries after a broken
    stream. `believes` means that it obeys x-should-retry.
    """

    name: str
    retries: int
    statuses: tuple[int, ...] = ()
    server_errors: bool = False
    transport: bool = False
    streams: int = 0
    longest_told: float = 0.0
    beyond: Literal["backoff", "stop"] = "backoff"
    believes: bool = False
    first: float = 0.5
    factor: float = 2.0
    longest: float = 8.0
    shorter: float = 0.0
    longer: float = 0.0

    def retry_delay(self, status: int, headers: Headers, retries: int, chance: float) -> float | None:
        """Return seconds until the next attempt, None if it gives up, after `retries` earlier ones."""
        if retries >= self.retries:
            return None
        if status == BROKEN:
            return self.backoff(retries, chance) if self.transport else None
        seconds = retry_after(headers)
        if seconds is not None and seconds > self.longest_told and self.beyond == "stop":
            return None
        word = _value(headers, b"x-should-retry") if self.believes else None
        if word == b"false" or (word != b"true" and not self._retries(status)):
            return None
        if seconds is not None and 0 < seconds <= self.longest_told:
            return seconds
        return self.backoff(retries, chance)

    def backoff(self, retries: int, chance: float) -> float:
        """Return its own wait, without a Retry-After (seconds)."""
        seconds = min(self.first * self.factor**retries, self.longest)
        return seconds * (1 - self.shorter + (self.shorter + self.longer) * chance)

    def _retries(self, status: int) -> bool:
        return status in self.statuses or (self.server_errors and status >= 500)  # noqa: PLR2004 - HTTP's


def retry_after(headers: Headers) -> float | None:
    """Return the seconds of retry-after-ms, else of Retry-After, in the order of the SDKs."""
    if milliseconds := _value(headers, b"retry-after-ms"):
        return float(milliseconds) / 1000
    seconds = _value(headers, b"retry-after")
    return float(seconds) if seconds else None


def _value(headers: Headers, name: bytes) -> bytes | None:
    return next((value for each, value in headers if each == name), None)


_SDK = {
    "retries": 2,
    "statuses": (408, 409, 429),
    "server_errors": True,
    "transport": True,
    "believes": True,
    "shorter": 0.25,
}

CLIENTS = {
    client.name: client
    for client in (
        Client(name="openai-python", longest_told=120.0, beyond="stop", **_SDK),  # type: ignore[arg-type]
        Client(name="openai-node", longest_told=60.0, **_SDK),  # type: ignore[arg-type]
        Client(name="anthropic-python", longest_told=inf, **_SDK),  # type: ignore[arg-type]
        Client(
            name="codex",
            retries=4,
            server_errors=True,
            transport=True,
            streams=5,
            first=0.2,
            longest=inf,
            shorter=0.1,
            longer=0.1,
        ),
        # Observed: 9 to 10 requests in 150 s, whatever Retry-After says.
        Client(
            name="claude-code",
            retries=9,
            statuses=(429, 503, 529),
            transport=True,
            longest=32.0,
            longer=0.25,
        ),
        Client(name="none", retries=0),
    )
}
