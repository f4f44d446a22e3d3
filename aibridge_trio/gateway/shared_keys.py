"""What replicas tell each other of a provider's keys: which one rests, is out, is accepted again, or nearly spent.

In the store a key is named by a hash with a secret of the deployment, never by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from secrets import token_hex
from typing import Any, Protocol

from aibridge_trio.config.units import Secret
from aibridge_trio.core.adaptive.quotas import Quotas
from aibridge_trio.core.key_pool import Key, KeyPool, KeyState
from aibridge_trio.gateway import quota_notes
from aibridge_trio.gateway.shared_notes import Noticeboard, seconds
from aibridge_trio.sharing.store import Store

TOPIC = "key"
# How long it is kept for replicas that come later that a key is out, or is back (seconds).
_KEPT_OUT, _KEPT_READY = 3_600.0, 60.0
# Rests of one key, and the longest name of a scope: a store may say anything.
_MOST_RESTS, _LONGEST_SCOPE = 256, 200
_BECAUSE = "another replica has seen it"


class _Keys(Protocol):
    """The keys of a provider in this replica."""

    pool: KeyPool
    clock: Callable[[], float]

    @property
    def several(self) -> bool:
        """Whether there is more than one key: only then does a key rest."""

    @property
    def longest_rest(self) -> float:
        """The longest rest (seconds)."""

    def changed(self, key: Key, state: KeyState, because: str, seconds: float | None = None) -> None:
        """Publish that a key is in a new state."""


class SharedKeys:
    """The keys of all providers; `secret` is the same in all replicas."""

    def __init__(self, store: Store, secret: bytes) -> None:
        self.board = Noticeboard(store, TOPIC)
        self._secret = secret

    def join(self, provider: str, keys: _Keys) -> KeyNotes:
        """Return where changes of a provider's keys are sent; `keys` gets those of all replicas."""
        return KeyNotes(self, provider, keys)

    def name(self, secret: Secret) -> str:
        """Return what a key is called in the store."""
        content = secret.reveal().encode()
        return hashlib.blake2b(content, digest_size=16, key=self._secret, person=b"aibridge-key").hexdigest()

    def __repr__(self) -> str:
        return "<SharedKeys>"


class KeyNotes:
    """What replicas tell each other of one provider's keys."""

    def __init__(self, shared: SharedKeys, provider: str, keys: _Keys) -> None:
        self._shared = shared
        self._keys = keys
        self._names: dict[bytes, str] = {}
        self._sender = token_hex(6)
        self._notes = shared.board.join(provider, self._take)
        self.run = self._notes.run

    def name(self, secrets: Mapping[bytes, Secret]) -> None:
        """Note which keys there are, by their ids."""
        self._names = {each: self._shared.name(secret) for each, secret in secrets.items()}

    def rested(self, key: Key, scope: str | None) -> None:
        """Tell the others that a key rests."""

        def write() -> tuple[dict[str, Any], float] | None:
            left = key.rests.get(scope, 0.0) - self._keys.clock()
            return ({"state": "resting", "scope": scope, "left": left}, left) if left > 0 else None

        self._notes.leave(f"{self._names[key.id]}|{scope or ''}", write, again=True)

    def failed(self, key: Key) -> None:
        """Tell the others that a key is out."""
        out = {"state": "out"}, _KEPT_OUT
        self._notes.leave(self._names[key.id], lambda: None if key.out_since is None else out, again=True)

    def told(self, key: Key, quotas: Quotas) -> None:
        """Tell the others what headers say of a key's quotas: one is nearly spent."""

        def write() -> tuple[dict[str, Any], float] | None:
            told = quota_notes.written(quotas, self._keys.clock())
            return ({"state": "told", "told": told, "by": self._sender}, quota_notes.KEPT) if told else None

        self._notes.leave(f"{self._names[key.id]}||quotas", write, again=True)

    def accepted(self, key: Key) -> None:
        """Tell the others that a key is tried again."""
        self._notes.leave(self._names[key.id], lambda: ({"state": "ready"}, _KEPT_READY))

    def __repr__(self) -> str:
        return f"<KeyNotes {self._notes!r}>"

    def _take(self, name: str, note: dict[str, Any], age: float) -> None:
        name = name.partition("|")[0]
        keys, now = self._keys, self._keys.clock()
        key = next((each for each in keys.pool if self._names.get(each.id) == name), None)
        if key is None:
            return
        match note.get("state"):
            case "out" if key.out_since is None:
                keys.pool.failed(key, now - age)
                keys.changed(key, KeyState.OUT, _BECAUSE)
            case "ready":
                for back in keys.pool.accepted(key, now - age):
                    keys.changed(back, KeyState.READY, _BECAUSE)
            case "told" if note.get("by") != self._sender:
                quotas = key.quotas or Quotas()
                if isinstance(quotas, Quotas) and quota_notes.take(note.get("told"), quotas, now, age):
                    key.quotas = quotas
            case "resting" if keys.several:
                self._rest(key, note, age, now)

    def _rest(self, key: Key, note: dict[str, Any], age: float, now: float) -> None:
        scope = note.get("scope")
        if scope is not None and (not isinstance(scope, str) or len(scope) > _LONGEST_SCOPE):
            raise ValueError("no scope")
        left = seconds(note, "left", self._keys.longest_rest) - age
        known = scope in key.rests or len(key.rests) < _MOST_RESTS
        if known and self._keys.pool.rested(key, now + left, scope, now):
            self._keys.changed(key, KeyState.RESTING, _BECAUSE, left)
