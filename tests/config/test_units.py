from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.config import addresses, units
from aibridge_trio.config.units import InvalidValue, Secret, Unit, nearest
from aibridge_trio.top.screen.text import span

UNITS = {
    name: unit for module in (units, addresses) for name, unit in vars(module).items() if isinstance(unit, Unit)
}
CHOICE = units.choice("debug", "info")


@pytest.mark.parametrize("unit", [*UNITS.values(), CHOICE], ids=[*UNITS, "choice"])
@given(text=st.text() | st.text("0123456789.:/[]@-,msKMGiBhtp%", max_size=40))
@example(text="9" * 10_000)
@example(text="\0")
@example(text="\ud800")
@example(text="٣s")
@example(text="nan")
@example(text="1e999s")
def test_a_parser_takes_any_text_and_raises_nothing_but_invalid_value(unit: Unit[object], text: str) -> None:
    """Whatever the text, a unit gives a value that it can show, or says in one visible line why not."""
    try:
        said = unit.show(unit.parse(text))
    except InvalidValue as invalid:
        said = str(invalid)
    assert isinstance(said, str)
    assert unit in {units.FILE, units.TEXT} or said.isprintable()


@pytest.mark.parametrize("unit", {*UNITS.values(), CHOICE} - {units.SECRET, addresses.PROXY})
def test_an_example_is_a_value(unit: Unit[object]) -> None:
    """What a unit gives as its example can be read, and shown it reads as the same value again."""
    value = unit.parse(unit.example)
    assert unit.parse(unit.show(value)) == value


@given(st.integers(0, 10**15))
def test_durations_round_trip(nanoseconds: int) -> None:
    """A duration that is shown and read again is the same to the nanosecond."""
    seconds = nanoseconds / 1e9
    assert units.DURATION.parse(units.show_duration(seconds)) == pytest.approx(seconds, abs=1e-9)


@given(st.integers(0, 10**8))
def test_shares_round_trip(millionths: int) -> None:
    """A share that is shown, or written as a percentage, reads as exactly the same."""
    share = units.SHARE.parse(f"{millionths / 10**6:.6f}%")
    assert units.SHARE.parse(units.SHARE.show(share)) == share
    assert share == millionths / 10**8


SHARES = {"0": 0.0, "0%": 0.0, "0.07": 0.07, "7%": 0.07, "12.5%": 0.125, "1": 1.0, "100%": 1.0}
NO_SHARES = {"50": "50%", "1.5": None, "101%": None, "1e-3": None, "%": None}


@pytest.mark.parametrize(("text", "share"), SHARES.items())
def test_a_share_is_a_number_or_a_percentage(text: str, share: float) -> None:
    """A share is a part of 1, or of 100 with a sign."""
    assert units.SHARE.parse(text) == share


@pytest.mark.parametrize(
    ("text", "instead"), [("50", "50%"), ("1.5", None), ("101%", None), ("1e-3", None), ("%", None)]
)
def test_more_than_all_is_no_share(text: str, instead: str | None) -> None:
    """A share above 1 is refused; where it was clearly meant in percent, the message says how to write that."""
    with pytest.raises(InvalidValue) as caught:
        units.SHARE.parse(text)
    assert caught.value.instead == instead


@given(st.integers(1, 10**14))
def test_sizes_round_trip(size: int) -> None:
    """A size that is shown and read again is the same to the byte."""
    assert units.SIZE.parse(units.show_size(size)) == size


@given(st.integers(0, 10**18 - 1))
def test_counts_round_trip(count: int) -> None:
    """A count that is shown and read again is the same."""
    assert units.COUNT.parse(units.COUNT.show(count)) == count


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("250ms", 0.25), ("10s", 10), ("1.5m", 90), ("2h", 7200), ("0s", 0), ("0.1ms", 0.0001), ("007s", 7)),
        *(
            ("1m30s", 90),
            ("1m05s", 65),
            ("1h5m", 3900),
            ("2h30s", 7230),
            ("1h1m1s1ms", 3661.001),
            ("1s500ms", 1.5),
        ),
        *(("1m1.5s", 61.5), ("1m0s", 60), ("1m500ms", 60.5)),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """A duration is a number and ms, s, m or h, and counts seconds."""
    assert units.DURATION.parse(text) == seconds


# From the largest unit down, each once, a fraction in the last.
COMPOUNDS = ["1s1m", "1m1m", "1m1m1.5s", "m1.5s", "1m30", "1m 30s", "1.5m.5s", "1h-5m", "1mss", "1" * 16 + "m1s"]


@pytest.mark.parametrize(
    "text", ["10", "", "s", "-1s", "+1s", "1 s", "1S", "1d", ".5s", "1.s", "infs", "1e3s", *COMPOUNDS]
)
def test_not_durations(text: str) -> None:
    """A bare number, a sign, white space, an exponent or another unit makes no duration."""
    with pytest.raises(InvalidValue):
        units.DURATION.parse(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (1.5, "1.5s"),
        (90.0, "90s"),
        (61.25, "61.25s"),
        (0.25, "250ms"),
        (0.0015, "1.5ms"),
        (5400.0, "90m"),
        (1.0, "1s"),
    ],
)
def test_durations_are_shown_as_they_are_written(seconds: float, shown: str) -> None:
    """In the largest unit that needs no fraction; seconds may have one: 1.5s, not 1500ms."""
    assert units.show_duration(seconds) == shown
    assert units.DURATION.parse(shown) == seconds


@given(st.floats(1, 1e6).map(int))
def test_what_top_writes_is_a_duration(seconds: int) -> None:
    """A span of the dashboard can be copied into a flag."""
    if (shown := span(seconds)) and "d" not in shown:
        assert 0 <= seconds - units.DURATION.parse(shown) < 3600


def test_an_error_about_a_bare_number_names_its_unit() -> None:
    """A number without a unit is answered with the value that was probably meant."""
    with pytest.raises(InvalidValue, match="has no unit") as caught:
        units.DURATION.parse("10")
    assert caught.value.instead == "10s"


def test_a_timeout_of_zero_is_off() -> None:
    """`0s` switches a timeout off, and off is shown as `0s`."""
    assert units.TIMEOUT.parse("0s") == math.inf
    assert units.TIMEOUT.show(math.inf) == "0s"
    assert units.TIMEOUT.parse("1ms") == 0.001


@pytest.mark.parametrize("unit", [units.SPAN, units.POSITIVE])
def test_spans_and_thresholds_are_above_zero(unit: Unit[float]) -> None:
    """Windows, cooldowns, thresholds and probes can't be zero."""
    with pytest.raises(InvalidValue):
        unit.parse("0" + unit.example.lstrip("0123456789"))


@pytest.mark.parametrize(
    ("text", "size"), [("1B", 1), ("2KiB", 2048), ("32MiB", 32 << 20), ("1GiB", 1 << 30), ("1.5KiB", 1536)]
)
def test_sizes(text: str, size: int) -> None:
    """A size is a number and B, KiB, MiB or GiB, and counts whole bytes."""
    assert units.SIZE.parse(text) == size


@pytest.mark.parametrize("text", ["0B", "0.5B", "1.1KiB", "32", "32MB", "32mib", "32M", "-1B", ""])
def test_not_sizes(text: str) -> None:
    """Nothing, fractions of a byte and decimal units make no size."""
    with pytest.raises(InvalidValue):
        units.SIZE.parse(text)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e3", "0x10", "1_000", " 1", "٣", "1" * 19])
def test_not_counts(text: str) -> None:
    """A count is plain decimal digits, and few enough of them."""
    with pytest.raises(InvalidValue):
        units.COUNT.parse(text)


def test_booleans() -> None:
    """`1 true on yes` and `0 false off no`, in any case, and nothing else."""
    assert all(units.BOOLEAN.parse(word) is True for word in ("1", "true", "ON", "Yes"))
    assert not any(units.BOOLEAN.parse(word) for word in ("0", "false", "OFF", "No"))
    with pytest.raises(InvalidValue):
        units.BOOLEAN.parse("2")


def test_failures() -> None:
    """Failures of a mock are statuses and probabilities that add up to no more than 1."""
    assert units.FAILURES.parse("503:0.1, 429:0.05") == ((503, 0.1), (429, 0.05))
    assert units.FAILURES.parse("") == ()
    for text in ("503", "503:2", "503:0.6,429:0.6", "200:0.1", "503:", "503:x", "503:0.1,"):
        with pytest.raises(InvalidValue):
            units.FAILURES.parse(text)


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=8))
def test_a_secret_does_not_show(value: str) -> None:
    """Neither repr nor str nor format of a secret holds its value; reveal() does."""
    secret = units.SECRET.parse(f" {value}\n")
    said = f"{secret!r} {secret!s} {secret} {secret:>40} {[secret]}"
    assert value not in said
    assert secret.reveal() == value


def test_secrets_are_equal_by_value() -> None:
    """What stands in a secret's place says nothing about it."""
    assert Secret("a", "x") == Secret("a", "y") != Secret("b", "x")


@pytest.mark.parametrize("text", ["", "  ", "a b", "ä", "a\x00b", "a\nb"])
def test_a_secret_is_visible_ascii(text: str) -> None:
    """A secret that could not stand in a header is refused, and not quoted."""
    with pytest.raises(InvalidValue) as caught:
        units.SECRET.parse(text)
    assert '"' not in str(caught.value)


def test_nearest() -> None:
    """A slip of the pen is recognised; another word isn't."""
    assert nearest("ratelimit", ["rate_limit", "bind"]) == "rate_limit"
    assert nearest("x" * 10**6, ["rate_limit"]) is None
