"""The bench of a shared store: replicas that really ask one, and a section with what was measured."""

from __future__ import annotations

import pytest

from bench.compare.lab import Lab
from bench.compare.marked import REPLICAS, found, replaced
from bench.compare.process import Failed
from bench.compare.readings import Reading, Readings
from bench.replicas import page, server
from bench.replicas.load import Load
from tests.support.shells import needed

RUN = page.Run(
    readings=Readings(
        [
            Reading("aibridge", "requests_per_s@32", 2000.0),
            Reading("aibridge+store", "requests_per_s@32", 1500.0),
            Reading("aibridge+store", "p50_ms@1&10", 0.9),
            Reading("store", "asks_per_s&10", 200.0),
            Reading("store", "bytes_a_caller", 123.0),
        ]
    ),
    versions={"aibridge": "1", "aibridge+store": "1", "redis-server": "7"},
    date="2026-11-30",
    machine={"kernel": "Linux"},
    callers=100_000,
    replicas=(10,),
    notes=("a note",),
)


def test_the_section_has_ratios_round_by_round() -> None:
    """A proxy with a store stands beside the same one without."""
    text = page.section(RUN)
    assert "| aibridge+store ÷ aibridge | – | 0.75 | – | – |" in text
    assert "| 10 | 200 | – | 0.9 | – |" in text
    assert "123 bytes a caller" in text
    assert found(replaced("# Results\n", text, REPLICAS), REPLICAS) == text


def test_replicas_ask_a_real_store() -> None:
    """Each asks by itself, gets answers in time, and gives back what it held."""
    needed("redis-server")
    with Lab() as lab, server.running(lab, "redis-server") as (_, port):
        store = f"redis://127.0.0.1:{port}/0"
        with Load(lab, store, replicas=2, callers=10) as load:
            load.fill()
            load.begin()  # when it returns one has been answered
            done = load.end()
        assert done.asks > done.late
        assert server.memory(port) > 0


def test_a_store_that_is_not_there_fails() -> None:
    """The bench says which program it needs."""
    with Lab() as lab, pytest.raises(Failed, match="no-such-server"), server.running(lab, "no-such-server"):
        pass
