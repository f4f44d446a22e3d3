"""Two real replicas under load while their real store is killed, paused, cut off, emptied, or told lies about.

Never is more admitted than promised (docs/sharing.md), no request fails for it or waits longer than the timeout;
and the replicas come back by themselves.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.processes import Bridge, until
from tests.support.redis_servers import PROGRAMS, RedisServer, running
from tests.support.store_chaos import (
    CountingProvider,
    Cut,
    Load,
    a_counting_provider,
    condition,
    replicas,
    until_condition,
)

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

# What all replicas together promise; each one's part while the store is away is half of it.
SLOTS = 4
# What one holds when the store goes away, or loses its content, beside the other's part, until those requests end.
SLOTS_AT_FIRST = SLOTS + SLOTS // 2
# A request takes so long at its provider, and is at most so much later on a loaded machine.
HOLD, SLACK = 0.05, 1.5
# A machine that is loaded is slower than a store.
FLAGS = ("--max-concurrency", str(SLOTS), "--store-timeout", "300ms")


class Site:
    """Replicas with a store that they reach through a network that can be cut."""

    def __init__(self, server: RedisServer, cut: Cut, provider: CountingProvider, bridges: list[Bridge]) -> None:
        self.server, self.cut, self.provider, self.bridges = server, cut, provider, bridges

    def settle(self) -> None:
        """Wait until all is well: both share, nothing is in flight, and slots are counted by the store alone."""
        until_condition(self.bridges, "shared", "settling", within=20)
        until(lambda: all(each.status()["store"]["replicas"] == 2 for each in self.bridges), "both are seen")
        until(lambda: all(each.in_flight() == 0 for each in self.bridges), "nothing is in flight")

    def store_events(self, bridge: Bridge) -> list[tuple[str, str, str | None]]:
        """Return the changes of the store's condition that a replica has logged."""
        lines = [json.loads(line) for line in tuple(bridge.process.lines)]
        changes = [each for each in lines if each["event"] == "store" and "to" in each]
        return [(each["from"], each["to"], each["because"]) for each in changes]


@pytest.fixture(scope="module", params=PROGRAMS)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Two replicas, of which the second reaches the store through the network that can be cut."""
    with running(request.param) as server, a_counting_provider() as provider:
        provider.hold = HOLD
        cut = Cut(server.port)
        try:
            with replicas(2, f"redis://127.0.0.1:{cut.port}", provider, *FLAGS) as bridges:
                yield Site(server, cut, provider, bridges)
        finally:
            cut.close()


@pytest.fixture(autouse=True)
def at_rest(site: Site) -> None:
    site.settle()
    site.provider.spans.clear()


def check(site: Site, load: Load, since: float, most: int = SLOTS_AT_FIRST) -> None:
    """Check what holds whatever happens."""
    assert not load.failures
    outcomes = load.by_outcome()
    assert set(outcomes) <= {"200", "capacity"}, outcomes
    assert outcomes["200"]
    assert site.provider.most_at_once() <= most, outcomes
    slowest = max(answer.seconds for answer in load.since(since))
    assert slowest < HOLD + SLACK
    for bridge in site.bridges:
        assert bridge.metric("aibridge_bugs_total") == 0


def test_all_is_well(site: Site) -> None:
    """Both together admit what is promised, all of it."""
    with Load(site.bridges, 12) as load:
        time.sleep(1.5)
    check(site, load, 0, SLOTS)
    assert site.provider.most_at_once() == SLOTS
    assert load.by_outcome()["capacity"]


def kill(site: Site) -> None:
    site.server.kill()


def start(site: Site) -> None:
    site.server.start()


def pause(site: Site) -> None:
    site.server.pause()


def resume(site: Site) -> None:
    site.server.resume()


def reset(site: Site) -> None:
    site.cut.reset()


def swallow(site: Site) -> None:
    site.cut.swallow()


def heal(site: Site) -> None:
    site.cut.heal()


@pytest.mark.parametrize(("break_it", "mend_it"), [(kill, start), (pause, resume), (reset, heal), (swallow, heal)])
def test_the_store_is_away(site: Site, break_it: Callable[[Site], None], mend_it: Callable[[Site], None]) -> None:
    """Each replica goes on with its part, says so and why, and comes back by itself."""
    before = [len(site.store_events(each)) for each in site.bridges]
    with Load(site.bridges, 12) as load:
        time.sleep(0.5)
        began = time.perf_counter()
        break_it(site)
        try:
            until_condition(site.bridges, "degraded")
            assert [each.metric("aibridge_store_degraded") for each in site.bridges] == [1, 1]
            away = time.perf_counter()
            time.sleep(1.0)
            assert {condition(each) for each in site.bridges} == {"degraded"}
        finally:
            back = time.perf_counter()
            mend_it(site)
        # A replica that was held up by this machine may be late once more.
        until(lambda: not any(each.metric("aibridge_store_degraded") for each in site.bridges), "they are back")
        time.sleep(1.0)
    check(site, load, began)
    # Those of before have ended.
    assert site.provider.most_at_once(away + 2 * HOLD, back) <= SLOTS
    served = [answer for answer in load.since(away) if answer.status == 200 and answer.at < back]
    assert len(served) > 5
    for bridge, known in zip(site.bridges, before, strict=True):
        events = site.store_events(bridge)[known:]
        reasons = [because for _, target, because in events if target == "degraded"]
        assert reasons
        assert all(reasons)


def flush_scripts(site: Site) -> None:
    site.server.call("SCRIPT", "FLUSH")


def flush_all(site: Site) -> None:
    site.server.call("FLUSHALL")


SPOIL = "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('DEL', key) redis.call('LPUSH', key, 'x') end"


def spoil(site: Site) -> None:
    """Put values of a wrong type into its keys."""
    site.server.call("EVAL", SPOIL, "0")


def drop_clients(site: Site) -> None:
    site.server.call("CLIENT", "KILL", "TYPE", "normal")


@pytest.mark.parametrize("disturb", [flush_scripts, flush_all, spoil, drop_clients])
def test_its_content_is_lost_again_and_again(site: Site, disturb: Callable[[Site], None]) -> None:
    """The replicas say what they hold, and go on; nothing is stuck."""
    with Load(site.bridges, 12) as load:
        for _ in range(5):
            time.sleep(0.3)
            disturb(site)
        time.sleep(0.3)
    check(site, load, 0)
    until_condition(site.bridges, "settling", "shared", within=5)
    site.settle()
    site.provider.spans.clear()
    with Load(site.bridges, 12) as again:
        time.sleep(1.0)
    check(site, again, 0, SLOTS)
    assert again.by_outcome()["200"] > 8
