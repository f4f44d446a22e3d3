"""The retry behavior of SDKs and agents, as data.

From their code (openai-python 3.54, anthropic-python 2.12, openai-node) or observed (Codex 0.171, Claude Code 2.1;
docs/clients.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

Headers = Sequence[tuple[bytes, bytes]]
# The status of a failed or broken connection.
BROKEN = 0
# More retries than any caller has patience for.
_WITHOUT_END = 1_000_000
# Every back-off has reached its longest long before, and larger powers overflow.
_LARGEST_EXPONENT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """When a client retries, and after how long.

    It retries `statuses`, and those from 500 on if `server_errors`. It obeys a Retry-After of up to `longest_told`
    seconds, in milliseconds only if `milliseconds`; above that `beyond` decides; `at_least` means that a shorter
    one than its own wait does not count. Without one it waits `first`·`factor`ⁿ seconds, at most `longest`,
    changed randomly by a share between −`shorter` and +`longer`. `streams` is how often it starts over after a
    broken stream, and after `restarted` statuses that it does not retry or no longer retries. `believes` means
    that it obeys x-should-retry.
    """

    name: str
    retries: int
    statuses: tuple[int, ...] = ()
    server_errors: bool = False
    transport: bool = False
    streams: int = 0
    restarted: tuple[int, ...] = ()
    longest_told: float = 0.0
    beyond: Literal["backoff", "stop"] = "backoff"
    milliseconds: bool = True
    at_least: bool = False
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
        seconds = retry_after(headers, milliseconds=self.milliseconds)
        if seconds is not None and seconds > self.longest_told and self.beyond == "stop":
            return None
        word = _value(headers, b"x-should-retry") if self.believes else None
        if word == b"false" or (word != b"true" and not self._retries(status)):
            return None
        return self._wait(seconds, retries, chance)

    def restart_delay(self, status: int, headers: Headers, restarts: int, chance: float) -> float | None:
        """Return seconds until it starts over after an error, None if it gives up, after so many `restarts`."""
        if restarts >= self.streams or status not in self.restarted:
            return None
        return self._wait(retry_after(headers, milliseconds=self.milliseconds), restarts, chance)

    def backoff(self, retries: int, chance: float) -> float:
        """Return its own wait, without a Retry-After (seconds)."""
        seconds = min(self.first * self.factor ** min(retries, _LARGEST_EXPONENT), self.longest)
        return seconds * (1 - self.shorter + (self.shorter + self.longer) * chance)

    def _wait(self, told: float | None, retries: int, chance: float) -> float:
        own = self.backoff(retries, chance)
        if told is None or not 0 < told <= self.longest_told:
            return own
        return max(told, own) if self.at_least else told

    def _retries(self, status: int) -> bool:
        return status in self.statuses or (self.server_errors and status >= 500)  # noqa: PLR2004 - HTTP's


def retry_after(headers: Headers, *, milliseconds: bool = True) -> float | None:
    """Return the seconds of retry-after-ms, if the client reads it, else of Retry-After: the order of the SDKs."""
    if milliseconds and (value := _value(headers, b"retry-after-ms")):
        return float(value) / 1000
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
        # Observed: 5 retries of a 429 and 29 of a 503, as told in whole seconds: on 5xx a request is sent five
        # times, and its stream starts over five times; on 429 it starts over at once.
        Client(
            name="codex",
            retries=4,
            server_errors=True,
            transport=True,
            streams=5,
            restarted=(BROKEN, 429, 500, 502, 503, 504, 529),
            longest_told=inf,
            milliseconds=False,
            first=0.2,
            longest=inf,
            shorter=0.1,
            longer=0.1,
        ),
        # Observed: as told or longer, doubling up to 40 s; without a Retry-After it goes on for three minutes.
        Client(
            name="claude-code",
            retries=10,
            statuses=(429, 503, 529),
            transport=True,
            longest_told=inf,
            at_least=True,
            believes=True,
            longest=32.0,
            longer=0.25,
        ),
        Client(name="none", retries=0),
        # A loop around a request, as scripts have it: whatever failed, again half a second later.
        Client(
            name="relentless",
            retries=_WITHOUT_END,
            statuses=(400, 401, 403, 404, 408, 409, 429),
            server_errors=True,
            transport=True,
            streams=_WITHOUT_END,
            factor=1.0,
            shorter=0.2,
            longer=0.2,
        ),
    )
}
