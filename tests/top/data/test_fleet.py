"""Several replicas as one: sums, percentiles of summed histograms, and differences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aibridge_trio.top.data import fleet
from aibridge_trio.top.data.document import Store
from aibridge_trio.top.data.fleet import Replica
from tests.support.pictures import OPEN, a_picture, breaking


def replicas() -> list[Replica]:
    """Two that answer, the second with an open breaker, and one that is lost."""
    return [
        Replica("a", a_picture()),
        Replica("b", a_picture(breaking("openai", **OPEN))),
        Replica("c", a_picture(), "connection refused", 9.0),
    ]


def test_sums_and_percentiles() -> None:
    """Twice the same is twice the rate, with the same percentiles."""
    one = a_picture()
    [single, *_] = fleet.providers([one])
    [both, *_] = fleet.providers([one, one])
    assert both.in_flight == 2 * single.in_flight
    assert both.responses == pytest.approx(2 * (single.responses or 0.0))
    assert (both.p50, both.p99) == (one.providers[0].p50, one.providers[0].p99)


def test_no_percentile_is_made_of_histograms_with_other_bounds() -> None:
    """A replica of another version may have others."""
    one = a_picture()
    row = replace(one.providers[0], first_bytes={1.0: 5})
    [merged, *_] = fleet.providers([one, replace(one, providers=(row,))])
    assert (merged.p50, merged.p99) == (None, None)


def test_differences_name_the_exceptions() -> None:
    """Of those that answer; what is the same is not named."""
    found = replicas()
    assert found[1].picture
    document = replace(found[1].picture.document, version="0.2.0", limit=7, store=Store("degraded", 3))
    found[1] = replace(found[1], picture=replace(found[1].picture, document=document))
    assert fleet.differences(found) == [
        "version 0.1.0, but 0.2.0 at b",
        "requests in flight at most 50, but 7 at b",
        "store unknown, but degraded at b",
        "openai breaker closed, but open at b",
    ]
    assert fleet.differences(found[:1]) == []
