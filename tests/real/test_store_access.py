"""Real replicas whose store has users, changes its password under load, or is a cluster that loses its server."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Bridge, until
from tests.support.redis_servers import Cluster, RedisServer, cluster, running
from tests.support.resp import RespError
from tests.support.store_chaos import CountingProvider, Load, a_counting_provider, replicas, until_condition

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

_PAGE = Path(__file__).parents[2] / "docs/operate/store.md"
[RIGHTS] = re.findall(r"^user aibridge on >PASSWORD (.*)$", _PAGE.read_text(), re.MULTILINE)
SLOTS = 4
FLAGS = ("--max-concurrency", str(SLOTS), "--store-timeout", "1s")


@pytest.fixture(scope="module")
def provider() -> Iterator[CountingProvider]:
    with a_counting_provider() as provider:
        provider.hold = 0.05
        yield provider


def causes(bridge: Bridge) -> list[str]:
    """Return why the store was away, as logged."""
    lines = [json.loads(line) for line in tuple(bridge.process.lines)]
    return [line["because"] for line in lines if line["event"] == "store" and line.get("because")]


def drop_clients(server: RedisServer) -> None:
    """Let all connections log in again."""
    server.call("CLIENT", "KILL", "TYPE", "normal")
    server.call("CLIENT", "KILL", "TYPE", "pubsub")


def test_the_documented_user_whose_password_changes(provider: CountingProvider) -> None:
    """All is well with its rights, and with a second password; without the one in use each has its part."""
    with running() as server:
        server.call("ACL", "SETUSER", "aibridge", "on", ">old", *RIGHTS.split())
        url = f"redis://aibridge:old@127.0.0.1:{server.port}"
        with replicas(2, url, provider, *FLAGS) as bridges:
            provider.spans.clear()
            with Load(bridges, 12) as load:
                time.sleep(0.5)
                assert not any(map(causes, bridges))
                server.call("ACL", "SETUSER", "aibridge", ">new")
                drop_clients(server)
                until_condition(bridges, "shared", "settling")
                server.call("ACL", "SETUSER", "aibridge", "<old")
                drop_clients(server)
                until_condition(bridges, "degraded")
                away = time.perf_counter()
                until(
                    lambda: all(any("refuses the user" in why for why in causes(each)) for each in bridges),
                    "it is said why",
                )
                time.sleep(0.7)
                back = time.perf_counter()
                server.call("ACL", "SETUSER", "aibridge", ">old")
                until_condition(bridges, "shared", "settling")
                time.sleep(0.5)
            assert not load.failures
            assert set(load.by_outcome()) <= {"200", "capacity"}
            assert provider.most_at_once() <= SLOTS + SLOTS // 2
            assert provider.most_at_once(away + 0.2, back) <= SLOTS
            assert any(away <= answer.at < back for answer in load.answers if answer.status == 200)


def owner_of(found: Cluster, key: str) -> RedisServer:
    """Return the server that has a key."""
    for server in found.servers:
        try:
            server.call("EXISTS", key)
        except RespError:
            continue
        return server
    raise AssertionError("no server has it")


def test_a_cluster_that_loses_the_server_with_the_keys(provider: CountingProvider) -> None:
    """The limits are one over the replicas; without that server each has its part, and it is found again."""
    with cluster() as found, replicas(2, found.url, provider, *FLAGS) as bridges:
        owner = owner_of(found, "{aibridge}")
        assert owner.call("EXISTS", "{aibridge}:state") == 1
        provider.spans.clear()
        with Load(bridges, 12) as load:
            time.sleep(0.5)
            gone = time.perf_counter()
            owner.kill()
            until_condition(bridges, "degraded")
            away = time.perf_counter()
            time.sleep(0.7)
            back = time.perf_counter()
            owner.start()
            until_condition(bridges, "shared", "settling", within=30)
            time.sleep(0.5)
        assert not load.failures
        assert set(load.by_outcome()) <= {"200", "capacity"}
        assert provider.most_at_once(0, gone - 0.1) <= SLOTS
        assert provider.most_at_once() <= SLOTS + SLOTS // 2
        assert provider.most_at_once(away + 0.2, back) <= SLOTS
