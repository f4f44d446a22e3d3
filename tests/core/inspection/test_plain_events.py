"""What is skipped without a parser shows nothing: streams are compared with themselves, each event parsed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aibridge_trio.core.breaker import verdict
from aibridge_trio.core.breaker.verdict import SUCCESS, Evidence
from aibridge_trio.core.inspection import plain_events as tested
from aibridge_trio.core.inspection.output_estimate import OutputEstimate
from aibridge_trio.core.inspection.plain_events import may_matter, plain_events
from aibridge_trio.core.inspection.response import ResponseInspector
from aibridge_trio.core.inspection.usage import Usage
from aibridge_trio.http import sse
from tests.core.breaker.test_verdict import EXHAUSTED, OVERLOAD_CODES, SHAPES, shapes
from tests.core.inspection.test_usage import ANTHROPIC, CHAT, RESPONSES


class Thorough:
    """The same inspection, of a stream of status 200, without a shortcut: each event is parsed."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.finished = False
        self.content_seen = False
        self.estimate = OutputEstimate()
        self.parser = sse.Parser()

    def feed(self, piece: bytes) -> list[Evidence]:
        return [evidence for event in self.parser.feed(piece) if (evidence := self.inspect(event)) is not None]

    def inspect(self, event: sse.Event) -> Evidence | None:
        document = verdict.parse(event.data)
        evidence = verdict.of_event(event.name, document)
        if event.data == b"[DONE]":
            self.finished = True
            return None
        if self.content_seen or evidence is SUCCESS:
            self.estimate.add_event(event.data)
        self.finished = self.finished or verdict.is_last(event.name, document)
        self.usage = self.usage.updated(document)
        if evidence is SUCCESS and self.content_seen:
            return None
        self.content_seen = self.content_seen or evidence is SUCCESS
        return evidence


def same(pieces: Sequence[bytes]) -> None:
    """Assert that a stream shows the same with and without shortcuts, after each piece."""
    inspector = ResponseInspector(200, media_type="text/event-stream", readable=True)
    thorough = Thorough()
    for piece in pieces:
        assert list(inspector.feed(piece)) == thorough.feed(piece), piece
        assert inspector.finished == thorough.finished, piece
        assert inspector.usage == thorough.usage, piece
        assert inspector._estimate is not None
        assert seen(inspector._estimate) == seen(thorough.estimate), piece
        assert (inspector._parser and inspector._parser.overflowed) == thorough.parser.overflowed


def seen(estimate: OutputEstimate) -> list[object]:
    return [getattr(estimate, name) for name in OutputEstimate.__slots__]


# Streams

DELTAS: list[tuple[str, dict[str, Any]]] = [
    (
        "",
        {
            "id": "chatcmpl-C0123456789",
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": {"content": " parcel"}, "finish_reason": None}],
            "usage": None,
            "error": None,
        },
    ),
    (
        "response.output_text.delta",
        {
            "type": "response.output_text.delta",
            "item_id": "msg_0123456789",
            "delta": " parcel",
            "sequence_number": 7,
        },
    ),
    (
        "content_block_delta",
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " parcel"}},
    ),
]
LASTS: list[tuple[str, dict[str, Any]]] = [
    ("", {"object": "chat.completion.chunk", "choices": [], "usage": CHAT}),
    ("message_start", {"type": "message_start", "message": {"usage": ANTHROPIC}}),
    ("message_delta", {"type": "message_delta", "usage": {"output_tokens": 9}}),
    ("message_stop", {"type": "message_stop"}),
    ("ping", {"type": "ping"}),
    *((name, {"type": name, "response": {"usage": RESPONSES}}) for name in sorted(verdict.LAST)),
]
ERRORS = [shapes(code)[shape] for code in [*OVERLOAD_CODES, "server_error"] for shape in SHAPES]
BARE = [
    ("", document)
    for document in (
        {"message": "x", "code": 503},
        {"msg": "x", "status": "503"},
        {"detail": "x", "statusCode": "overloaded"},
        {"errors": [{"code": 503}]},
        {"object": "error", "code": 503},
        {"choices": [{"finish_reason": "error"}]},
        {"usage": {"output_tokens": 9}},
        {"type": "response.failed"},
    )
]
EXHAUSTIONS = [("error", document) for document in EXHAUSTED]
OPENING = b"".join(b"data: " + json.dumps(DELTAS[0][1]).encode() + b"\n\n" for _ in range(5))

# The names and values that have a meaning, and some that have none.
NAMES = [
    *("error", "errors", "usage", "type", "object", "code", "status", "statusCode", "message", "msg", "detail"),
    *("choices", "finish_reason", "response", "delta", "content", "output_tokens", "prompt_tokens", "x"),
]
VALUES: list[Any] = [
    *("error", "response.failed", "response.completed", "message_stop", "overloaded", "Overloaded", "rate_limit"),
    *("ping", "text", "usage", "stop", "503", "throttling", 'a "error": b', "\\u0065rror", "é\u2028", "", "x\ny"),
    *(503, 429, 0, 7, None, True, False, [], {}),
]
documents = st.recursive(
    st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
events = st.tuples(
    st.sampled_from(["", *sorted(verdict.LAST), "ping", "errors", "error2", " error", "Error"]),
    documents | st.dictionaries(st.sampled_from(NAMES), documents, max_size=5),
) | st.sampled_from([*DELTAS, *LASTS, *ERRORS, *BARE, *EXHAUSTIONS])
RAW = [
    *(b"data: [DONE]\n\n", b"data:[DONE]\n\n", b": ping\n\n", b"event: error\n\n", b"event:error\ndata: {}\n\n"),
    *(b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b"data", b"data: {", b"}", b'"error":1', b"id: 7\n", b"retry: 9\n"),
    *(b'data: {"usage":{"output_tokens":9}}\r\r', b'data: {"error":\ndata: "overloaded"}\n\n', b"data: {}\n\n"),
    *(b'data: [{"error":{"code":503}}]\n\n', b'data: {"a":"\xff","error":{"code":503}}\n\n', b"event: ping\n"),
    *(b"data: {}\nevent: error\n\n", b"event: error\nevent: ping\ndata: {}\n\n", b"\0", b"event: \xff\n"),
    *(b'data: {"usage":null,"usage":{"output_tokens":3}}\n\n', b'data: {"error": null\ndata: }\n\n'),
]

HIDDEN = [
    *(
        b"event:%b%b\ndata: {}\n\n" % (space, name.encode())
        for name in sorted(verdict.LAST)
        for space in (b" ", b"")
    ),
    *(b"data: {}\revent: error\n\n", b"data: {}\r\revent: error\rdata: 1\n\n", b"data: {}\r\n\r\ndata: {}\n\n"),
]


def written(document: object, random: Random) -> str:
    """Return a document in one of the many ways to write it: spaces, lines, escapes."""
    space = ("", "", " ", "\t ", "\n")[random.randrange(5)]
    match document:
        case dict():
            members = (f"{written(k, random)}{space}:{space}{written(v, random)}" for k, v in document.items())
            return f"{{{space}{f'{space},{space}'.join(members)}{space}}}"
        case list():
            return f"[{space}{f',{space}'.join(written(each, random) for each in document)}{space}]"
        case str():
            text = json.dumps(document, ensure_ascii=random.random() < 0.5)[1:-1]
            if random.random() < 0.2 and "\\" not in text and text:
                at = random.randrange(len(text))
                escape = f"\\u{ord(text[at]):04x}" if random.random() < 0.5 else f"\\u{ord(text[at]):04X}"
                text = text[:at] + escape + text[at + 1 :]
            return f'"{text}"'
    return json.dumps(document)


def framed(name: str, document: object, random: Random) -> bytes:
    """Return an event in one of the many ways to write it."""
    end, space = random.choice(["\n", "\n", "\n", "\r\n", "\r"]), random.choice([" ", " ", ""])
    lines = [f"data:{space}{line}" for line in written(document, random).split("\n")]
    if name:
        lines.insert(random.choice([0, 0, 0, len(lines)]), f"event:{space}{name}")
    if random.random() < 0.1:
        lines.insert(random.randrange(len(lines) + 1), random.choice([": ping", "id: 7", "x", "retry: 1"]))
    return "".join(line + end for line in [*lines, ""]).encode()


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(st.sampled_from(RAW) | st.binary(max_size=12) | events, max_size=8),
    st.lists(st.integers(0, 10_000), max_size=4),
    st.booleans(),
    st.randoms(use_true_random=False),
)
@example([("", {"error": {"code": 503}})], [], True, Random(1))
def test_a_stream_shows_the_same_as_if_every_event_were_parsed(
    parts: list[bytes | tuple[str, object]], cuts: list[int], whole: bool, random: Random
) -> None:
    """Evidence, usage, end and estimate, of any bytes in any pieces, behind the first content and before it."""
    pieces = [part if isinstance(part, bytes) else framed(*part, random) for part in parts]
    if not whole:
        stream = b"".join(pieces)
        places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
        pieces = [stream[a:b] for a, b in pairwise(places)]
    same(pieces)
    same([OPENING, *pieces])


@pytest.mark.parametrize(("name", "document"), [*LASTS, *ERRORS, *BARE, *EXHAUSTIONS])
def test_what_matters_is_not_skipped(name: str, document: dict[str, Any]) -> None:
    """However it is written: an error, usage, or a last event, in each dialect, behind plain events."""
    for seed in range(40):
        event = framed(name, document, Random(seed))
        same([OPENING, framed(*DELTAS[1], Random(0)) + event + framed(*DELTAS[2], Random(0)), event])


@pytest.mark.parametrize(("_", "document"), [*BARE, *LASTS])
def test_no_escape_hides_a_mark(_: str, document: dict[str, Any]) -> None:
    """JSON may escape each letter of a name, in both cases of the number."""
    text = json.dumps(document)
    for at, letter in enumerate(text):
        if letter.isalpha() or letter in "_.":
            for escape in (f"\\u{ord(letter):04x}", f"\\u{ord(letter):04X}"):
                same([OPENING, f"data: {text[:at]}{escape}{text[at + 1 :]}\n\n".encode()])


@pytest.mark.parametrize("raw", [*RAW, *HIDDEN])
def test_no_line_hides_what_matters(raw: bytes) -> None:
    """Names of events, ends of lines, and data in several lines, in one piece with plain events and alone."""
    same([OPENING, raw, OPENING])
    same([OPENING, OPENING + raw + OPENING])


@pytest.mark.parametrize(("name", "document"), DELTAS)
@pytest.mark.parametrize("number", [1, 3])
def test_plain_events_are_skipped(
    name: str, document: dict[str, Any], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delta of each dialect needs no parser, not even with `"usage": null` in it; its size counts."""
    lines = f"event: {name}\n" * bool(name) + f"data: {json.dumps(document)}\n\n"
    inspector = ResponseInspector(200, media_type="text/event-stream", readable=True)
    inspector.feed(OPENING)
    monkeypatch.setattr(sse.Parser, "feed", None)
    assert inspector._estimate is not None
    before = inspector._estimate._events
    assert list(inspector.feed(lines.encode() * number)) == []
    assert inspector._estimate._events == before + number


def test_the_sizes_are_those_of_the_data() -> None:
    """Of the events that are whole; the rest is left to the parser."""
    piece = b'event: a.b_c\ndata: {"x":1}\n\ndata:{}\n\ndata: {"half'
    assert plain_events(piece) == ([7, 2], 37)
    assert plain_events(b"") == ([], 0)
    assert plain_events(b"data: {}\n") == ([], 0)
    assert plain_events(b"data: {}\ndata: {}\n\n") == ([], 0)
    assert plain_events(b"data: {}\r\n\r\n") == ([], 0)


def test_text_is_plain() -> None:
    """What a model writes about errors and usage has its quotation marks escaped; other letters may be escaped."""
    for text in ['"error": {"code": 503}', "an error in its usage", "\u2019\xe9<>", "overloaded, throttled"]:
        assert not may_matter(json.dumps({"delta": {"content": text}}).encode()), text


@pytest.mark.parametrize("mark", ['"error"', '"errors"', '"usage"'])
@pytest.mark.parametrize("follows", [":null", " : null", ":\tnull"])
def test_a_null_is_no_mark(mark: str, follows: str) -> None:
    """As servers send them in each event; any other value is one."""
    assert not may_matter(f"{{{mark}{follows}}}".encode())
    for value in (":{}", ":\n{", ":1", ",", "}", ""):
        assert may_matter(f"{{{mark}{value}".encode())


def test_an_event_beyond_the_bound_is_left_to_the_parser() -> None:
    """Which then reads no more of the stream."""
    for size in (-20, -8, -7, -6, -1, 0, 9):
        event = b'data: {"x":"' + b"x" * (sse.MAX_EVENT + size) + b'"}\n\n'
        same([OPENING, event, b'data: {"error":{"code":503}}\n\n'])


def test_an_unmarked_piece_costs_one_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many events it has."""
    searched: list[bytes] = []

    class Search:
        search = staticmethod(searched.append)

    monkeypatch.setattr(tested, "_MARK", Search)
    assert plain_events(b"data: {}\n\n" * 100)[1] == 1000
    assert len(searched) == 1
