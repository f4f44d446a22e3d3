"""How much the mock takes: requests at once, and requests and tokens a minute for each credential.

A request is charged to its credential's quota first. Then it takes a slot, until its answer has ended or its
caller has left.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import trio

from aibridge_trio.core.quota import Quotas
from aibridge_trio.core.quota_headers import openai_headers
from aibridge_trio.mock.provider_errors import TOO_MANY
from aibridge_trio.mock.quota_headers import anthropic_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from aibridge_trio.http.headers import Headers
    from aibridge_trio.http.message import Request
    from aibridge_trio.mock.options import MockOptions
    from aibridge_trio.mock.request_log import Entry

_CREDENTIALS = (b"authorization", b"x-api-key", b"api-key")


class Pushback(NamedTuple):
    """Why a request is not taken: a quota ("requests", "tokens") or "slots"; its status.

    `limit` is the quota per minute or the number of slots; `wait` is seconds until the quota has enough, None for
    slots.
    """

    cause: str
    status: int
    limit: int
    wait: float | None = None


def credential_of(request: Request) -> bytes | None:
    """Return what a quota belongs to: the value of the first header that holds a credential, None without one."""
    return next(filter(None, map(request.header, _CREDENTIALS)), None)


class Capacity:
    """The slots, and the quotas of all credentials. `clock` is in seconds, `wall_clock` in Unix seconds."""

    def __init__(
        self, options: MockOptions, *, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._limiter = trio.CapacityLimiter(math.inf)
        self._options = options
        self._quotas: Quotas[bytes | None]
        self._fill_quotas()
        self._size_slots()
        self.pushed_back: Counter[str] = Counter()

    @property
    def serving(self) -> int:
        """How many requests have a slot."""
        return int(self._limiter.borrowed_tokens)

    @property
    def queued(self) -> int:
        """How many requests wait for a slot."""
        return self._limiter.statistics().tasks_waiting

    def change(self, options: MockOptions) -> None:
        """Put other limits in force. Requests keep their slots; a quota that is changed is full again."""
        before, self._options = self._options, options
        self._size_slots()
        if _quota_of(before) != _quota_of(options):
            self._fill_quotas()

    async def admit(
        self, credential: bytes | None, entry: Entry, tokens: int, *, anthropic: bool
    ) -> Pushback | None:
        """Charge a request and give it a slot, which it gives back when its entry settles; or say why not."""
        options = self._options
        lacking = self._quotas.take(credential, tokens, self._clock())
        if wait := lacking.wait:
            cause = "requests" if lacking.requests == wait else "tokens"
            limit = options.requests_per_minute if cause == "requests" else options.tokens_per_minute
            return self._counted(Pushback(cause, TOO_MANY, limit, wait))
        when_full = options.when_full or ("529" if anthropic else "503")
        if when_full == "queue":
            await self._limiter.acquire_on_behalf_of(entry)
        else:
            try:
                self._limiter.acquire_on_behalf_of_nowait(entry)
            except trio.WouldBlock:
                return self._counted(Pushback("slots", int(when_full), options.slots))
        entry.at_end(lambda: self._limiter.release_on_behalf_of(entry))
        return None

    def headers(self, credential: bytes | None, *, anthropic: bool) -> Headers:
        """Return the headers that tell what is left of a quota."""
        now = self._clock()
        quota = self._quotas.of(credential, now)
        return anthropic_headers(quota, now, self._wall_clock()) if anthropic else openai_headers(quota, now)

    def _counted(self, pushback: Pushback) -> Pushback:
        self.pushed_back[pushback.cause] += 1
        return pushback

    def _fill_quotas(self) -> None:
        self._quotas = Quotas(*_quota_of(self._options))

    def _size_slots(self) -> None:
        self._limiter.total_tokens = self._options.slots or math.inf


def _quota_of(options: MockOptions) -> tuple[int, int, float]:
    return options.requests_per_minute, options.tokens_per_minute, options.quota_burst
