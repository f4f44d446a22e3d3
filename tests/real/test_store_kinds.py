"""Real replicas and stores of all kinds: away at the start, with a password, full, with sentinels; fail-closed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.support.processes import Bridge, a_bridge, until
from tests.support.redis_servers import running, sentinels
from tests.support.store_chaos import (
    CountingProvider,
    Load,
    a_counting_provider,
    condition,
    replicas,
    until_condition,
)

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SLOTS = 4
FLAGS = ("--max-concurrency", str(SLOTS), "--store-timeout", "300ms")


@pytest.fixture(scope="module")
def provider() -> Iterator[CountingProvider]:
    with a_counting_provider() as provider:
        provider.hold = 0.05
        yield provider


def causes(bridge: Bridge) -> list[str]:
    """Return why the store was away, as logged."""
    lines = [json.loads(line) for line in tuple(bridge.process.lines)]
    return [line["because"] for line in lines if line["event"] == "store" and line.get("because")]


def test_a_store_that_is_away_at_the_start(provider: CountingProvider) -> None:
    """The bridge starts, says why, serves, and joins when the store is there."""
    with running() as server:
        server.kill()
        with replicas(1, server.url, provider, *FLAGS, joined=False) as [bridge]:
            assert condition(bridge) == "degraded"
            assert causes(bridge) == ["connection refused"]
            with Load([bridge], 2) as load:
                time.sleep(0.5)
                server.start()
                until_condition([bridge], "settling", "shared")
            assert set(load.by_outcome()) == {"200"}
            assert not load.failures


@pytest.mark.parametrize(("secret", "cause"), [("", "asks for a password"), (":hunter3@", "refuses the user or")])
def test_a_password(provider: CountingProvider, secret: str, cause: str) -> None:
    """Missing or wrong, it is said, without it; requests go on; when it is right the bridge joins."""
    with running(password="hunter2") as server:
        url = f"redis://{secret}127.0.0.1:{server.port}"
        with replicas(1, url, provider, *FLAGS, joined=False) as [bridge]:
            assert condition(bridge) == "degraded"
            assert cause in causes(bridge)[0]
            with Load([bridge], 2) as load:
                time.sleep(0.3)
            assert set(load.by_outcome()) == {"200"}
            server.call("CONFIG", "SET", "requirepass", secret.strip(":@"))
            until_condition([bridge], "settling", "shared")
            everything = bridge.process.stderr + json.dumps(bridge.status()) + bridge.admin.get("/metrics").text
            assert "hunter" not in everything


def test_closed(provider: CountingProvider) -> None:
    """Without the store nothing that a shared limit counts is served, at once and with its reason."""
    with running() as server, replicas(2, server.url, provider, *FLAGS, "--store-failure", "closed") as bridges:
        server.kill()
        until_condition(bridges, "closed")
        assert [each.metric("aibridge_store_degraded") for each in bridges] == [1, 1]
        with Load(bridges, 4) as load:
            time.sleep(0.5)
            assert set(load.by_outcome()) == {"store_unavailable"}
            assert max(answer.seconds for answer in load.answers) < 1.5
            server.start()
            until_condition(bridges, "shared", "settling")
            back = time.perf_counter()
            time.sleep(0.5)
        assert set(load.by_outcome(back + 0.5)) <= {"200"}


@pytest.mark.parametrize("policy", ["allkeys-lru", "noeviction"])
def test_a_store_without_memory(provider: CountingProvider, policy: str) -> None:
    """What it drops is counted anew, what it refuses is as if it were away; a policy that drops is warned of."""
    options = ("--maxmemory", "3mb", "--maxmemory-policy", policy)
    with running(options=options) as server, replicas(2, server.url, provider, *FLAGS) as bridges:
        drops = policy != "noeviction"
        if drops:
            until(lambda: all("maxmemory-policy" in each.process.stderr for each in bridges), "it is warned of")
        provider.spans.clear()
        with Load(bridges, 12) as load:
            for number in range(60):
                try:
                    server.call("SET", f"filler:{number}", "x" * 100_000)
                except Exception:  # noqa: BLE001 - full
                    break
                time.sleep(0.02)
            time.sleep(0.5)
            server.call("CONFIG", "SET", "maxmemory", "0")
            until_condition(bridges, "shared", "settling")
        assert not load.failures
        assert set(load.by_outcome()) <= {"200", "capacity"}
        assert provider.most_at_once() <= SLOTS + SLOTS // 2
        assert drops or not any("maxmemory-policy" in each.process.stderr for each in bridges)


def test_a_failover(provider: CountingProvider) -> None:
    """The replicas follow the sentinels to another server, and nothing fails meanwhile."""
    with sentinels() as found, replicas(2, found.url, provider, *FLAGS) as bridges:
        provider.spans.clear()
        with Load(bridges, 12) as load:
            time.sleep(0.3)
            found.fail_over()
            until_condition(bridges, "shared", "settling", within=20)
            time.sleep(0.5)
        assert not load.failures
        assert set(load.by_outcome()) <= {"200", "capacity"}
        assert provider.most_at_once() <= SLOTS + SLOTS // 2
        assert any(causes(each) for each in bridges)


def test_a_rate_is_one_over_all_replicas(provider: CountingProvider) -> None:
    """A caller has its ten a second in all, whichever replica it asks, and while the store is away its parts."""
    with (
        running() as server,
        replicas(2, server.url, provider, "--rate-limit", "10", "--store-timeout", "300ms") as bridges,
    ):
        provider.spans.clear()
        with Load(bridges, 4) as load:
            time.sleep(2.0)
            server.kill()
            until_condition(bridges, "degraded")
            away = time.perf_counter()
            time.sleep(2.5)
        assert not load.failures
        assert set(load.by_outcome()) == {"200", "rate_limit"}
        # What one has used before counts for a second; threads note times late on a loaded machine.
        assert provider.most_within(0.95, before=away - 0.1) <= 10
        assert provider.most_within(0.95, since=away + 1.2) <= 10


def test_check_shows_the_store_without_its_password() -> None:
    """And the bridge's own pages."""
    with a_bridge(AIBRIDGE_STORE="redis://:hunter2@127.0.0.1:1") as bridge:
        assert bridge.status()["store"]["url"] == "redis://***@127.0.0.1:1"
        assert "hunter2" not in bridge.process.stderr + bridge.admin.get("/status").text
