"""The store of a bridge, made of its settings; and what is published of it."""

from __future__ import annotations

import hashlib
import secrets
import socket
from collections.abc import Callable

from aibridge_trio.config.settings import Settings
from aibridge_trio.config.store_url import store_address
from aibridge_trio.errors import UsageError
from aibridge_trio.events import Publish
from aibridge_trio.net.dial import new_dialer
from aibridge_trio.net.poller import Poller
from aibridge_trio.sharing.arbiter_backend import ArbiterBackend
from aibridge_trio.sharing.backend import Backend
from aibridge_trio.sharing.change import StoreChanged
from aibridge_trio.sharing.link import Link
from aibridge_trio.sharing.measured import Measured
from aibridge_trio.sharing.store import Condition, OwnStore, Store

# How long a worker waits for the arbiter at most (seconds). It is on the same machine, and lives as long as its
# workers: when it is late, the machine is overloaded, and to wait is better than to count apart.
_PATIENCE = 1.0


def new_store(
    settings: Settings,
    poller: Poller | None,
    *,
    observe: Callable[[float | None], None],
    report: Callable[[str], None],
    warn: Callable[[str], None],
    arbiter: socket.socket | None = None,
) -> Store:
    """Return the store that the settings name, not yet connected. Reads certificates; raises UsageError.

    Without one it is the arbiter whose entrance `arbiter` is, if this process is a worker. See Measured for
    `observe`, Link for `report` and RedisBackend for `warn`.
    """
    if not settings.store:
        return _linked(ArbiterBackend(arbiter), _PATIENCE, settings, observe, report) if arbiter else OwnStore()
    try:
        # coredis takes a third of a second to be imported, and is installed only where there is a store.
        from aibridge_trio.sharing.redis.backend import RedisBackend  # noqa: PLC0415

        backend = RedisBackend(store_address(settings.store), settings.store_prefix, new_dialer(poller), warn)
    except ImportError as error:
        raise UsageError(f"--store: {error.name} is missing; pip install 'aibridge-trio[redis]'") from None
    except OSError as error:
        problem = f"its certificates cannot be read: {error.strerror or error}"
        raise UsageError(f"--store: {problem}; look at ca= in the URL") from None
    return _linked(backend, settings.store_timeout, settings, observe, report)


def _linked(
    backend: Backend,
    timeout: float,
    settings: Settings,
    observe: Callable[[float | None], None],
    report: Callable[[str], None],
) -> Link:
    return Link(
        Measured(backend, observe),
        replica_id=secrets.token_hex(8),
        failure=settings.store_failure,
        timeout=timeout,
        report=report,
    )


def shared_secret(settings: Settings) -> bytes | None:
    """Return the secret of callers' hashes that all replicas of a deployment have; None if each has its own."""
    if not settings.store:
        return None
    return hashlib.blake2b(settings.store_prefix.encode(), digest_size=32, person=b"aibridge-callers").digest()


_AWAY = frozenset({"degraded", "closed"})
# Causes that are published of one time that the store is away.
_MOST_CAUSES = 8


class StoreNews:
    """Publishes the store's condition when `begin` is called, and whenever it has changed.

    `report` gets what went wrong before the condition changes for it. What goes wrong while the store is away is
    published once, too: a server that was restarted may want another password now.
    """

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._condition: Condition | None = None
        self._cause = ""
        self._store: Store | None = None
        self._causes: set[str] = set()  # of this time that the store is away

    def report(self, cause: str) -> None:
        """Take the cause of the next change, or of why the store is still away."""
        self._cause = cause
        if (
            self._store
            and self._condition in _AWAY
            and cause not in self._causes
            and len(self._causes) < _MOST_CAUSES
        ):
            self._causes.add(cause)
            self._publish(StoreChanged(self._condition, self._condition, self._store.replicas, cause))

    def begin(self, store: Store) -> None:
        """Publish the condition, and each change from now on."""
        if store.shared:
            self._store = store
            self._changed(store)
            store.on_condition(self._changed)

    def _changed(self, store: Store) -> None:
        before, now = self._condition, store.condition
        if now == before:
            return
        self._condition = now
        cause = self._cause if now in _AWAY else ""
        self._causes = {cause}
        self._publish(StoreChanged(before, now, store.replicas, cause))
        self._cause = ""

    def __repr__(self) -> str:
        return f"<StoreNews {self._condition}>"
