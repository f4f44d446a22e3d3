"""The lines beneath a provider's row: breakers by scope, and keys that rest."""

from __future__ import annotations

import copy
import re
from datetime import UTC
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.top.data.parse import read
from aibridge_trio.top.data.rates import provider_rates
from aibridge_trio.top.screen.alert import Link
from aibridge_trio.top.screen.layout import Canvas, frame
from aibridge_trio.top.screen.provider_details import detail_lines, notable
from aibridge_trio.top.screen.text import length
from aibridge_trio.top.view import View
from tests.support.pictures import (
    NOW,
    RESTING,
    SCOPES,
    Said,
    a_document,
    a_picture,
    a_scope,
    breaking,
    scoping,
)

HERE = Link("http://127.0.0.1:4002")


def lines(*changes: Any, width: int = 80, height: int | None = 24, view: View | None = None) -> list[str]:
    """What is drawn of a bridge that was changed so."""
    drawn = frame(a_picture(*changes), view or View(), HERE, Canvas(width, height, UTC), NOW + 0.4)
    return drawn.plain.splitlines()


def calm(document: Said) -> None:
    """Let there be no rejects."""
    document["rejects"] = dict.fromkeys(document["rejects"], 0)


def test_scopes_at_rest_take_no_room() -> None:
    """A breaker for each model looks as one for all, as long as none of them has anything to say."""
    resting = breaking("openai", scope="model", scopes=[a_scope("gpt-4o"), a_scope("other")])
    assert lines(resting) == lines()
    keys = breaking("openai", credentials={"resting": 0, "total": 9, "evictions": 0, "callers": []})
    assert lines(keys) == lines()


def test_scopes_that_have_something_to_say_have_rows() -> None:
    """Each in the columns of its provider, the most urgent first, its name behind; the others have none."""
    drawn = "\n".join(lines(scoping("openai"), width=120, height=40))
    for told in (
        r"^▸openai +OPEN 1/6 +22s 1m38s +0/5 +-- +6 +190 +411ms",
        r"^  └ +OPEN +22s 1m38s +0/5 +-- +3 +131 gpt-4o-mini$",
        r"^  └ +half-open +1s +-- +0/5 +2/3 +1 +12 o3-pro-2025-06-10$",
        r"^  └ +ramp 40% +9s +-- +0/5 +-- +1 +40 gpt-5$",
        r"^  └ +closed +1h15m +-- +0/5 +-- +1 +7 other$",
        r"^  └ +closed +1h15m +-- +3/5 +-- +0 +0 gpt-5-mini$",
    ):
        assert re.search(told, drawn, re.MULTILINE), f"{told}\n{drawn}"
    assert "gpt-4o\n" not in drawn


def test_a_failure_share_is_shown_from_the_threshold_on() -> None:
    """Of a provider and a scope: below the threshold the number of failures, then their share of the calls."""
    scopes = [
        a_scope("gpt-5", failures_in_window=4, failure_share_in_window=1.0),
        a_scope("gpt-5-mini", failures_in_window=60, failure_share_in_window=0.064),
    ]
    asks = {"failure_share": 0.5, "failures_in_window": 60, "failure_share_in_window": 0.064}
    drawn = "\n".join(lines(breaking("openai", scope="model", scopes=scopes, **asks), width=120, height=40))
    for told in (
        r"^▸openai +closed +1h15m +-- +6% +-- +0 +0 ",
        r"^  └ +closed +1h15m +-- +6% +-- +0 +0 gpt-5-mini$",
        r"^  └ +closed +1h15m +-- +4/5 +-- +0 +0 gpt-5$",
    ):
        assert re.search(told, drawn, re.MULTILINE), f"{told}\n{drawn}"


def test_scopes_without_room_are_counted() -> None:
    """On a small screen the last line beneath a provider says how many more there are, and of what."""
    drawn = lines(scoping("openai"))
    assert drawn[10] == "  └ 3 more: 1 ramp, 2 closed"
    assert drawn[11].startswith(" anthropic")


def test_off_a_screen_every_scope_is_reported() -> None:
    """`--once` leaves nothing out."""
    drawn = "\n".join(lines(scoping("openai"), height=None))
    assert "more:" not in drawn
    assert all(name in drawn for name, *_ in SCOPES)


STATES = st.sampled_from(["closed", "open", "half-open"])


SOME = st.lists(
    st.builds(
        lambda state, share, trips: a_scope("a-model", state, share=share, trips=trips),
        STATES,
        st.sampled_from([0.0, 0.4, 1.0]),
        st.integers(0, 2),
    ),
    max_size=9,
)


MANY = st.lists(st.tuples(SOME, st.booleans()), min_size=1, max_size=6)


@given(MANY, st.integers(0, 12), st.integers(70, 200))
def test_no_more_lines_than_may_be_and_nothing_uncounted(
    many: list[tuple[list[Said], bool]], most: int, width: int
) -> None:
    """Together they keep to the bound, no provider has an empty line, and what is left out is counted."""
    said = a_document(100.0)
    said["providers"] = [copy.deepcopy(said["providers"][0]) for _ in many]
    for provider, (scopes, rest) in zip(said["providers"], many, strict=True):
        provider["breaker"] |= {"scopes": scopes} | (RESTING if rest else {})
    shown = [provider_rates(each, None, 1.0) for each in read(said).providers]
    below, everything = detail_lines(shown, most, 0.0, width), detail_lines(shown, None, 0.0, width)
    assert sum(map(len, below)) <= most
    having = sum(map(bool, everything))
    assert sum(map(bool, below)) == min(having, most)
    for row, some, every in zip(shown, below, everything, strict=True):
        assert len(every) == len(notable(row.provider.breaker)) + bool(row.provider.breaker.keys)
        if 0 < len(some) < len(every):
            *before, (_, (text, _), *_) = some
            assert text.startswith(f"{len(notable(row.provider.breaker)) - len(before)}")
        assert all(length(line) > 0 for line in some)


def test_what_is_chosen_stays_in_sight_beneath_scopes() -> None:
    """The mark is on the screen, however low it is and however much stands beneath those above."""
    changes = (scoping("openai"), breaking("anthropic", **RESTING))
    for height in range(8, 41):
        for chosen in ("openai", "anthropic", "copilot"):
            drawn = lines(*changes, height=height, view=View(chosen=chosen))
            assert any(line.startswith(f"▸{chosen}") for line in drawn), (height, chosen)


def test_keys_that_rest_are_told() -> None:
    """How many, in the alert; beneath the provider whose, for how long still, and how many in all."""
    drawn = lines(breaking("openai", **RESTING), calm)
    assert drawn[1] == "openai: 7 keys rest"
    assert drawn[7] == "  └ 7 keys rest  …x7Qa 24s  …9fK2 11s  41 since the start, 2 forgotten"
    one = {"resting": 1, "total": 1, "evictions": 0, "callers": [{"hint": "…x7Qa", "left_s": 5.0}]}
    assert lines(breaking("openai", credentials=one), calm)[1] == "openai: 1 key rests"
