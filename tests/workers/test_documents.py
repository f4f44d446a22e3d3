"""The status of all workers as one document."""

from __future__ import annotations

from typing import Any

from trio.testing import MockClock

from aibridge_trio.workers.documents import counts, together
from tests.support.network import Network
from tests.support.status_documents import VALIDATOR


async def a_document(network: Network) -> dict[str, Any]:
    """The document of a bridge that has served."""
    async with network.bridge(max_concurrency=5, queue_size=2, circuit_breaker=True, adaptive=True) as bridge:
        await bridge.client.get("/")
        return bridge.bridge.status.document()


async def test_one_document_is_itself(autojump_clock: MockClock, network: Network) -> None:
    """All that a worker says is in it."""
    document = await a_document(network)
    events = [event for event in document["events"] if event["kind"] not in {"start", "drain", "stop"}]
    assert together([document]) == {**document, "events": events}
    VALIDATOR.validate(together([document]))


async def test_two_documents_are_of_the_same_schema(autojump_clock: MockClock, network: Network) -> None:
    """Counts are added up, and limits are not."""
    document = await a_document(network)
    both = together([document, document])
    VALIDATOR.validate(both)
    assert both["requests"]["total"] == 2 * document["requests"]["total"] == 2
    assert both["concurrency"]["limit"] == 5
    assert [each["name"] for each in both["providers"]] == [each["name"] for each in document["providers"]]
    assert both["providers"][0]["ttfb_s"]["buckets"].keys() == document["providers"][0]["ttfb_s"]["buckets"].keys()


async def test_of_a_worker_that_has_ended_its_counts_stay(autojump_clock: MockClock, network: Network) -> None:
    """Nothing is in flight there."""
    document = await a_document(network)
    document["concurrency"]["in_flight"] = 3
    ended = counts(document)
    assert together([document], [ended])["concurrency"]["in_flight"] == 3
    assert together([document], [ended])["requests"]["total"] == 2


def test_the_worst_state_is_shown() -> None:
    """Of breakers the one that is open; events are in the order of time."""
    event = {"kind": "breaker", "at": 2.0}
    one: dict[str, Any] = {
        "events": [event],
        "callers": [],
        "providers": [{"name": "openai", "breaker": {"state": "closed", "rejects": 1}}],
    }
    two: dict[str, Any] = {
        "events": [{**event, "at": 1.0}, {**event, "kind": "start"}],
        "callers": [],
        "providers": [{"name": "openai", "breaker": {"state": "open", "rejects": 2}}],
    }
    found = together([one, two])
    assert found["providers"] == [{"name": "openai", "breaker": {"state": "open", "rejects": 3}}]
    assert [each["at"] for each in found["events"]] == [1.0, 2.0]
