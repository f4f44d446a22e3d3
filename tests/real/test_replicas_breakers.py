"""Two bridges with one store: when one of them learns that a provider is ill, both know."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from tests.support import redis_servers
from tests.support.processes import ASK, CHAT, Bridge, Provider, a_bridge, a_provider, until
from tests.support.redis_servers import RedisServer

pytestmark = [pytest.mark.real, pytest.mark.timeout(200)]

SPREAD = 0.1
PROBES = 3
_FLAGS = (
    *("--circuit-breaker", "--circuit-breaker-failure-threshold", "2", "--circuit-breaker-cooldown", "4s"),
    *("--circuit-breaker-half-open-max-requests", str(PROBES), "--circuit-breaker-429", "credential"),
    *("--store-timeout", "1s"),
)


@contextmanager
def two_bridges() -> Iterator[tuple[RedisServer, Provider, list[Bridge]]]:
    """Run a store, the mock, and two bridges that know of each other."""
    with redis_servers.running() as server, a_provider() as provider, ExitStack() as stack:
        found = [
            stack.enter_context(a_bridge(*_FLAGS, "--store", server.url, provider=provider)) for _ in range(2)
        ]
        until(lambda: all(shared(each) for each in found), "both know of each other")
        yield server, provider, found


def shared(bridge: Bridge) -> bool:
    store = bridge.status()["store"]
    return (store["condition"] in {"shared", "settling"}, store["replicas"]) == (True, 2)


def ask(bridge: Bridge, key: str = "sk-caller") -> httpx.Response:
    body = {"model": "m", "messages": ASK}
    return bridge.caller.post(CHAT, json=body, headers={"authorization": f"Bearer {key}"})


def fail(bridge: Bridge) -> None:
    for _ in range(2):
        assert "x-aibridge-reject" not in ask(bridge).headers


def states(bridges: list[Bridge]) -> list[str]:
    return [each.breaker()["state"] for each in bridges]


def order(bridge: Bridge, **members: Any) -> None:
    bridge.admin.post("/breakers/openai", json=members).raise_for_status()


def test_what_one_learns_both_know() -> None:
    """Of an ill provider within 100 ms, with reason and time; of its recovery; of a key's rest; of overrides."""
    with two_bridges() as (_, provider, (one, other)):
        provider.change(fail={"503": 1.0})
        fail(one)
        time.sleep(SPREAD)
        calls = provider.stats()["requests"]
        answer = ask(other)
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "circuit_open")
        assert 1 <= int(answer.headers["retry-after"]) <= 6
        assert provider.stats()["requests"] == calls
        provider.change(fail={})
        until(lambda: states([one, other]) == ["half-open"] * 2, "both are half-open", 10.0)
        for _ in range(PROBES):
            assert ask(other).status_code == 200
        until(lambda: states([one, other]) == ["closed"] * 2, "both are closed", 2.0)

        provider.script({"status": 429, "headers": {"retry-after": "9"}})
        assert ask(one, "sk-limited-1").status_code == 429
        time.sleep(SPREAD)
        assert ask(other, "sk-limited-1").headers["x-aibridge-reject"] == "credential_cooldown"
        assert ask(other, "sk-limited-2").status_code == 200

        order(one, mode="open", reason="INC-12", **{"for": "2s"})
        time.sleep(SPREAD)
        assert ask(other).headers["x-aibridge-reject"] == "circuit_open"
        assert other.breaker()["override"]["reason"] == "INC-12"
        until(lambda: [each.breaker()["mode"] for each in (one, other)] == ["auto"] * 2, "it has ended", 5.0)


def test_the_store_is_killed_and_flushed() -> None:
    """Each goes on by itself; when the store is back, empty, both agree again, and nothing is stuck."""
    with two_bridges() as (server, provider, (one, other)):
        server.kill()
        until(lambda: one.status()["store"]["condition"] == "degraded", "the store is away")
        order(one, mode="open", reason="INC-13")
        assert ask(one).headers["x-aibridge-reject"] == "circuit_open"
        assert ask(other).status_code == 200
        server.start()
        until(lambda: other.breaker()["mode"] == "open", "the other has learned of it", 10.0)
        until(lambda: (other.breaker()["override"] or {}).get("reason") == "INC-13", "and why", 2.0)
        server.call("FLUSHALL")
        until(lambda: shared(one) and shared(other), "both have registered again", 10.0)
        order(other, mode="auto")
        until(lambda: [each.breaker()["mode"] for each in (one, other)] == ["auto"] * 2, "it has ended", 2.0)
        server.call("FLUSHALL")
        for _ in range(2 * PROBES):
            ask(one)
            ask(other)
            time.sleep(0.3)
        until(lambda: states([one, other]) == ["closed"] * 2, "both are closed", 10.0)
        provider.change(fail={"503": 1.0})
        fail(other)
        until(lambda: states([one, other]) == ["open"] * 2, "both know", 2.0)
