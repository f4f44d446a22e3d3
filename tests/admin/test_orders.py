"""An order to several replicas: a line for each, and a failure that names those that did not do it."""

from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.admin import orders
from aibridge_trio.admin.client import AdminClient, Unreachable
from aibridge_trio.errors import CommandError, UsageError

URLS = ("http://10.0.0.1:1", "http://10.0.0.2:1", "http://10.0.0.3:1")


@pytest.fixture(autouse=True)
def fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    async def override(self: AdminClient, provider: str, mode: str, **more: Any) -> str:
        if self.url == URLS[1]:
            raise Unreachable(self.url, "connection refused")
        return f"{provider} {mode} {more['lasting']} {more['reason']}"

    async def reload(self: AdminClient) -> list[str]:
        if self.url == URLS[1]:
            raise UsageError("nothing is changed: a mistake")
        return ["a", "b"]

    monkeypatch.setattr(AdminClient, "override", override)
    monkeypatch.setattr(AdminClient, "reload", reload)


def test_every_replica_is_reached_and_named() -> None:
    """One that does not answer hinders no other; the failure names it."""
    done = orders.override(URLS, None, "openai", "open", lasting=600.0, reason="INC-12")
    assert done.lines == [
        f"{URLS[0]}  openai open 600.0 INC-12",
        f"{URLS[1]}  not done, connection refused",
        f"{URLS[2]}  openai open 600.0 INC-12",
    ]
    assert isinstance(done.failure, CommandError)
    assert str(done.failure) == f"not done at 1 of 3 replicas: {URLS[1]} (connection refused)"


def test_failures_are_named_by_their_cause() -> None:
    """However many have the same one, a few names stand for them."""
    causes = {f"r{number}": "connection refused" for number in range(5)} | {"r9": "it hung up"}
    assert orders.by_cause(causes) == "r0, r1, r2 and 2 more (connection refused); r9 (it hung up)"


def test_one_replica_needs_no_name() -> None:
    """Its line, or its own error."""
    assert orders.override(URLS[:1], None, "openai", "auto", lasting=None, reason="").lines == [
        "openai auto None "
    ]
    failed = orders.override(URLS[1:2], None, "openai", "auto", lasting=None, reason="")
    assert isinstance(failed.failure, Unreachable)
    assert not failed.lines


def test_a_mistake_in_each_configuration_is_one_of_usage() -> None:
    """With others that did it, it is a failure at run time."""
    assert isinstance(orders.reload(URLS[1:2], None).failure, UsageError)
    done = orders.reload(URLS, None)
    assert isinstance(done.failure, UsageError)
    assert done.lines[:2] == [f"{URLS[0]}  a", f"{URLS[0]}  b"]
