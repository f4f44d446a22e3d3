"""What replicas send to a real store, counted by the store."""

from __future__ import annotations

import re
import time

import pytest

from tests.support.processes import until
from tests.support.redis_servers import RedisServer, running
from tests.support.store_chaos import Load, a_counting_provider, replicas

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


def batches(server: RedisServer) -> int:
    """Return how many batches the store has executed."""
    found = str(server.call("INFO", "commandstats"))
    return sum(int(calls) for calls in re.findall(r"cmdstat_eval(?:sha)?:calls=(\d+)", found))


def test_refusals_of_a_full_limit_are_not_asked_for() -> None:
    """One replica has all slots; the other one refuses hundreds of requests, and asks ten times a second."""
    with running() as server, a_counting_provider() as provider:
        provider.hold = 6.0
        flags = ("--max-concurrency", "3", "--store-timeout", "1s")
        with replicas(2, server.url, provider, *flags) as [one, other], Load([one], 3) as holding:
            until(lambda: one.in_flight() == 3, "it has all slots")
            before, began = batches(server), time.perf_counter()
            with Load([other], 6) as refused:
                time.sleep(3.0)
            took = time.perf_counter() - began
            sent = batches(server) - before
        assert not holding.failures + refused.failures
        assert set(refused.by_outcome()) == {"capacity"}
        assert len(refused.answers) > 100
        # Ten questions a second, a beat a second of each, and what is asked before the first answer.
        assert sent <= 12 * took + 15, (sent, took, len(refused.answers))


def test_replicas_without_requests_send_one_batch_a_second() -> None:
    """To say that they are there."""
    with running() as server, a_counting_provider() as provider:
        with replicas(2, server.url, provider, "--max-concurrency", "3", "--store-timeout", "1s"):
            time.sleep(1.0)
            before, began = batches(server), time.perf_counter()
            time.sleep(4.0)
            sent, took = batches(server) - before, time.perf_counter() - began
        assert 2 * (took - 1.5) <= sent <= 2 * (took + 1.5) + 2
