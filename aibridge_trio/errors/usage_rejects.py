"""The rejects of limits on tokens, and of budgets."""

from __future__ import annotations

from typing import Literal

from aibridge_trio.errors.base import Reject

# The kinds of limits.
Whose = Literal["caller", "class", "provider", "budget"]
_LEFT = "{amount} tokens in {span}, and too few are left for this request."
_TEXTS: dict[Whose, str] = {
    "caller": f"You may use {_LEFT}",
    "class": f"All callers of your class may use {_LEFT}",
    "provider": f"AI Bridge may use {_LEFT.replace(',', ' at {provider},')}",
    "budget": "What is left of your token budget is reserved by your running requests.",
}


class TokenLimited(Reject):
    """A limit on tokens is used up; `whose` says which one.

    `wait` is the number of seconds until this request's turn. It gets no jitter: turns differ already. The limit
    is `amount` tokens in any `span` seconds.
    """

    reason, status = "token_limit", 429
    spread = 0.0

    def __init__(
        self, whose: Whose, wait: float, *, amount: int = 0, span: float = 60.0, provider: str = ""
    ) -> None:
        text = _TEXTS[whose].format(amount=amount, span=_shown(span), provider=provider)
        super().__init__(f"{text} Please try again later.", wait=wait)
        self.whose = whose


class BudgetExhausted(Reject):
    """The caller has spent its token budget; it has another one from the date `until` on, UTC."""

    reason, status = "budget_exhausted", 403

    def __init__(self, tokens: int, per: str, until: str) -> None:
        text = f"You have spent your budget of {tokens} tokens for this {per}."
        super().__init__(f"{text} The next one begins on {until} at 00:00 UTC.")


def _shown(span: float) -> str:
    return {1.0: "a second", 60.0: "a minute", 3600.0: "an hour"}.get(span, f"{span:g} s")
