"""Four bridges with one store: no caller gets more than all of them together promise."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support import redis_servers
from tests.support.asking import Asked, Asking, Callers
from tests.support.counting_provider import CountingProvider, counting_provider
from tests.support.processes import Bridge, a_bridge, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

REPLICAS, REQUESTS, AT_ONCE = 4, 10_000, 8
SLOTS, RATE = 12, 20
# On a machine that does much else the store may be late, and each replica would go on with its part beside it.
_IN_CONTACT = ("--store-timeout", "1s")


@contextmanager
def replicas(store: str, provider: CountingProvider, *flags: str, count: int = REPLICAS) -> Iterator[list[Bridge]]:
    """Run bridges with this store, until all of them know of each other."""
    with ExitStack() as stack:
        found = [
            stack.enter_context(a_bridge(*provider.flags, "--store", store, *_IN_CONTACT, *flags))
            for _ in range(count)
        ]
        until(lambda: all(knows(bridge, count) for bridge in found), f"{count} replicas know of each other")
        yield found


def knows(bridge: Bridge, count: int) -> bool:
    """Whether a bridge is in contact with the store, and knows of so many replicas."""
    store = bridge.admin.get("/status").json()["store"]
    return (store["condition"], store["replicas"]) == ("shared", count)


def asked_of(bridges: list[Bridge], *, requests: int, at_once: int = AT_ONCE, keys: int = 1000) -> list[Asked]:
    """Let each bridge have callers of its own, all at the same time."""
    asking = [Asking(Callers([bridge.port], at_once, requests, keys=keys)) for bridge in bridges]
    return [each.asked() for each in asking]


def test_no_more_at_once_than_promised() -> None:
    """Of 4 × 10,000 requests never more than all may hold are at the provider, and nothing stays held."""
    with (
        redis_servers.running() as server,
        counting_provider(0.02) as provider,
        replicas(server.url, provider, "--max-concurrency", str(SLOTS)) as bridges,
    ):
        found = asked_of(bridges, requests=REQUESTS)
        counts = provider.counts()
        assert counts["most"] <= SLOTS
        assert [each.lost for each in found] == [[]] * REPLICAS
        assert sum(each.answered for each in found) == counts["requests"]
        assert {reason for each in found for reason in each.rejects} <= {"capacity"}
        # All slots are there again, wherever they are asked for: one bridge can have all of them.
        [alone] = asked_of(bridges[:1], requests=400, at_once=SLOTS)
        assert alone.answered == 400
        assert provider.counts()["most"] <= SLOTS


def test_no_more_in_a_second_than_promised() -> None:
    """Each caller's rate is one rate, whichever bridges it asks; a caller that stays below it is never refused."""
    with (
        redis_servers.running() as server,
        counting_provider(0.0) as provider,
        replicas(server.url, provider, "--rate-limit", str(RATE)) as bridges,
    ):
        found = asked_of(bridges, requests=1500, keys=2)
        counts = provider.counts()
        seconds = max(each.seconds for each in found)
        assert counts["requests"] == sum(each.answered for each in found)
        assert counts["requests"] <= 2 * RATE * (math.floor(seconds) + 1)
        assert counts["requests"] >= 2 * RATE * (math.floor(seconds) - 1)
        assert {reason for each in found for reason in each.rejects} == {"rate_limit"}


def test_the_slots_of_a_killed_replica_come_back() -> None:
    """Within seconds the others have all slots, and no more than these."""
    with (
        redis_servers.running() as server,
        counting_provider(0.02) as provider,
        replicas(server.url, provider, "--max-concurrency", str(SLOTS)) as bridges,
    ):
        asking = [Asking(Callers([bridge.port], AT_ONCE, 4000)) for bridge in bridges[1:]]
        lost = Asking(Callers([bridges[0].port], AT_ONCE, 500))
        until(lambda: provider.counts()["requests"] > 50, "traffic")
        bridges[0].process.signal(signal.SIGKILL)
        until(lambda: all(knows(bridge, REPLICAS - 1) for bridge in bridges[1:]), "the others know", 30.0)
        found = [each.asked() for each in asking]
        lost.asked()
        assert provider.counts()["most"] <= SLOTS
        assert [each.lost for each in found] == [[]] * (REPLICAS - 1)
        [alone] = asked_of(bridges[1:2], requests=400, at_once=SLOTS)
        assert alone.answered == 400
