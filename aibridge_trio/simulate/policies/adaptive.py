"""The bridge with `--adaptive` and no number set: the program's own adaptive limiter, one for each provider."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from random import Random

from aibridge_trio.core.adaptive.entry import Entry, Pushback, Stage
from aibridge_trio.core.adaptive.limiter import LONGEST_HOLD, AdaptiveLimiter
from aibridge_trio.core.breaker import retry_after
from aibridge_trio.core.breaker.provider_error import OVERLOAD_STATUSES, TOO_MANY_REQUESTS
from aibridge_trio.errors import HoldTimeout, LineFull, Phase, Reject
from aibridge_trio.providers.quota_headers import QUOTAS
from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.scenario.settings import Values
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Clock


class Adaptive(Policy):
    """Holds what would be pushed back; `seed` determines its random choices.

    `own_keys` tells of each provider whether callers' own keys go up.
    """

    def __init__(
        self, values: Values, clock: Clock, measure: Measure, *, own_keys: Mapping[str, bool], seed: int | str
    ) -> None:
        super().__init__(clock, measure, values["first_byte_timeout"])
        self._providers = {
            name: _Provider(
                name,
                AdaptiveLimiter(self._wake, _chance(f"{seed}/{name}"), clock.now, line_size=values["line_size"]),
                clock,
                own_key=own,
            )
            for name, own in own_keys.items()
        }
        self._held: dict[Entry, Call] = {}

    @property
    def state(self) -> str:
        """`open` during an outage of any provider."""
        return "open" if any(each.limiter.governor.outage for each in self._providers.values()) else "closed"

    @property
    def waiting(self) -> int:
        """The number of held calls."""
        return len(self._held)

    @property
    def held(self) -> int:
        """The number of calls at the providers."""
        return sum(each.limiter.governor.level for each in self._providers.values())

    def call(self, call: Call) -> None:
        """Take a caller's call: send it, hold it, or reject it if the line is full."""
        now, provider = self._clock.now, self._provider(call)
        if not provider.limiter.accepts(call.request.caller):
            call.released = True
            self._say(call, provider, LineFull(provider.name, provider.limiter.wait(now)))
            return
        entry = call.entry = provider.entry(call, now)
        self._held[entry] = call
        if provider.limiter.enter(entry, now):
            self._wake(entry)
        else:
            self._clock.at(entry.deadline, self._hold_is_over, call)
        provider.schedule()

    def cancel(self, call: Call) -> None:
        """Cancel the call of a caller that has left, held or sent."""
        self._leave(call, gone=True)
        super().cancel(call)

    def head(self, call: Call, headers: Headers) -> None:
        """Learn what is left of a quota."""
        self._provider(call).limiter.told(
            _entry(call), retry_after.quotas_left(list(headers), QUOTAS["openai"], 0.0), self._clock.now
        )

    def first_token(self, call: Call) -> None:
        """Pass the first token on."""
        super().first_token(call)
        provider = self._provider(call)
        self._turn(provider)
        provider.limiter.accepted(_entry(call), self._clock.now)
        provider.schedule()

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
        """Hold a call that was pushed back, or pass the error on."""
        hint = retry_after.from_headers(list(headers), None, 0.0)
        pushback = Pushback(str(status), status == TOO_MANY_REQUESTS, hint)
        if exhausted or status not in OVERLOAD_STATUSES or not self._hold_again(call, pushback):
            super().answered(call, status, headers, exhausted=exhausted)

    def broke(self, call: Call, phase: Phase) -> None:
        """Hold a call whose connection was refused, or break its answer as well."""
        if phase != "connect" or not self._hold_again(call, Pushback("refused connection")):
            super().broke(call, phase)

    def overloaded(self, call: Call) -> None:
        """Hold a call whose answer said overloaded in place of its first token, or pass that on."""
        if call.begun or not self._hold_again(call, Pushback("overloaded")):
            super().overloaded(call)

    def _provider(self, call: Call) -> _Provider:
        return self._providers[call.request.group.provider]

    def _wake(self, entry: Entry) -> None:
        call = self._held.pop(entry)
        self._send(call)

    def _hold_again(self, call: Call, pushback: Pushback) -> bool:
        now, entry, provider = self._clock.now, _entry(call), self._provider(call)
        self._held[entry] = call  # its turn may come at once
        call.sent = False
        held = provider.limiter.pushed_back(entry, pushback, now)
        if held:
            self._measure.came_back(good=False, now=now)
        else:
            del self._held[entry]
        provider.schedule()
        return held

    def _hold_is_over(self, call: Call) -> None:
        entry = _entry(call)
        if entry.stage is not Stage.HELD:
            return
        now, provider = self._clock.now, self._provider(call)
        self._leave(call)
        self._release(call)
        self._say(call, provider, HoldTimeout(provider.name, now - entry.came, provider.limiter.wait(now)))

    def _say(self, call: Call, provider: _Provider, reject: Reject) -> None:
        now = self._clock.now
        self._measure.refused(reject.headers(0.0), now, provider.next_turn(now))
        self._reject(call, reject)

    def _turn(self, provider: _Provider) -> None:
        self._measure.opened(provider.turn_had(), self._clock.now)

    def _leave(self, call: Call, *, gone: bool = False) -> None:
        entry, provider = _entry(call), self._provider(call)
        self._held.pop(entry, None)
        if entry.stage is Stage.HELD:
            self._turn(provider)
        provider.limiter.leave(entry, self._clock.now, gone=gone)
        provider.schedule()

    def _release(self, call: Call) -> None:
        if call.released:
            return
        super()._release(call)
        # After the event that ends the call: its caller learns of it first.
        self._clock.at(self._clock.now, self._leave, call)


class _Provider:
    """One provider's limiter with its timer, and a count of turns.

    A request has its turn when its answer begins, or when it leaves the line without one. The turn of a rejected
    request comes after those of the requests that are held, and of those that were rejected before it.
    """

    def __init__(self, name: str, limiter: AdaptiveLimiter, clock: Clock, *, own_key: bool) -> None:
        self.name = name
        self.limiter = limiter
        self._turns = 0
        self._last_turn = 0
        self._clock = clock
        self._own_key = own_key
        self._due = math.inf

    def entry(self, call: Call, now: float) -> Entry:
        """Return a new entry for a call."""
        caller = call.request.caller
        key = caller if self._own_key else None
        return Entry(caller, key, now, now + LONGEST_HOLD, size=call.request.prompt)

    def next_turn(self, now: float) -> Hashable:
        """Return the turn of a request that is rejected now."""
        self._last_turn = max(self._last_turn, self._turns + self.limiter.statistics(now).held) + 1
        return self.name, self._last_turn

    def turn_had(self) -> Hashable:
        """Count a turn, and return it."""
        self._turns += 1
        return self.name, self._turns

    def schedule(self) -> None:
        """Schedule what time gives to held calls."""
        due = self.limiter.next_due(self._clock.now)
        if due < self._due:
            self._due = due
            self._clock.at(due, self._advance)

    def _advance(self, _: None) -> None:
        if self._clock.now < self._due:
            return  # scheduled for a time that is not due any more
        self._due = math.inf
        self.limiter.advance(self._clock.now)
        self.schedule()


def _chance(seed: str) -> Callable[[], float]:
    return Random(f"{seed}/adaptive").random  # noqa: S311 - no secret


def _entry(call: Call) -> Entry:
    assert call.entry
    return call.entry
