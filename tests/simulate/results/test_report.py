"""Tables and JSON documents of results."""

from __future__ import annotations

import json

import pytest

from aibridge_trio.simulate.plan import Played
from aibridge_trio.simulate.results import report
from tests.support.simulated import CALLERS, OUTAGE, parsed, play, played


def test_the_document_has_the_numbers_and_the_curves() -> None:
    """One JSON document, without what JSON has no word for."""
    document = json.loads(report.document(7, played("flapping")), parse_constant=pytest.fail)
    assert document["seed"] == 7
    [flapping] = document["scenarios"]
    outcome = flapping["outcomes"][0]
    assert {"goodput", "wasted", "fairness", "wait_p99", "told_p50", "recovery", "recovered"} <= set(outcome)
    assert len({len(curve) for curve in outcome["curves"].values() if isinstance(curve, list)}) == 1


def test_each_caller_counts_the_same() -> None:
    """One that wants much and gets little is one of many, in a column of its own."""
    outcome = play(
        'duration = "2m"\n[[callers]]\ncount = 9\nrequests_per_minute = 6\n'
        "[[callers]]\ncount = 1\nrequests_per_minute = 600\n[provider]\nslots = 10\n",
        max_concurrency=10,
        max_concurrency_per_caller=2,
    )
    assert outcome.share < 0.2
    assert outcome.share_by_caller > 0.8
    table = report.table(Played(parsed(CALLERS), (outcome,))).splitlines()
    assert "by caller" in table[3]
    assert f"{outcome.share:.1%}  " in table[4]
    assert f" {outcome.share_by_caller:.1%}" in table[4]


def test_with_the_bound_each_row_has_its_share_of_it() -> None:
    """What it answered by what clairvoyant did, in the table and the document; without the bound there is none."""
    scenario = parsed(CALLERS + "[provider]\nslots = 9\n" + OUTAGE)
    outcomes = tuple(play(scenario, policy) for policy in ("none", "clairvoyant"))
    _, _, _, heading, none, bound, *_ = report.table(Played(scenario, outcomes)).splitlines()
    at = heading.index("of clairvoyant") + len("of clairvoyant")
    part = outcomes[0].share / outcomes[1].share
    assert part < 0.9
    assert none[:at].endswith(f" {part:.1%}")
    assert bound[:at].endswith(" 100.0%")
    [document] = json.loads(report.document(1, [Played(scenario, outcomes)]))["scenarios"]
    assert [each["of_clairvoyant"] for each in document["outcomes"]] == [pytest.approx(part, abs=1e-6), 1.0]
    alone = Played(scenario, outcomes[:1])
    assert "clairvoyant" not in report.table(alone)
    [document] = json.loads(report.document(1, [alone]))["scenarios"]
    assert document["outcomes"][0]["of_clairvoyant"] is None
