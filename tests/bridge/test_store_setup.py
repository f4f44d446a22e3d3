"""The store of a bridge: made of its settings, announced, and never in the way of its start."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from typing import Any

import pytest

from aibridge_trio.bridge.store_setup import StoreNews, new_store, shared_secret
from aibridge_trio.config.settings import Secret, Settings
from aibridge_trio.errors import UsageError
from aibridge_trio.events import Event
from aibridge_trio.sharing.change import StoreChanged
from aibridge_trio.sharing.link import Link
from aibridge_trio.sharing.store import Condition, OwnStore, Store

STORE = Secret("redis://:hunter2@127.0.0.1:1", "redis://***@127.0.0.1:1")


def made(settings: Settings) -> Store:
    return new_store(settings, None, observe=lambda _: None, report=lambda _: None, warn=lambda _: None)


def test_without_the_option_nothing_is_shared() -> None:
    """And callers' hashes are the process's own."""
    assert isinstance(made(Settings()), OwnStore)
    assert shared_secret(Settings()) is None


def test_replicas_of_a_deployment_hash_callers_alike() -> None:
    """Those of others, by their prefix, otherwise."""
    one, two = shared_secret(Settings(store=STORE)), shared_secret(Settings(store=Secret("redis://other")))
    assert one == two
    assert one != shared_secret(Settings(store=STORE, store_prefix="other"))


def test_a_store_is_a_link_that_shows_no_secret() -> None:
    """With the failure and the timeout of its settings."""
    store = made(Settings(store=STORE, store_failure="closed", store_timeout=0.02))
    assert isinstance(store, Link)
    assert store.timeout == 0.02
    assert "hunter2" not in repr(store)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what installs it."""
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "coredis":
            raise ModuleNotFoundError(name, name="coredis")
        return real(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.startswith("aibridge_trio.sharing.redis.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"coredis is missing; pip install 'aibridge-trio\[redis\]'"):
        made(Settings(store=STORE))


class Changing(OwnStore):
    """A store whose condition a test changes."""

    shared = True

    def __init__(self) -> None:
        self.handlers: list[Callable[[Store], None]] = []

    def on_condition(self, handler: Callable[[Store], None]) -> None:
        self.handlers.append(handler)

    def become(self, condition: Condition, replicas: int = 1) -> None:
        self.condition, self.replicas = condition, replicas
        for handler in self.handlers:
            handler(self)


def test_changes_are_published_once_with_their_cause() -> None:
    """The condition at the start; then changes of it, not of the number of replicas alone."""
    published: list[Event] = []
    news, store = StoreNews(published.append), Changing()
    store.become("degraded")
    news.report("connection refused")
    news.begin(store)
    store.become("degraded", 2)
    store.become("settling", 3)
    store.become("shared", 3)
    news.report("reset by peer")
    store.become("closed", 3)
    assert published == [
        StoreChanged(None, "degraded", 1, "connection refused"),
        StoreChanged("degraded", "settling", 3, ""),
        StoreChanged("settling", "shared", 3, ""),
        StoreChanged("shared", "closed", 3, "reset by peer"),
    ]


def test_other_causes_of_the_same_outage_are_published_once() -> None:
    """The first one, that a connection was closed, says little; eight at most are logged."""
    published: list[Event] = []
    news, store = StoreNews(published.append), Changing()
    store.become("shared", 2)
    news.begin(store)
    news.report("the connection was closed")
    store.become("degraded", 2)
    for _ in range(3):
        news.report("it refuses the user or the password")
        news.report("the connection was closed")
    assert published[1:] == [
        StoreChanged("shared", "degraded", 2, "the connection was closed"),
        StoreChanged("degraded", "degraded", 2, "it refuses the user or the password"),
    ]
    for number in range(100):
        news.report(f"no reason {number}")
    assert len(published) == 2 + 7
    store.become("settling", 2)
    store.become("degraded", 2)
    news.report("it refuses the user or the password")
    assert published[-1] == StoreChanged("degraded", "degraded", 2, "it refuses the user or the password")


def test_nothing_is_published_of_a_store_that_shares_nothing() -> None:
    """There is nothing to say."""
    published: list[Event] = []
    StoreNews(published.append).begin(OwnStore())
    assert not published
