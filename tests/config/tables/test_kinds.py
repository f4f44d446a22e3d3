"""Kinds of TOML values, and their schemas."""

from __future__ import annotations

import tomllib
from datetime import date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.config.tables import kinds
from aibridge_trio.config.tables.kinds import Kind
from aibridge_trio.config.units import InvalidValue
from aibridge_trio.core.terms import Rate

KINDS = {name: kind for name, kind in vars(kinds).items() if isinstance(kind, Kind)} | {
    "words": kinds.words("low", "normal"),
}
SCALARS = (
    st.text()
    | st.integers()
    | st.booleans()
    | st.floats()
    | st.dates()
    | st.datetimes()
    | st.times()
    | st.sampled_from(["10/s", "200000/m", "0/h", "a" * 64, "*", "gpt-*", "2027-02-30", "http://x", "none"])
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@given(value=VALUES)
def test_a_kind_takes_any_value_and_raises_nothing_but_invalid_value(kind: Kind[Any], value: object) -> None:
    """Whatever TOML holds, it is read, or one visible line says why not."""
    line = ""
    try:
        kind.read(value)
    except InvalidValue as invalid:
        line = str(invalid)
    assert not line or line.isprintable()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_example_is_a_value(kind: Kind[Any]) -> None:
    """What a remedy or the docs show can be read; hashes show none, because any is some token's."""
    value = tomllib.loads(f"x = {kind.example}")["x"]
    if kind is not kinds.HASHES:
        kind.read(value)


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        (0, None),
        (10, Rate(10)),
        ("10", Rate(10)),
        ("10/s", Rate(10)),
        ("200000/m", Rate(200_000, 60)),
        ("5000/h", Rate(5000, 3600)),
        ("0/m", None),
    ],
)
def test_a_rate_is_a_number_a_second_or_has_its_span(value: object, rate: Rate | None) -> None:
    """0 is unlimited."""
    assert kinds.RATE_OF.read(value) == rate


@pytest.mark.parametrize("value", [-1, 1.5, True, "10/d", "/s", "10 /s", "1e3/s", "10/s/s", 10**18, "9" * 19, []])
def test_what_is_no_rate(value: object) -> None:
    """Nothing is guessed."""
    with pytest.raises(InvalidValue):
        kinds.RATE_OF.read(value)


def test_a_date_is_tomls_or_text() -> None:
    """A time has no place in it, and the day must exist."""
    assert kinds.DATE.read(date(2027, 3, 31)) == kinds.DATE.read("2027-03-31") == date(2027, 3, 31)
    for value in ("2027-02-30", "31.3.2027", "2027-3-1", datetime(2027, 3, 31), time(1), 20270331):  # noqa: DTZ001
        with pytest.raises(InvalidValue):
            kinds.DATE.read(value)


def test_hashes_are_lower_case() -> None:
    """One, or several."""
    assert kinds.HASHES.read("AB" * 32) == ("ab" * 32,)
    assert kinds.HASHES.read(["AB" * 32, "cd" * 32]) == ("ab" * 32, "cd" * 32)
    for value in ("ab", "g" * 64, [], ["ab"], ["ab" * 32] * 2):
        with pytest.raises(InvalidValue):
            kinds.HASHES.read(value)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (kinds.CALLER_NAME, ["dev-07", "Jo.Doe+ci@example.com", "9"], ["", "-x", "a b", "ä", "a" * 65, "a\n"]),
        (kinds.CLASS_NAME, ["people", "v1"], ["", "none", "other", "CI", "9", "a_b", "a" * 33]),
        (kinds.PROVIDER_NAME, ["azure", "v2", "nonesuch"], ["v1", "none", "other", "Azure", "a/b"]),
        (kinds.MODEL, ["*", "gpt-*", "a/b:c", "x,y"], ["", "**", "a*b", "a b", "*a"]),
    ],
)
def test_names(kind: Kind[str], right: list[str], wrong: list[str]) -> None:
    """Labels of metrics, paths and log lines stay what they are."""
    for value in right:
        assert kind.read(value) == value
    for value in wrong:
        with pytest.raises(InvalidValue):
            kind.read(value)


def test_a_headers_value_is_not_quoted() -> None:
    """It may be a secret, given by mistake."""
    with pytest.raises(InvalidValue) as found:
        kinds.HEADERS.read({"x-team": "canary\n"})
    assert "canary" not in str(found.value)
    assert kinds.HEADERS.read({"X-Team": "a b"}) == (("x-team", "a b"),)
