"""A rolling restart of three replicas with one store, behind a balancer that goes by their readiness.

As deploy/kubernetes does it: a new replica is ready before an old one gets its signal, and the old one serves on
for its drain delay. All are restarted again and again until all requests were made. ROLLING_REQUESTS is their
number, for a longer run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path

import httpx
import pytest

from tests.support import redis_servers
from tests.support.asking import Asking, Callers
from tests.support.counting_provider import CountingProvider, counting_provider
from tests.support.processes import PATIENCE, START, Process, free_ports, until
from tests.support.shells import needed

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

REQUESTS = int(os.environ.get("ROLLING_REQUESTS", "3000"))
REPLICAS, SLOTS, AT_ONCE = 3, 24, 12


class Replica:
    """A bridge at ports of its own."""

    def __init__(self, ports: tuple[int, int], provider: CountingProvider, store: str) -> None:
        self.ports = ports
        self._process = Process(
            *("serve", "--bind", f"127.0.0.1:{ports[0]}", "--admin-bind", f"127.0.0.1:{ports[1]}"),
            *(*provider.flags, "--store", store, "--max-concurrency", str(SLOTS)),
            # A replica that is late on a busy machine goes on by itself, and its part may be full.
            *("--drain-delay", "2s", "--log-level", "warning", "--store-timeout", "1s"),
        )
        until(self._ready, "a replica that is ready", START)

    def _ready(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.ports[1]}/readyz", verify=False, trust_env=False).is_success
        return False

    def terminate(self) -> int:
        """End it as an orchestrator does; return its exit status."""
        self._process.signal()
        return self._process.wait(4 * PATIENCE)

    def end(self) -> None:
        """Release what it has."""
        self._process.end()


@contextmanager
def balancer(folder: Path, port: int, pairs: list[tuple[int, int]]) -> Iterator[None]:
    """Run HAProxy before these pairs of ports: it sends requests to those whose admin listener says ready."""
    servers = "".join(
        f"\n            server r{ports[0]} 127.0.0.1:{ports[0]} check port {ports[1]} inter 200ms fall 1 rise 1"
        for ports in pairs
    )
    (folder / "haproxy.cfg").write_text(f"""
        defaults
            mode http
            timeout client 60s
            timeout server 60s
            timeout connect 5s
            option redispatch
        frontend callers
            bind 127.0.0.1:{port}
            default_backend replicas
        backend replicas
            balance roundrobin
            option httpchk
            http-check send meth GET uri /readyz hdr Host localhost{servers}
        \n""")
    process = subprocess.Popen(
        [needed("haproxy"), "-f", str(folder / "haproxy.cfg")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def test_no_request_is_lost(tmp_path: Path) -> None:
    """Each gets a provider's answer, but for those beyond the limit; the limit holds with more replicas, too."""
    ports = free_ports(2 * (2 * REPLICAS) + 1)
    pairs = list(zip(ports[1::2], ports[2::2], strict=True))
    asking: Asking | None = None
    old: list[Replica] = []
    with redis_servers.running() as server, counting_provider(0.02) as provider:
        try:
            old += [Replica(each, provider, server.url) for each in pairs[:REPLICAS]]
            with balancer(tmp_path, ports[0], pairs):
                until(lambda: _serves(ports[0]), "the balancer sends requests on")
                asking = Asking(Callers([ports[0]], AT_ONCE, REQUESTS))
                until(lambda: provider.counts()["requests"] > 50, "traffic")
                most = 0
                for restarts, each in enumerate(cycle((*pairs[REPLICAS:], *pairs[:REPLICAS])), 1):
                    old.append(Replica(each, provider, server.url))
                    leaving = old.pop(0)
                    assert leaving.terminate() == 0
                    leaving.end()
                    most = max(most, provider.counts()["most"])
                    if restarts >= REPLICAS and asking.over:
                        break
                found = asking.asked(PATIENCE)
                most = max(most, provider.counts()["most"])
        finally:
            for replica in old:
                replica.end()
    assert found.lost == []
    assert (found.statuses, found.rejects) == ({"200": REQUESTS}, {})
    assert most <= SLOTS


def _serves(port: int) -> bool:
    with suppress(httpx.HTTPError):
        url = f"http://127.0.0.1:{port}/openai/v1/chat/completions"
        ask = {"model": "m", "messages": []}
        return httpx.post(
            url, json=ask, headers={"authorization": "Bearer sk-first"}, verify=False, trust_env=False
        ).is_success
    return False
