"""Each caller's limit on tokens in any minute: the program's windows; estimates are what a call will take."""

from __future__ import annotations

from aibridge_trio.core.limits.usage_window import Charge
from aibridge_trio.core.limits.usage_windows import UsageWindows
from aibridge_trio.core.terms import Rate
from aibridge_trio.errors import TokenLimited
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.world.call import Call

SPAN = 60.0


class TokenLimit:
    """Charges calls; `amount` 0 is no limit. Times are in seconds."""

    def __init__(self, amount: int, measure: Measure) -> None:
        self.apply(amount)
        self._windows = UsageWindows()
        self._measure = measure
        self._charges: dict[Call, tuple[Charge, float]] = {}

    def apply(self, amount: int) -> None:
        """Replace the limit; what is counted stays."""
        self._rate = Rate(amount, SPAN) if amount else None

    def charge(self, call: Call, now: float) -> TokenLimited | None:
        """Charge a call with all its tokens, or refuse it."""
        if not self._rate:
            return None
        window, tokens = self._windows.of(call.request.caller, self._rate, now), tokens_of(call)
        if not window.allows(tokens, now):
            return TokenLimited("caller", window.refuse(tokens, now), amount=self._rate.amount, span=SPAN)
        self._charges[call] = window.charge(tokens), now
        return None

    def settle(self, call: Call, now: float) -> None:
        """Count an answer that has begun for a minute from its end; any other one costs nothing."""
        if call not in self._charges:
            return
        charge, since = self._charges.pop(call)
        tokens = tokens_of(call)
        if call.begun:
            charge.settle(tokens, now)
        else:
            charge.refund(now)
        if not call.sent:
            return
        since = since if call.counted_at is None else call.counted_at
        self._measure.spending(call.request.caller, tokens, since, now + SPAN if call.begun else now)

    def __repr__(self) -> str:
        return f"<TokenLimit {self._windows!r}>"


def tokens_of(call: Call) -> int:
    """Return what a call takes of a limit on tokens."""
    return call.request.prompt + call.request.tokens
