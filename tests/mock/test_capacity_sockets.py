"""Slots and quotas on real sockets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from aibridge_trio.mock import MockOptions
from tests.support.mock_provider import Provider, eventually, running

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "m", "messages": [], "stream": True}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running(MockOptions(slots=2, tokens_per_second=200, tokens=4)) as provider:
        yield provider


def test_an_answer_that_has_been_read_has_freed_its_slot(provider: Provider) -> None:
    """One caller after the other, hundreds of times, is never too many for one slot."""
    provider.change(slots=1, tokens_per_second=0)
    for stream in (True, False):
        statuses = [provider.client.post(CHAT, json=ASK | {"stream": stream}).status_code for _ in range(200)]
        assert set(statuses) == {200}
    assert provider.stats()["pushback"] == {}


def test_a_slot_is_held_by_a_stream_and_freed_by_a_disconnect(provider: Provider) -> None:
    """Two streams fill two slots; a caller that hangs up frees its slot."""
    provider.script({"fault": "stall", "times": 2})
    with ExitStack() as streams:
        held = [streams.enter_context(provider.client.stream("POST", CHAT, json=ASK)).iter_raw() for _ in range(2)]
        assert all(map(next, held))
        assert eventually(lambda: provider.stats()["serving"] == 2, within=5)
        assert provider.client.post(CHAT, json=ASK).status_code == 503
    assert eventually(lambda: provider.stats()["serving"] == 0, within=5)
    assert provider.client.post(CHAT, json=ASK).status_code == 200


def test_a_crowd_is_served_in_turn_when_full_is_queue(provider: Provider) -> None:
    """No request is lost, and all slots are free afterwards."""
    provider.change(when_full="queue")
    with ThreadPoolExecutor(12) as crowd:
        statuses = list(crowd.map(lambda _: provider.client.post(CHAT, json=ASK).status_code, range(48)))
    assert set(statuses) == {200}
    assert eventually(lambda: [provider.stats()[each] for each in ("serving", "queued")] == [0, 0], within=5)


def test_an_outage_can_be_switched_on_and_off(provider: Provider) -> None:
    """While `fail` is 529:1 all fail, and afterwards none."""
    statuses = []
    for failures in ({"529": 1}, {}):
        provider.change(fail=failures)
        statuses += [provider.client.post("/v1/messages", json=ASK).status_code for _ in range(3)]
    assert statuses == [529] * 3 + [200] * 3


def test_every_answer_has_the_quota_s_headers(provider: Provider) -> None:
    """Five at once at 30 a minute, then 429 with the wait, in seconds and in milliseconds."""
    provider.change(requests_per_minute=30)
    answers = [provider.client.post(CHAT, json=ASK) for _ in range(6)]
    assert [each.status_code for each in answers] == [200] * 5 + [429]
    assert [each.headers["x-ratelimit-remaining-requests"] for each in answers] == ["4", "3", "2", "1", "0", "0"]
    assert {each.headers["x-ratelimit-limit-requests"] for each in answers} == {"30"}
    refused = answers[-1].headers
    assert 0 < int(refused["retry-after-ms"]) <= 2000
    assert refused["retry-after"] in ("1", "2")
