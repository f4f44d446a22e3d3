"""What replicas share of their governors at one provider.

* In an outage one of them at a time sends canaries: the one that has the claim. It renews the claim while requests
  wait for it, and gives it up when none do.
* The end of an outage, and until when a quota is spent, is known to all; of callers' own keys, too.
* What headers tell of a quota that is nearly spent is known to all, if it is less than they believe.

What each has learned of how many requests fit is its own: each finds its part of what the provider takes. While
the store is away each governor sends canaries of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from secrets import token_hex
from typing import Any, Protocol

import trio

from aibridge_trio.core.adaptive.limiter import NEARLY_SPENT
from aibridge_trio.core.adaptive.own_keys import OwnKeys
from aibridge_trio.core.adaptive.quotas import Quotas
from aibridge_trio.core.adaptive.replica_governor import ReplicaGovernor
from aibridge_trio.gateway import own_key_notes, quota_notes
from aibridge_trio.gateway.own_key_notes import OwnKeyNotes
from aibridge_trio.gateway.shared_notes import Notes, Noticeboard, seconds
from aibridge_trio.sharing.store import Store

TOPIC = "governor"
# A claim lasts so many seconds, and is renewed, or asked for, so often.
_CLAIM, _RENEWED = 2.0, 0.25
# How long notes are kept for replicas that come later, the end of an outage (seconds); the longest spent quota.
_KEPT, _LONGEST = 10.0, 330.0
# A quota's end that comes so much later is news (seconds).
_LATER = 0.1
# So many of callers' own keys each replica tells the others, the latest.
_MOST_TOLD = 30


class _Line(Protocol):
    """The line of a provider, as far as it is needed here."""

    waiting: int
    clock: Callable[[], float]

    def governor_changed(self) -> None:
        """Let requests go that may go now."""


class SharedGovernor:
    """One governor, and those of the other replicas. `run` must run."""

    def __init__(
        self, board: Noticeboard, provider: str, governor: ReplicaGovernor, own_keys: OwnKeys, line: _Line
    ) -> None:
        self._store: Store = board.store
        self._name = f"canary:{provider}"
        self._governor = governor
        self._line = line
        self._left_until = -math.inf
        self._sender = token_hex(6)
        self._own_keys = own_keys
        self.notes: Notes = board.join(provider, self._take, own_key_notes.INTERVAL)
        self._own = OwnKeyNotes(self.notes, line.clock, self._take_own_key, _MOST_TOLD)
        governor.on_outage_over = self._outage_over
        governor.on_quota_spent = self._quota_spent
        governor.on_quota_told = self._quota_told
        own_keys.on_told = self._own_key_told
        own_keys.on_refused = self._own_key_learned

    async def run(self) -> None:
        """Send notes, and claim canaries while there is an outage, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.notes.run)
            while True:
                await self._claim()
                await trio.sleep(_RENEWED)

    async def _claim(self) -> None:
        governor = self._governor
        governor.shares_canaries = self._store.condition in {"shared", "settling"}
        if governor.outage and governor.shares_canaries and self._line.waiting:
            has = await self._store.call(["claim", self._name, _CLAIM]) == 1
        else:
            if governor.has_claim:
                await self._store.call(["claim", self._name, 0])
            has = False
        governor.has_claim = has
        if governor.outage:
            self._line.governor_changed()

    def _outage_over(self) -> None:
        self.notes.leave("", lambda: ({"outage": False}, _KEPT))

    def _quota_spent(self, until: float, size: float) -> None:
        """Tell until when a quota is spent, for requests of this size and larger ones."""
        if until < self._left_until + _LATER:
            return
        self._left_until = until

        def write() -> tuple[dict[str, Any], float] | None:
            left = until - self._line.clock()
            return ({"spent": left, "size": size if size < math.inf else 0.0}, left) if left > 0 else None

        self.notes.leave("quota", write, again=True)

    def _quota_told(self, now: float) -> None:
        """Tell what headers say of a quota that is nearly spent, if it is news."""
        quotas = self._governor.quotas

        def write() -> tuple[dict[str, Any], float] | None:
            told = quota_notes.written(quotas, self._line.clock())
            return ({"told": told, "by": self._sender}, quota_notes.KEPT) if told else None

        if quotas.is_news(NEARLY_SPENT, now):
            self.notes.leave("told", write, again=True)

    def _own_key_told(self, key: Hashable, quotas: Quotas, now: float) -> None:
        if quotas.is_news(NEARLY_SPENT, now):
            self._own_key_learned(key, quotas, now)

    def _own_key_learned(self, key: Hashable, quotas: Quotas, now: float) -> None:
        """Tell until when a key's quota is spent, for requests of which size, and what headers say of it."""

        def write(now: float) -> list[Any]:
            until, size = quotas.held_back
            spent = [round(until - now, 3), size if size < math.inf else 0.0] if until > now else [0.0, 0.0]
            return [*spent, quota_notes.written(quotas, now)]

        if isinstance(key, bytes):
            until, _ = quotas.held_back
            self._own.tell(key, max(until, now + quota_notes.KEPT if quotas.words(now) else until), write)

    def _take_own_key(self, key: bytes, told: Any, age: float) -> None:
        """Take what another replica has learned of a caller's own key; raises ValueError if that is nothing."""
        now = self._line.clock()
        if not isinstance(told, list) or len(told) != 3:  # noqa: PLR2004 - as written
            raise ValueError("nothing of a key")
        found = {"spent": told[0], "size": told[1]}
        until = now + seconds(found, "spent", _LONGEST) - age
        size = seconds(found, "size", math.inf)
        quotas = self._own_keys.find(key) or Quotas()
        recent = quota_notes.take(told[2], quotas, now, age)
        if until > now:
            quotas.hold_back(until, size, now)
        if recent or until > now:
            self._own_keys.remember(key, quotas)

    def _take(self, key: str, note: dict[str, Any], age: float) -> None:
        now = self._line.clock()
        if self._own.take(key, note, age):
            pass
        elif "told" in note:
            if note.get("by") != self._sender and quota_notes.take(note["told"], self._governor.quotas, now, age):
                self._governor.quota_told_elsewhere(now)
        elif note.get("outage") is False:
            self._governor.outage_over_elsewhere(now - age, now)
        elif "spent" in note:
            until = now + seconds(note, "spent", _LONGEST) - age
            if until > now and until > self._left_until + _LATER:
                self._left_until = until
                self._governor.quota_spent_elsewhere(until, seconds(note, "size", math.inf), now)
        self._line.governor_changed()

    def __repr__(self) -> str:
        return f"<SharedGovernor {self._name}>"
