"""Several replicas as one: sums, percentiles of summed histograms, and differences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aibridge_trio.top.data import fleet
from aibridge_trio.top.data.document import Store
from aibridge_trio.top.data.fleet import Replica
from aibridge_trio.top.data.history import Picture
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
    assert [each.words for each in fleet.differences(found)] == [
        "version 0.1.0, but 0.2.0 at b",
        "requests in flight at most 50, but 7 at b",
        "store unknown, but degraded at b",
        "openai breaker closed, but open at b",
    ]
    assert fleet.differences(found[:1]) == []


def changed(picture: Picture, **changes: Any) -> Picture:
    """The picture, of another document."""
    return replace(picture, document=replace(picture.document, **changes))


def test_many_exceptions_are_a_few_names() -> None:
    """The others are counted."""
    odd = changed(a_picture(), version="0.2.0")
    found = [Replica(f"a{number}", a_picture()) for number in range(6)]
    found += [Replica(f"b{number}", odd) for number in range(5)]
    [difference] = fleet.differences(found)
    assert difference.words == "version 0.1.0, but 0.2.0 at b0, b1, b2 and 2 more"
    assert len(difference.names) == 5


def test_the_worst_come_first() -> None:
    """Lost, not there yet, silent, degraded, draining, breakers, another configuration, well; twins last."""
    well, opened = a_picture(), a_picture(breaking("openai", **OPEN))
    degraded = changed(well, store=Store("degraded", 3), started_at=2.0)
    found = [
        Replica("twin", well, twin="well"),
        Replica("well", well),
        Replica("odd", changed(well, version="0.0.9")),
        Replica("open", opened),
        Replica("draining", changed(well, draining=True)),
        Replica("degraded", degraded),
        Replica("silent", well, silence=3.0),
        Replica("wait"),
        Replica("lost", opened, "connection refused"),
        Replica("well too", well),
    ]
    names = [each.name for each in fleet.worst_first(found)]
    assert names == [
        *("lost", "wait", "silent", "degraded", "draining", "open", "odd", "well", "well too", "twin"),
    ]


def test_one_process_counts_once() -> None:
    """However it is reached; a lost one is no twin, nor are bridges that do not tell when they started."""
    picture = a_picture()
    other = changed(picture, started_at=picture.document.started_at + 0.000_01)
    old = changed(picture, started_at=0.0)
    found = fleet.without_twins(
        [
            Replica("lost", picture, "it hung up"),
            Replica("a", picture),
            Replica("b", picture),
            Replica("c", other),
            *(Replica("d", old), Replica("e", old)),
        ]
    )
    assert {each.name: each.twin for each in found if each.twin} == {"b": "a"}
    assert [each.name for each in found if each.here] == ["a", "c", "d", "e"]
