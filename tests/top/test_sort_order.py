"""The order of the dashboard's providers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.top.data.document import Breaker
from aibridge_trio.top.data.rates import ProviderRates
from aibridge_trio.top.screen.panels import providers as block
from aibridge_trio.top.sort_order import SORT_KEYS, direction, urgency
from aibridge_trio.top.view import View, press, rows
from tests.support.pictures import FORCED_OPEN, HALF_OPEN, OFF, OPEN, Said, a_picture, breaking


def shown(view: View, *changes: tuple[str, Said]) -> list[str]:
    """The names from top to bottom."""
    return [
        row.provider.name for row in rows(view, a_picture(*(breaking(name, **each) for name, each in changes)))
    ]


def test_the_most_urgent_is_on_top() -> None:
    """By state: open, half-open, closed, and those without a breaker last; equals in the bridge's order."""
    assert shown(View()) == ["openai", "anthropic", "copilot"]
    assert shown(View(), ("copilot", OPEN), ("anthropic", HALF_OPEN)) == ["copilot", "anthropic", "openai"]
    assert shown(View(), ("openai", OFF), ("copilot", FORCED_OPEN)) == ["copilot", "anthropic", "openai"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("PROVIDER", ["anthropic", "copilot", "openai"]),
        ("STATE", ["copilot", "openai", "anthropic"]),
        ("FOR", ["anthropic", "copilot", "openai"]),
        ("LEFT", ["copilot", "openai", "anthropic"]),
        ("FAILS", ["anthropic", "copilot", "openai"]),
        ("PROBE", ["openai", "anthropic", "copilot"]),
        ("TRIPS", ["copilot", "anthropic", "openai"]),
        ("REJECTS", ["anthropic", "openai", "copilot"]),
        ("P50", ["anthropic", "openai", "copilot"]),
        ("P99", ["anthropic", "openai", "copilot"]),
        ("TOK/S", ["openai", "anthropic", "copilot"]),
        ("IN/S", ["openai", "anthropic", "copilot"]),
        ("OUT/S", ["openai", "anthropic", "copilot"]),
        ("REJ/S", ["copilot", "openai", "anthropic"]),
    ],
)
def test_rows_are_sorted_by_the_column(sort: str, expected: list[str]) -> None:
    """Names by the alphabet, numbers the largest first, what is not known last; reversed, the other way."""
    changes: list[tuple[str, Said]] = [
        ("openai", HALF_OPEN | {"since_s": 1.0, "failures_in_window": 0, "probes": 2, "trips": 1, "rejects": 20}),
        ("anthropic", {"since_s": 900.0, "failures_in_window": 3, "trips": 2, "rejects": 30}),
        ("copilot", OPEN | {"since_s": 9.0, "failures_in_window": 1, "trips": 3, "rejects": 10}),
    ]
    if sort == "REJ/S":
        picture = a_picture(refusing)
        names = [
            [row.provider.name for row in rows(View(sort=sort, reverse=each), picture)] for each in (False, True)
        ]
    else:
        names = [shown(View(sort=sort, reverse=each), *changes) for each in (False, True)]
    # Only one is open, and only one half-open: the others have nothing to be sorted by.
    assert names == [expected, expected if sort in {"LEFT", "PROBE"} else expected[::-1]]


def refusing(document: Said) -> None:
    """Let each provider's breaker refuse, one more than the other."""
    for provider, part in zip(document["providers"], (0.2, 0.1, 0.3), strict=True):
        provider["breaker"]["rejects"] = int(document["requests"]["total"] * part)


@pytest.mark.parametrize("reverse", [False, True])
def test_what_is_not_known_is_last(reverse: bool) -> None:
    """In either direction: a cooldown that is just over comes before none at all, counts before dashes."""
    over = ("copilot", OPEN | {"cooldown_left_s": 0.0})
    assert shown(View(sort="LEFT", reverse=reverse), over) == ["copilot", "openai", "anthropic"]
    off = ("openai", OFF)
    for sort in ("FAILS", "TRIPS", "REJECTS"):
        assert shown(View(sort=sort, reverse=reverse), off)[-1] == "openai"

    def unheard(document: Said) -> None:
        document["providers"][0]["ttfb_s"]["buckets"] = {"+Inf": 0}

    for sort in ("P50", "P99"):
        assert rows(View(sort=sort, reverse=reverse), a_picture(unheard))[-1].provider.name == "openai"


def test_equals_keep_the_bridges_order() -> None:
    """In either direction."""
    for reverse in (False, True):
        assert shown(View(sort="TRIPS", reverse=reverse)) == ["openai", "anthropic", "copilot"]


@pytest.mark.parametrize(("sort", "sign"), [("PROVIDER", "▲"), ("STATE", "▼"), ("FAILS", "▼"), ("REJ/S", "▼")])
def test_the_direction_has_its_sign(sort: str, sign: str) -> None:
    """Names go up and numbers down; reversed, the other way."""
    assert direction(sort, reverse=False) == sign
    assert {direction(sort, reverse=each) for each in (False, True)} == {"▲", "▼"}


def test_every_column_can_be_sorted_by() -> None:
    """The columns of the table are those that can be sorted by, in the same order, and no others are chosen."""
    for width in (80, 99, 100, 250):
        [head, *_] = block(View(), rows(View(), a_picture()), [[], [], []], 0.0, width)
        titles = [text for text, _ in head if text.strip() and text not in "▲▼"]
        assert titles == (list(SORT_KEYS) if width >= 100 else list(SORT_KEYS)[:-3])
        path = [View(sort="PROVIDER")]
        for _ in SORT_KEYS:
            path.append(press(path[-1], ">", (), width)[0])
        assert list(dict.fromkeys(view.sort for view in path)) == titles


@given(st.booleans(), st.text(max_size=9))
def test_no_state_is_unknown_to_urgency(enabled: bool, state: str) -> None:
    """A state that is not known here is less urgent than any that is."""
    breaker = Breaker(
        enabled=enabled,
        state=state,
        mode="auto",
        since=0.0,
        left=None,
        failures=0,
        threshold=0,
        probes=0,
        max_probes=0,
        trips=0,
        rejects=0,
        verdicts={},
    )
    known = [replace(breaker, enabled=True, state=each) for each in ("open", "half-open", "closed")]
    known.insert(2, replace(known[-1], share=0.4))
    assert [urgency(each) for each in known] == [0, 1, 2, 3]
    assert urgency(breaker) == (0 if enabled and state == "open" else 4)


def test_rows_are_of_the_picture() -> None:
    """Rows are the picture's own, none twice."""
    picture = a_picture()
    found: list[ProviderRates] = rows(View(sort="P99", reverse=True), picture)
    assert sorted(map(id, found)) == sorted(map(id, picture.providers))
