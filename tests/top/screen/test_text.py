"""What lines are made of: numbers of a few cells, texts of exactly so many, bars that do not lie."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from aibridge_trio.printable import visible
from aibridge_trio.telemetry.counters import BUCKETS
from aibridge_trio.top.screen.text import (
    BOLD,
    DIM,
    PLAIN,
    RED,
    Column,
    Frame,
    Line,
    bar,
    beside,
    clip,
    count,
    fit,
    grey,
    knows_blocks,
    latency,
    rate,
    span,
    sparkline,
    table,
)

# Texts as they come out of documents: printable, some of them wide, some of no width at all.
TEXTS = st.text(max_size=12).map(visible) | st.text("ab 日本é🙂e\u0301…", max_size=12)
WIDTHS = st.integers(0, 30)
LINES = st.lists(st.tuples(TEXTS, st.sampled_from([PLAIN, BOLD, DIM, RED])), max_size=6)


def width_of(line: Line) -> int:
    """How many cells a line takes."""
    return sum(cell_len(text) for text, _ in line)


def text_of(line: Line) -> str:
    """A line without its styles."""
    return "".join(text for text, _ in line)


# Numbers


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_042, "1,042"),
        (99_999, "99,999"),
        (99_999.4, "99,999"),
        (99_999.5, "100k"),
        (100_000, "100k"),
        (999_499, "999k"),
        (999_500, "1.0M"),
        (4_500_000, "4.5M"),
        (99_940_000, "99.9M"),
        (99_950_000, "100M"),
        (1_000_000_000, "1.0G"),
        (10**12, "1.0T"),
        (10**15, "1.0P"),
        (1 << 63, "many"),
    ],
)
def test_counts(number: float, text: str) -> None:
    """A count is exact below 100,000, and short from there on."""
    assert count(number) == text


@pytest.mark.parametrize(
    ("per_second", "text"),
    [
        (None, "--"),
        (0.0, "--"),
        (0.001, "<0.1"),
        (0.0499, "<0.1"),
        (0.0501, "0.1"),
        (12.44, "12.4"),
        (99.94, "99.9"),
        (99.96, "100"),
        (999.4, "999"),
        (999.6, "1.0k"),
        (1_234, "1.2k"),
        (99_940, "99.9k"),
        (99_960, "100k"),
        (999_600, "1.0M"),
        (1e19, "many"),
    ],
)
def test_rates(per_second: float | None, text: str) -> None:
    """A rate has a digit behind the point while it is small, and nothing is dashes."""
    assert rate(per_second) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "--"),
        (0, "0s"),
        (0.99, "0s"),
        (59.99, "59s"),
        (60, "1m00s"),
        (65, "1m05s"),
        (599, "9m59s"),
        (600, "10m"),
        (3599, "59m"),
        (3600, "1h00m"),
        (7980, "2h13m"),
        (35_999, "9h59m"),
        (36_000, "10h"),
        (86_399, "23h"),
        (86_400, "1d00h"),
        (274_000, "3d04h"),
        (864_000, "10d"),
        (86_400 * 9999, "9999d"),
        (86_400 * 10_000, "ages"),
    ],
)
def test_spans(seconds: float | None, text: str) -> None:
    """A span has two units while that takes five cells, then one; it is rounded down."""
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "--"),
        (0.00004, "0.0ms"),
        (0.0032, "3.2ms"),
        (0.00994, "9.9ms"),
        (0.00996, "10ms"),
        (0.41, "410ms"),
        (0.9994, "999ms"),
        (0.9996, "1.0s"),
        (1.24, "1.2s"),
        (59.94, "59.9s"),
        (59.96, "1m00s"),
        (65.4, "1m05s"),
        (600, "10m"),
        (math.inf, ">10m"),
    ],
)
def test_latencies(seconds: float | None, text: str) -> None:
    """A latency is in the unit that shows two or three digits of it."""
    assert latency(seconds) == text


def test_the_highest_bound_is_the_one_that_is_named() -> None:
    """`>10m` stands for what lies above the histogram's highest bound, which is ten minutes."""
    assert BUCKETS[-1] == 600


@given(st.integers(0, 1 << 63) | st.floats(0, 1e20))
@example(99_999.7)
@example(999_999)
def test_counts_have_six_cells(number: float) -> None:
    """No count is wider than its column."""
    assert len(count(number)) <= 6


@given(st.floats(0, 1e20) | st.floats(0, 2000) | st.none())
@example(99_999.0)
@example(99_960.0)
def test_rates_have_five_cells_and_some_is_not_none(per_second: float | None) -> None:
    """No rate is wider than its column, and only nothing looks like nothing."""
    text = rate(per_second)
    assert len(text) <= 5
    assert (text == "--") == (not per_second)
    assert not re.fullmatch(r"0\.0|0", text)


SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


@given(st.floats(0, 86_400 * 9999) | st.floats(0, 90_000))
def test_spans_have_five_cells_and_are_true(seconds: float) -> None:
    """What a span says has passed, and no more than a tenth more of it."""
    text = span(seconds)
    assert len(text) <= 5
    units = SPAN.fullmatch(text)
    assert units
    days, hours, minutes, rest = (int(unit or 0) for unit in units.groups())
    says = days * 86_400 + hours * 3600 + minutes * 60 + rest
    assert says <= seconds < max(says * 1.1, says + 1)


@given(st.floats(0, 1e11))
def test_latencies_have_five_cells(seconds: float) -> None:
    """No latency is wider than its column."""
    assert len(latency(seconds)) <= 5


@given(st.floats(0, 1e11))
def test_long_spans_have_five_cells(seconds: float) -> None:
    """No span is wider than its column, whatever a document tells."""
    assert len(span(seconds)) <= 5


# Widths


@given(TEXTS, WIDTHS, st.booleans())
def test_a_text_is_fitted_exactly(text: str, width: int, right: bool) -> None:
    """A fitted text has its width, also with wide characters."""
    assert cell_len(fit(text, width, right=right)) == width


@given(TEXTS, WIDTHS)
def test_a_text_that_fits_stays_whole(text: str, width: int) -> None:
    """What fits is complete, at its side; what has not ends with an ellipsis."""
    if not width:
        assert fit(text, width) == ""
    elif cell_len(text) <= width:
        assert fit(text, width) == text + " " * (width - cell_len(text))
        assert fit(text, width, right=True) == " " * (width - cell_len(text)) + text
    elif cell_len(text.rstrip()) > width:
        assert fit(text, width)[-1] == "…"
        assert text.startswith(fit(text, width)[:-1].rstrip())


@pytest.mark.parametrize(
    ("text", "width", "fitted"),
    [
        ("anthropic", 9, "anthropic"),
        ("anthropic", 6, "anthr…"),
        ("anthropic", 1, "…"),
        ("anthropic", 0, ""),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日 …"),
        ("abc   ", 4, "abc "),
        ("abc   ", 2, "a…"),
    ],
)
def test_a_text_is_cut_with_an_ellipsis(text: str, width: int, fitted: str) -> None:
    """The ellipsis takes the place of what is cut, and blanks alone are nothing that is."""
    assert fit(text, width) == fitted


@given(LINES, WIDTHS)
def test_a_line_is_clipped_exactly(line: Line, width: int) -> None:
    """A clipped line has its width, whatever its cells are."""
    assert width_of(clip(line, width)) == width


@given(LINES, WIDTHS)
def test_a_line_that_fits_stays_whole(line: Line, width: int) -> None:
    """A line that fits is unchanged; only blanks come behind it."""
    if width_of(line) <= width:
        clipped = clip(line, width)
        assert clipped[: len(line)] == line
        assert text_of(clipped[len(line) :]).strip() == ""


@given(
    st.lists(st.text("ab ", min_size=1, max_size=5).map(lambda text: (text, BOLD)), max_size=6), st.integers(1, 30)
)
def test_whoever_cuts_a_line_says_so(line: Line, width: int) -> None:
    """A line of which more than blanks is cut ends with an ellipsis, also at the border of two cells."""
    cut = bool(text_of(line)[width:].strip())
    assert text_of(clip(line, width)).endswith("…") == cut


def test_styles_stay_with_their_texts() -> None:
    """What is cut keeps its style."""
    assert clip([("abc", BOLD), ("defgh", RED)], 6) == [("abc", BOLD), ("de…", RED)]
    assert clip([("abc", BOLD), ("defgh", RED)], 3) == [("ab…", BOLD)]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.lists(LINES, max_size=4)), min_size=1, max_size=3),
    st.integers(40, 60),
)
def test_blocks_stand_beside_each_other(blocks: list[tuple[int, list[Line]]], width: int) -> None:
    """Every line is full, each block begins in its own column, and the last one takes what is left."""
    lines = beside(width, *blocks)
    assert len(lines) == max(len(block) for _, block in blocks)
    for number, line in enumerate(lines):
        assert width_of(line) == width
        expected: Line = []
        for own, block in blocks[:-1]:
            expected += [*clip(block[number] if number < len(block) else [], own), ("  ", PLAIN)]
        last = blocks[-1][1]
        expected += clip(last[number] if number < len(last) else [], width - width_of(expected))
        assert line == expected


def test_blocks_without_room_do_no_harm() -> None:
    """Blocks beyond the width are left out."""
    line = beside(4, (3, [[("abcdef", BOLD)]]), (9, [[("x", RED)]]), (9, [[("y", RED)]]))[0]
    assert text_of(clip(line, 4)).startswith("ab…")


def test_a_table_has_its_columns_below_each_other() -> None:
    """Titles and cells have one width, one side, a blank between them; the marked title is underlined."""
    columns: list[Column[str]] = [
        Column("NAME", 6, lambda row: (row, BOLD), right=False),
        Column("LONGER", 4, lambda row: (str(len(row)), PLAIN)),
        Column("N", 3, lambda row: (row[:1], DIM)),
    ]
    lines = table(columns, ["ab", "abcdefgh"], marked="N")
    assert [text_of(line) for line in lines] == ["NAME   LON…   N ", "ab        2   a ", "abcde…    8   a "]
    assert [text for text, style in lines[0] if "underline" in style] == ["N"]
    # The sign stands beside the title, in the blank before it where the title fills its column; nothing moves.
    for marked, head in (
        ("NAME", "NAME▼  LON…   N "),
        ("LONGER", "NAME  ▼LON…   N "),
        ("N", "NAME   LON…  ▼N "),
        ("GONE", "NAME   LON…   N "),
    ):
        assert text_of(table(columns, [], marked, "▼")[0]) == head
    assert text_of(table([Column("FULL", 4, lambda _: ("", PLAIN))], [], "FULL", "▼")[0]) == "FULL "
    assert not any("underline" in style for line in table(columns, []) for _, style in line)


def test_grey_has_no_colour() -> None:
    """What is greyed keeps its words and loses its colours."""
    assert grey([[("a", RED), ("b", BOLD)], []]) == [[("a", DIM), ("b", DIM)], []]


# Pictures


@given(st.integers(0, 1 << 63), st.integers(0, 1 << 63), st.integers(2, 40))
@example((1 << 63) - 1, 1 << 63, 20)
def test_a_bar_does_not_lie(part: int, whole: int, width: int) -> None:
    """Something is never nothing, only all is full, and in between it is right by a cell."""
    drawn = bar(part, whole, width)
    filled = drawn.count("█")
    assert drawn == "█" * filled + "░" * (width - filled)
    if whole:
        assert (filled == 0) == (part == 0)
        assert (filled == width) == (part >= whole)
        assert abs(filled - width * min(1, part / whole)) <= 1
    else:
        assert filled == 0


def test_a_bar_fills_up() -> None:
    """A bar of ten for fifty has a cell for five."""
    assert [bar(part, 50, 10).count("█") for part in (0, 1, 5, 9, 10, 25, 49, 50, 60)] == [
        *(0, 1, 1, 1, 2, 5, 9, 10, 10)
    ]


VALUES = st.lists(st.none() | st.just(0.0) | st.floats(1e-6, 1e6), max_size=60)


@given(VALUES)
def test_a_sparkline_does_not_lie(values: list[float | None]) -> None:
    """A cell per value: blank is unknown, the lowest block is 0 and nothing else, the highest has a full one."""
    drawn = sparkline(values)
    assert len(drawn) == len(values)
    known = [value for value in values if value is not None]
    for value, block in zip(values, drawn, strict=True):
        assert (block == " ") == (value is None)
        if value is not None:
            assert (block == "▁") == (value == 0)
            assert block == "█" or not value or value < max(known)


@given(VALUES)
def test_a_sparkline_keeps_the_order(values: list[float | None]) -> None:
    """Of two values the larger one has no lower block."""
    pairs = [(value, block) for value, block in zip(values, sparkline(values), strict=True) if value is not None]
    blocks = [block for _, block in sorted(pairs)]
    assert blocks == sorted(blocks)


def test_a_sparkline_climbs() -> None:
    """Eight steps from nothing to the highest."""
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7, None]) == "▁▂▃▄▅▆▇█ "
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([]) == ""


# Where there is only ASCII


@given(st.lists(LINES, max_size=4))
def test_ascii_is_ascii_of_the_same_width(lines: list[Line]) -> None:
    """Where a terminal knows no more than ASCII it gets no more, and every column stays where it is."""
    frame = Frame(tuple(lines), ascii=True)
    assert frame.plain.isascii()
    drawn = [frame._text(text) for line in lines for text, _ in line]
    assert list(map(len, drawn)) == [cell_len(text) for line in lines for text, _ in line]


def test_ascii_has_its_own_pictures() -> None:
    """Blocks, bars and arrows have others in their place, each its own."""
    signs = "▁▂▃▄▅▆▇█░→…▸↑↓×▲▼"
    assert Frame(([(signs, PLAIN)],), ascii=True).plain == "_.:-=+*#.>~>^vx/\\\n"
    assert Frame(([("é日", PLAIN)],), ascii=True).plain == "???\n"
    assert Frame(([(signs, PLAIN)],)).plain == signs + "\n"


def test_plain_is_the_text_without_blanks_at_the_end() -> None:
    """The text of a frame is its lines, as they are read."""
    assert Frame(([("a ", RED), ("b", PLAIN), ("  ", DIM)], [])).plain == "a b\n\n"


@pytest.mark.parametrize(
    ("encoding", "known"), [("utf-8", True), ("UTF8", True), ("ascii", False), ("latin-1", False), (None, False)]
)
def test_blocks_need_unicode(encoding: str | None, known: bool) -> None:
    """Only an encoding of Unicode can hold blocks."""
    assert knows_blocks(encoding) is known
