"""The bench of workers: a section with what was measured, and a lab whose programs share all cores."""

from __future__ import annotations

import os

from bench.compare.lab import Lab
from bench.compare.marked import WORKERS, found, replaced
from bench.compare.readings import Reading, Readings
from bench.workers import page
from bench.workers.__main__ import peers

RUN = page.Run(
    readings=Readings(
        [
            Reading(page.SINGLE, "requests_per_s@32", 2000.0),
            Reading(page.SEVERAL, "requests_per_s@32", 3000.0),
        ]
    ),
    version="1",
    date="2026-12-01",
    machine={"kernel": "Linux"},
    notes=("a note",),
)


def test_the_section_has_the_ratio() -> None:
    """Workers stand beside one process."""
    text = page.section(RUN)
    assert "| workers ÷ one process | 1.5 | – | – | – |" in text
    assert found(replaced("# Results\n", text, WORKERS), WORKERS) == text


def test_bridges_differ_by_workers_and_limits_only() -> None:
    """Each ratio compares the same limits."""
    found_peers = peers("/bin/true", 2)
    assert [each.name for each in found_peers] == [
        page.SINGLE,
        page.SEVERAL,
        page.SINGLE_FREE,
        page.SEVERAL_FREE,
    ]


def test_all_share_all_cores() -> None:
    """More processes need more cores than the one that a proxy has otherwise."""
    with Lab(everywhere=True) as lab:
        assert lab.cores == lab.load_cores == os.sched_getaffinity(0)
