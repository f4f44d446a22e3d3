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
    LEARNED,
    NOW,
    OUTAGE,
    RESTING,
    SCOPES,
    Said,
    a_document,
    a_picture,
    a_scope,
    adapting,
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


def test_what_was_learned_is_beneath_its_provider() -> None:
    """With the line, what is sent again a second, and all that was, as far as the width allows."""
    learned = adapting("openai", **LEARNED)
    text = "  └ 41 in flight learned, 529 at 42, 3 s ago  37 held"
    assert lines(learned, width=60)[7] == text
    assert lines(learned, width=80)[7] == f"{text} of 4 callers"
    assert lines(learned, width=100)[7] == f"{text} of 4 callers  0.4/s sent again"
    whole = f"{text} of 4 callers  0.4/s sent again  3,216 since the start, budget 88"
    assert any(line == whole for line in lines(learned, width=120, height=40))


def test_keys_of_the_pool_have_a_line_unless_all_are_ready() -> None:
    """Those that are out are named, and how long the others rest; while all are ready there is no line."""

    def keyed(**states: float | None) -> Any:
        def change(document: Said) -> None:
            for provider in document["providers"]:
                if provider["name"] == "openai":
                    provider["keys"] = [
                        {
                            "label": label,
                            "state": "out" if left is None else "resting" if left else "ready",
                            "in_use": 0,
                            "left_s": left or 0.0,
                        }
                        for label, left in states.items()
                    ]

        return change

    assert lines(keyed(a=0.0, b=0.0), calm) == lines(calm)
    [line] = set(lines(keyed(a=0.0, b=12.5, c=None), calm)) - set(lines(calm))
    assert line.strip() == "└ 1 of 3 keys ready  OUT c  resting b 12s"
    [line] = set(lines(keyed(a=None), calm)) - set(lines(calm))
    assert line.strip() == "└ 0 of 1 keys ready  OUT a"


def test_what_was_learned_grows_older_with_the_document() -> None:
    """A canary comes nearer, and a pushback is longer ago."""
    row = provider_rates(read(a_document(100.0, adapting("openai", **OUTAGE))).providers[0], None, 1.0)
    for age, canary, ago in ((0.0, "in 2 s", 0), (1.0, "in 1 s", 1), (2.0, "next", 2)):
        [[line]] = detail_lines([row], None, age, 80)
        assert "".join(text for text, _ in line).startswith(f"  └ outage, canary {canary}, 503 at 1, {ago} s ago")


def test_a_limiter_that_limits_nothing_takes_no_line() -> None:
    """Nothing learned, nothing held, nothing sent again of late; so does one that is off."""
    assert lines(adapting("openai", sent_again=12)) == lines()
    assert lines(adapting("openai", sent_again=12, pushback=("529", 42, 99.0))) == lines()


def test_what_was_learned_comes_before_breakers_and_keys() -> None:
    """On a small screen it stays, and what is left out beneath it is counted."""
    drawn = lines(scoping("openai"), adapting("openai", **LEARNED))
    assert drawn[8].startswith("  └ 41 in flight learned")
    assert drawn[9].startswith("  └        OPEN")
    assert drawn[10] == "  └ 4 more: 1 half-open, 1 ramp, 2 closed"
    for most in range(1, 8):
        changed = a_document(100.0, scoping("openai"), adapting("openai", **LEARNED))
        row = provider_rates(read(changed).providers[0], None, 1.0)
        [below] = detail_lines([row], most, 0.0, 80)
        assert len(below) == min(most, 6)
        assert "learned" in below[0][1][0]


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
