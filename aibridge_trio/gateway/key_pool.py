"""A provider's keys in the running program: `core.key_pool` with a clock, secrets, events and the keys' files."""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import trio

from aibridge_trio.config.provider_tables import KeyChoice, KeyTable
from aibridge_trio.config.units import Secret
from aibridge_trio.core.adaptive.limiter import NEARLY_SPENT
from aibridge_trio.core.adaptive.quotas import Quotas
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.key_errors import KeyFault
from aibridge_trio.core.key_pool import Key, KeyPool, KeyState, KeyStats
from aibridge_trio.core.limits.usage_limits import UsageLimits
from aibridge_trio.core.quota import Left
from aibridge_trio.core.sharing.parts import part
from aibridge_trio.core.terms import Rate
from aibridge_trio.errors import KeysResting
from aibridge_trio.events import KeyChanged, Publish
from aibridge_trio.gateway.buffering import BufferMemory
from aibridge_trio.gateway.key_files import KeyFiles
from aibridge_trio.gateway.shared_keys import SharedKeys
from aibridge_trio.http.headers import Headers
from aibridge_trio.sharing.store import OwnStore, Store

# Returns the header that carries a key.
Credential = Callable[[str], tuple[bytes, bytes]]
# A key is known by its hash, with a secret of this process: nothing that is kept tells the key.
_HASH_KEY = os.urandom(32)
# One key's changes are published at most once in so many seconds, for each state.
_INTERVALS = {KeyState.READY: 10.0, KeyState.RESTING: 10.0, KeyState.OUT: 60.0}
_WHY = {
    KeyFault.RATE: "the provider says that it has made too many requests",
    KeyFault.SPENT: "its quota is spent",
    KeyFault.INVALID: "the provider does not accept it",
}


class Sent(NamedTuple):
    """What is sent of a key: the header that carries it, and the key as it stands in there."""

    header: tuple[bytes, bytes]
    secret: bytes

    def __repr__(self) -> str:
        return "<Sent ***>"


class ProviderKeys:
    """The keys of one provider. `run` must run for files to be reread and ends of rests to be published.

    `cooldown` has how long a key rests. `read_hint` and `read_quotas` read the retry hint and the quotas in the
    headers of an answer; `memory` is for the copies of bodies that may be sent again. With `shared`, replicas
    tell each other which keys rest or are out.
    """

    def __init__(
        self,
        provider: str,
        tables: Iterable[KeyTable],
        credential: Credential,
        *,
        choice: KeyChoice = "weighted",
        cooldown: BreakerPolicy,
        read_hint: Callable[[Headers], float | None],
        read_quotas: Callable[[Headers], list[Left]],
        memory: BufferMemory,
        clock: Callable[[], float],
        publish: Publish,
        warn: Callable[[str], None],
        store: Store | None = None,
        shared: SharedKeys | None = None,
    ) -> None:
        self._store: Store = store or OwnStore()
        self._replicas = self._store.replicas
        self._notes = shared.join(provider, self) if shared else None
        self.provider = provider
        self.clock = clock
        self.memory = memory
        self.read_hint = read_hint
        self._read_quotas = read_quotas
        self._credential = credential
        self._cooldown = cooldown
        self._publish = publish
        self._tables = tuple(tables)
        self._published: dict[tuple[str, KeyState], float] = {}
        self._rescheduled = trio.Event()
        self.faults: Counter[KeyFault] = Counter(dict.fromkeys(KeyFault, 0))
        self._limits: dict[bytes, UsageLimits] = {}
        self._sent = self._to_send()
        self.pool = KeyPool(self._keys(), choice)
        self._files = KeyFiles(_files(self._tables), self._reread, warn)

    @property
    def several(self) -> bool:
        """Whether there is more than one key: only then does a key rest, and another one take its place."""
        return len(self.pool) > 1

    def sent(self, key: Key) -> Sent:
        """Return what is sent of a key that was chosen at this moment."""
        return self._sent[key.id]

    def limits(self, key: Key) -> UsageLimits | None:
        """Return what may be sent with a key, None if that is not limited."""
        return self._limits.get(key.id)

    def check(self, scope: str | None) -> None:
        """Raise KeysResting if there is no key for a request now."""
        self._divide()
        if not self.pool.ready and (wait := self.pool.wait(self.clock(), scope)):
            raise KeysResting(self.provider, wait)

    def choose(self, scope: str | None, tokens: float, tried: list[Key]) -> Key:
        """Return a key for a request, in use from now on; raises KeysResting."""
        self._divide()
        now = self.clock()
        key = self.pool.choose(now, scope, tokens, tried)
        if key is None and tried:
            key = self.pool.choose(now, scope, tokens)
        if key is None:
            raise KeysResting(self.provider, self.pool.wait(now, scope, tokens))
        return key

    def has_other(self, scope: str | None, tokens: float, tried: list[Key]) -> bool:
        """Return whether there is a key that was not tried."""
        return self.pool.has_other(self.clock(), scope, tokens, tried)

    def told(self, key: Key, headers: Headers) -> None:
        """Learn what the headers of an answer tell of its key's quotas; remembered once one is nearly spent."""
        left = self._read_quotas(headers)
        if key.quotas is None and any(each.remaining < NEARLY_SPENT * each.limit for each in left):
            key.quotas = Quotas()
        if left and isinstance(key.quotas, Quotas):
            key.quotas.told(left, self.clock())
            if self._notes and key.quotas.is_news(NEARLY_SPENT, self.clock()):
                self._notes.told(key, key.quotas)

    def accepted(self, key: Key, sent_at: float) -> None:
        """Note that the provider has accepted a key."""
        if key.out_since is not None:
            for back in self.pool.accepted(key, sent_at):
                self.changed(back, KeyState.READY, "the provider accepts keys again")
                if self._notes:
                    self._notes.accepted(back)

    def refused(self, key: Key, fault: KeyFault, hint: float | None, scope: str | None, sent_at: float) -> None:
        """Note what an answer says of its key; `hint` is the provider's retry hint in seconds."""
        now = self.clock()
        self.faults[fault] += 1
        if key not in self.pool:  # its file has another one by now
            return
        if fault is KeyFault.INVALID:
            self.pool.failed(key, now)
            self.changed(key, KeyState.OUT, _WHY[fault])
            if self._notes:
                self._notes.failed(key)
            return
        self.accepted(key, sent_at)
        if not self.several:
            return
        longest = self.longest_rest
        usual = longest if fault is KeyFault.SPENT else self._cooldown.cooldown
        seconds = usual if hint is None else min(hint, longest)
        if self.pool.rested(key, now + seconds, scope, now):
            self.changed(key, KeyState.RESTING, _WHY[fault], seconds)
        if self._notes:
            self._notes.rested(key, scope)

    @property
    def longest_rest(self) -> float:
        """The longest rest (seconds)."""
        return max(self._cooldown.cooldown, self._cooldown.longest_cooldown)

    def apply(
        self,
        tables: Iterable[KeyTable],
        choice: KeyChoice = "weighted",
        *,
        credential: Credential | None = None,
        cooldown: BreakerPolicy | None = None,
    ) -> None:
        """Take these keys from now on; one that stays keeps its rests, and is tried again if it was out."""
        self._credential = credential or self._credential
        self._cooldown = cooldown or self._cooldown
        self._published.clear()
        self._replace(tables, "the configuration has changed", choice)
        for key in self.pool.forgive():
            self.changed(key, KeyState.READY, "the configuration was read again")
            if self._notes:
                self._notes.accepted(key)
        self._files.watch(_files(self._tables))

    def statistics(self) -> tuple[KeyStats, ...]:
        """Return the state of each key."""
        return self.pool.statistics(self.clock())

    async def run(self) -> None:
        """Publish ends of rests, and reread files, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._files.run)
            if self._notes:
                nursery.start_soon(self._notes.run)
            while True:
                self._rescheduled = trio.Event()
                with trio.CancelScope(deadline=self.pool.next_due()):
                    await self._rescheduled.wait()
                for key in self.pool.woken(self.clock()):
                    self.changed(key, KeyState.READY, "its rest is over")

    def __repr__(self) -> str:
        return f"<ProviderKeys {self.provider} {self.pool!r}>"

    def _reread(self, secrets: Mapping[Path, Secret], changed: Collection[Path]) -> None:
        """Take the keys that these files have now. One that was written again as it was is tried again."""
        again = {key_id(table.secret) for table in self._tables if table.file in changed}
        self._replace(
            [
                replace(each, secret=secrets.get(each.file, each.secret)) if each.file else each
                for each in self._tables
            ],
            "its file has changed",
        )
        for key in self.pool.forgive(lambda each: each.id in again):
            self.changed(key, KeyState.READY, "its file was written again")
            if self._notes:
                self._notes.accepted(key)

    def _replace(self, tables: Iterable[KeyTable], because: str, choice: KeyChoice | None = None) -> None:
        self._tables = tuple(tables)
        self._sent = self._to_send()
        added, _ = self.pool.replace(self._keys(), choice)
        for key in added:
            self.changed(key, KeyState.READY, because)

    def _keys(self) -> list[Key]:
        """Return the keys as configured; what is counted of one that stays, stays."""
        limits: dict[bytes, UsageLimits] = {}
        for table in self._tables:
            if table.rate or table.token_rate:
                found = limits[key_id(table.secret)] = self._limits.get(key_id(table.secret)) or UsageLimits()
                found.apply(self._part(table.rate), self._part(table.token_rate))
        self._limits = limits
        if self._notes:
            self._notes.name({key_id(table.secret): table.secret for table in self._tables})
        ids = ((key_id(table.secret), table) for table in self._tables)
        return [Key(each, table.label, table.weight, limits.get(each)) for each, table in ids]

    def _divide(self) -> None:
        """Let each key have this replica's part of its limits: the store does not count them."""
        if self._store.replicas != self._replicas:
            self._replicas = self._store.replicas
            self._keys()

    def _part(self, rate: Rate | None) -> Rate | None:
        return rate and replace(rate, amount=part(rate.amount, self._replicas))

    def _to_send(self) -> dict[bytes, Sent]:
        secrets = [table.secret for table in self._tables]
        return {key_id(each): Sent(self._credential(each.reveal()), each.reveal().encode()) for each in secrets}

    def changed(self, key: Key, state: KeyState, because: str, seconds: float | None = None) -> None:
        """Publish that a key is in a new state, unless that was done of late; wait for the end of its rest."""
        self._rescheduled.set()
        now, last = self.clock(), self._published.get((key.label, state), -math.inf)
        if now - last >= _INTERVALS[state]:
            self._published[key.label, state] = now
            self._publish(KeyChanged(self.provider, key.label, state, because, seconds))


def key_id(secret: Secret) -> bytes:
    """Return what a key is known by."""
    return hashlib.blake2b(secret.reveal().encode(), key=_HASH_KEY, digest_size=16).digest()


def _files(tables: Iterable[KeyTable]) -> list[Path]:
    return [table.file for table in tables if table.file]
