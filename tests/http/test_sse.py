from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.http.sse import MAX_EVENT, Event, Parser

LINE_ENDS = [b"\n", b"\r", b"\r\n"]

# Values without line ends; names without colons too.
texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
values = texts.map(str.encode)
lines = st.one_of(
    values.map(lambda value: b"data: " + value),
    values.map(lambda value: b"data:" + value),
    values.map(lambda value: b"event: " + value),
    values.map(lambda value: b":" + value),
    values.map(lambda value: b"id: " + value),
    st.sampled_from([b"data", b"event", b"retry: 10", b"unknown: x", b"datax: y", b" data: z", b"", b""]),
    values,
)


def whole(stream: bytes) -> list[Event]:
    return Parser().feed(stream)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    """Cut a stream; positions repeat and come in any order, so there are empty pieces too."""
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(places)]


def test_an_event() -> None:
    """An event has a name and data, and ends with a blank line."""
    assert whole(b"event: ping\ndata: {}\n\n") == [Event("ping", b"{}")]


def test_an_event_without_a_name() -> None:
    """A name is optional, and does not carry over to the next event."""
    assert whole(b"event: a\ndata: 1\n\ndata: 2\n\n") == [Event("a", b"1"), Event("", b"2")]


def test_lines_of_data_are_joined() -> None:
    """Several data lines are one datum, joined by newlines."""
    assert whole(b"data: a\ndata:b\ndata\ndata:  c\n\n") == [Event("", b"a\nb\n\n c")]


def test_comments_and_other_fields_are_skipped() -> None:
    """Comments, ids, retries and unknown fields leave no event."""
    assert whole(b": hello\n\nid: 1\nretry: 5\nx: y\n\n:\ndata: 1\n\n") == [Event("", b"1")]


def test_a_field_without_a_colon_is_empty() -> None:
    """A line without a colon is a field with an empty value."""
    assert whole(b"data\n\n") == [Event("", b"")]


def test_an_event_without_data_is_none() -> None:
    """A name alone is not an event."""
    assert whole(b"event: ping\n\n") == []


def test_the_last_event_needs_its_blank_line() -> None:
    """An event whose blank line never came is not complete."""
    assert whole(b"data: 1\n\ndata: 2\n") == [Event("", b"1")]
    assert whole(b"data: 1\n\ndata: 2") == [Event("", b"1")]


def test_a_byte_order_mark_at_the_start_is_skipped() -> None:
    """One byte order mark may precede the first line, none any other."""
    assert whole(b"\xef\xbb\xbfdata: 1\n\n") == [Event("", b"1")]
    assert whole(b"data: 1\n\n\xef\xbb\xbfdata: 2\n\n") == [Event("", b"1")]


def test_other_separators_end_no_line() -> None:
    """Only CR, LF and CRLF end lines: form feeds and Unicode's separators are data."""
    value = "a\x0b\x0c\x1c\x1d\x1e\x85\u2028b".encode()
    assert whole(b"data: " + value + b"\n\n") == [Event("", value)]


@pytest.mark.parametrize("end", LINE_ENDS)
def test_line_ends(end: bytes) -> None:
    """LF, CR and CRLF end lines alike."""
    stream = end.join([b"event: a", b"data: 1", b"data: 2", b"", b"data: 3", b"", b""])
    assert whole(stream) == [Event("a", b"1\n2"), Event("", b"3")]


@given(st.lists(st.tuples(lines, st.sampled_from(LINE_ENDS)), max_size=20), st.booleans(), st.data())
def test_any_cut_gives_the_same_events(written: list[tuple[bytes, bytes]], bom: bool, data: st.DataObject) -> None:
    """However the bytes are cut, the events are those of one piece."""
    stream = b"\xef\xbb\xbf" * bom + b"".join(line + end for line, end in written)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    parser = Parser()
    assert [event for piece in pieces(stream, cuts) for event in parser.feed(piece)] == whole(stream)


@given(st.lists(st.tuples(lines, st.sampled_from(LINE_ENDS)), max_size=12))
def test_byte_by_byte_gives_the_same_events(written: list[tuple[bytes, bytes]]) -> None:
    """A stream that drips is read like one that floods."""
    stream = b"".join(line + end for line, end in written)
    parser = Parser()
    assert [event for byte in stream for event in parser.feed(bytes([byte]))] == whole(stream)


@given(st.lists(st.tuples(st.sampled_from(["", "a", "message_start"]), st.lists(values, min_size=1)), max_size=6))
def test_what_is_written_is_read(written: list[tuple[str, list[bytes]]]) -> None:
    """Events written as the standard says come back as they were, whatever the line ends."""
    expected = [Event(name, b"\n".join(data)) for name, data in written]
    for end in LINE_ENDS:
        stream = b"".join(
            b"event: " + name.encode() + end + b"".join(b"data: " + line + end for line in data) + end
            for name, data in written
        )
        assert whole(stream) == expected


@given(st.lists(st.binary(max_size=60), max_size=8))
@example([b"\r", b"\n", b"\r", b"\r\n", b"\n\r"])
@example([b"event: \xff\ndata: \xff\n\n"])
def test_arbitrary_bytes_never_raise(garbage: list[bytes]) -> None:
    """No bytes make the reader raise, whatever they are and however they are cut."""
    parser = Parser()
    for piece in garbage:
        parser.feed(piece)


def test_blind_after_an_event_that_is_too_long() -> None:
    """Above its bound the reader goes blind for good, and keeps nothing."""
    parser = Parser(max_event=100)
    assert parser.feed(b"data: 1\n\ndata: " + b"x" * 100) == [Event("", b"1")]
    assert parser.overflowed
    assert parser.feed(b"\n\ndata: 2\n\n") == []
    assert (len(parser._line), parser._data) == (0, [])


def test_an_event_at_the_bound_is_read() -> None:
    """The bound itself is allowed."""
    parser = Parser(max_event=100)
    assert parser.feed(b"data: " + b"x" * 93 + b"\n\n") == [Event("", b"x" * 93)]
    assert not parser.overflowed


def test_the_bound_is_per_event() -> None:
    """Any number of events below the bound are read, however long the stream."""
    parser = Parser(max_event=100)
    assert len([event for _ in range(1000) for event in parser.feed(b"data: " + b"x" * 80 + b"\n\n")]) == 1000


@pytest.mark.parametrize("line", [b"data: x\n", b"data\n", b": comment\n", b"event: x\n", b"x"])
def test_the_bound_counts_all_lines(line: bytes) -> None:
    """An event that never ends makes the reader blind, whatever its lines are."""
    parser = Parser(max_event=1000)
    for _ in range(1001):
        parser.feed(line)
    assert parser.overflowed


def test_the_default_bound_is_a_mebibyte() -> None:
    """An event of a MiB is the longest that is read."""
    assert MAX_EVENT == 2**20


def test_memory_is_bounded() -> None:
    """A line of 64 MiB that never ends costs no more than a few MiB."""
    parser, piece = Parser(), b"x" * 65536
    tracemalloc.start()
    try:
        for _ in range(1024):
            parser.feed(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20
