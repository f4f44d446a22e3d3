"""Two machines with two workers each and one store: four replicas, and their two supervisors."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.real.test_workers import UNARY, Load, all_serve, rows
from tests.support import redis_servers
from tests.support.asking import Asked, Asking, Callers
from tests.support.counting_provider import CountingProvider, counting_provider
from tests.support.processes import CHAT, START, Bridge, a_bridge, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SLOTS, RATE = 6, 20
# On a machine that does much else the store may be late, and each replica would go on with its part beside it.
IN_CONTACT = ("--store-timeout", "1s")


@contextmanager
def machines(store: str, provider: CountingProvider, *flags: str, count: int = 2) -> Iterator[list[Bridge]]:
    """Run supervisors with two workers each, until all of these know of each other."""
    with ExitStack() as stack:
        where = (*provider.flags, "--store", store, *IN_CONTACT, "--workers", "2")
        found = [stack.enter_context(a_bridge(*where, *flags)) for _ in range(count)]
        until(lambda: all(knows(each, 2 * count) for each in found), "all know of each other", START)
        yield found


def knows(bridge: Bridge, count: int) -> bool:
    """Whether its workers are in contact with the store, and know of so many replicas."""
    store = bridge.status()["store"]
    return (store["condition"], store["replicas"]) == ("shared", count)


def asked_of(bridges: list[Bridge], requests: int, keys: int = 1000) -> list[Asked]:
    """Let each machine have callers of its own, all at the same time."""
    asking = [Asking(Callers([bridge.port], 6, requests, keys=keys)) for bridge in bridges]
    return [each.asked() for each in asking]


def test_slots_are_exact_over_all_workers() -> None:
    """Never more than promised at the provider, also while a worker is killed and replaced; then all are free."""
    with (
        redis_servers.running() as server,
        counting_provider(0.02) as provider,
        machines(server.url, provider, "--max-concurrency", str(SLOTS)) as bridges,
    ):
        assert "degraded" not in "".join(bridge.process.stderr for bridge in bridges)
        found = asked_of(bridges, 1500)
        assert provider.counts()["most"] <= SLOTS
        assert [each.lost for each in found] == [[], []]
        assert sum(each.answered for each in found) == provider.counts()["requests"]
        asking = [Asking(Callers([bridge.port], 6, 1500)) for bridge in bridges]
        until(lambda: provider.counts()["present"] > 0, "traffic")
        killed = rows(bridges[0])[0]["pid"]
        os.kill(killed, signal.SIGKILL)
        for each in asking:
            each.asked()
        # What was at the provider for the killed worker may still be there when its slots are free again.
        assert provider.counts()["most"] <= SLOTS
        all_serve(bridges[0], {killed})
        until(lambda: all(knows(each, 4) for each in bridges), "all know of each other", START)
        [alone] = asked_of(bridges[:1], 300)
        assert alone.answered == 300


def test_a_rate_is_exact_over_all_workers() -> None:
    """A caller has one rate, whichever machine and worker it asks."""
    with (
        redis_servers.running() as server,
        counting_provider(0.0) as provider,
        machines(server.url, provider, "--rate-limit", str(RATE)) as bridges,
    ):
        found = asked_of(bridges, 800, keys=2)
        spans = max(each.seconds for each in found) + 1
        answered = sum(each.answered for each in found)
        assert answered == provider.counts()["requests"]
        assert 2 * RATE <= answered <= 2 * RATE * spans


def test_a_reload_and_a_drain_are_of_all_workers(tmp_path: Path) -> None:
    """A mistake leaves all workers as they were, SIGHUP lets all have what is new, and a drain loses nothing."""
    config = tmp_path / "aibridge.toml"
    with redis_servers.running() as server, counting_provider(0.02) as provider:
        base = f'openai_base_url = "http://127.0.0.1:{provider.port}/v1"\nmax_concurrency = 50\n'
        config.write_text(base)
        with machines(server.url, provider, "--config", str(config)) as (bridge, other):
            pids = {row["pid"] for row in all_serve(bridge)}
            with Load(bridge.url).running() as load:
                load.more(20)
                config.write_text(base + "max_body = none\n")
                bridge.process.signal(signal.SIGHUP)
                bridge.process.says('"outcome": "rejected"')
                before = len(load.statuses)
                load.more(20)
                assert set(load.statuses[before:]) == {200}
                config.write_text(base + 'max_body = "5B"\n')
                bridge.process.signal(signal.SIGHUP)
                until(lambda: set(load.statuses[-20:]) == {413}, "all workers have the new limit")
                config.write_text(base)
                bridge.process.signal(signal.SIGHUP)
                until(lambda: set(load.statuses[-20:]) == {200}, "and the old one again")
                assert {row["pid"] for row in rows(bridge)} == pids
            assert not load.errors
            bridge.process.signal()
            assert bridge.process.wait(START) == 0
            assert bridge.process.lines[-1].endswith('"detail": "drained"}')
            until(lambda: knows(other, 2), "the other knows that they have left", START)


def test_a_killed_supervisor_gives_its_workers_slots_back() -> None:
    """Its workers end with it; the store takes what they held after three seconds."""
    with (
        redis_servers.running() as server,
        counting_provider(20.0) as provider,
        machines(server.url, provider, "--max-concurrency", "2", "--graceful-timeout", "1s") as (bridge, other),
    ):
        holding = [threading.Thread(target=_ask, args=(bridge.url,), daemon=True) for _ in range(2)]
        for each in holding:
            each.start()
        until(lambda: provider.counts()["present"] == 2, "both slots are held")
        assert httpx.post(other.url + CHAT, json=UNARY).status_code == 503
        bridge.process.signal(signal.SIGKILL)
        bridge.process.wait()
        began = time.perf_counter()
        until(lambda: knows(other, 2), "the other knows", START)
        asking = threading.Thread(target=_ask, args=(other.url,), daemon=True)
        asking.start()
        until(lambda: provider.counts()["requests"] == 3, "a free slot")
        assert time.perf_counter() - began < START


def _ask(url: str) -> None:
    with suppress(httpx.HTTPError):
        httpx.post(url + CHAT, json=UNARY, timeout=START)
