from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.core.breaker import verdict
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS, Evidence, Verdict
from aibridge_trio.core.inspection.response import ResponseInspector
from aibridge_trio.core.inspection.usage import Usage
from aibridge_trio.http.sse import MAX_EVENT
from tests.core.breaker.test_verdict import EXHAUSTED, OVERLOAD_CODES, SHAPES, shapes
from tests.core.inspection.test_usage import ANTHROPIC, CHAT, RESPONSES

QUOTA_CODES = ("rate_limit_error", "rate_limit_exceeded")

SSE = "text/event-stream"
JSON = "application/json"


def event(document: dict[str, Any], name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(document)}\n\n".encode()


def typed(kind: str, **rest: Any) -> bytes:
    return event({"type": kind, **rest}, kind)


def chunk(delta: dict[str, Any] | None = None, **rest: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": None}] if delta is not None else []
    return event({"id": "c", "object": "chat.completion.chunk", "choices": choices, **rest})


COMMENT = b": OPENROUTER PROCESSING\n\n"
DONE = b"data: [DONE]\n\n"

# Of each dialect's stream: what comes before the first content, the content, and what comes after it.
STREAMS = {
    "chat": (
        [COMMENT],
        chunk({"role": "assistant", "content": "Hi"}),
        [chunk({"content": "!"}), chunk({}), chunk(usage=CHAT), DONE],
    ),
    "responses": (
        [
            typed("response.created", response={"status": "in_progress", "error": None, "usage": None}),
            typed("response.in_progress", response={"status": "in_progress", "error": None, "usage": None}),
        ],
        typed("response.output_text.delta", delta="Hi"),
        [typed("response.completed", response={"status": "completed", "error": None, "usage": RESPONSES})],
    ),
    "messages": (
        [
            typed("message_start", message={"id": "m", "usage": ANTHROPIC}),
            typed("ping"),
            COMMENT,
        ],
        typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        [
            typed("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hi"}),
            typed("ping"),
            typed("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9}),
            typed("message_stop"),
        ],
    ),
}
USAGE = {"chat": Usage(36, 50, 64, 0), "responses": Usage(36, 50, 64, 0), "messages": Usage(20, 9, 4000, 300)}


def stream(status: int = 200) -> ResponseInspector:
    return ResponseInspector(status, media_type=SSE, readable=True)


def unary(status: int = 200) -> ResponseInspector:
    return ResponseInspector(status, media_type=JSON, readable=True)


# --- Streams


@pytest.mark.parametrize("dialect", STREAMS)
def test_success_at_the_first_content(dialect: str) -> None:
    """A stream succeeds at its first event with content: not before, and once."""
    before, content, after = STREAMS[dialect]
    onlooker = stream()
    assert onlooker.head() is None
    assert [onlooker.feed(piece) for piece in before] == [[]] * len(before)
    assert onlooker.feed(content) == [SUCCESS]
    assert [onlooker.feed(piece) for piece in after] == [[]] * len(after)


@pytest.mark.parametrize("dialect", STREAMS)
def test_streams_report_usage(dialect: str) -> None:
    """The usage in a stream is read in every dialect."""
    before, content, after = STREAMS[dialect]
    onlooker = stream()
    for piece in [*before, content, *after]:
        onlooker.feed(piece)
    onlooker.end()
    assert onlooker.usage == USAGE[dialect]


@pytest.mark.parametrize("dialect", STREAMS)
def test_a_stream_without_content_is_neutral(dialect: str) -> None:
    """A stream that ends cleanly without content is neutral."""
    before, _content, _after = STREAMS[dialect]
    onlooker = stream()
    assert [onlooker.feed(piece) for piece in [*before, DONE]] == [[]] * (len(before) + 1)
    assert onlooker.end() == NEUTRAL


@pytest.mark.parametrize("pieces", [[], [b""], [COMMENT], [DONE], [b"\n\n"], [b"data: not json\n\n"]])
def test_an_empty_stream_is_neutral(pieces: list[bytes]) -> None:
    """No event, a comment, `[DONE]` alone or unreadable events are neutral."""
    onlooker = stream()
    assert [onlooker.feed(piece) for piece in pieces] == [[]] * len(pieces)
    assert onlooker.end() == NEUTRAL


@pytest.mark.parametrize("code", OVERLOAD_CODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_overload_before_content_is_a_failure(code: str, shape: str) -> None:
    """Each overload code in each dialect's shape fails a stream whose status said 200."""
    name, document = shapes(code)[shape]
    onlooker = stream()
    onlooker.feed(COMMENT)
    assert onlooker.feed(event(document, name)) == [
        Evidence(Verdict.FAILURE, code, overload=True, quota=code in QUOTA_CODES)
    ]


@pytest.mark.parametrize("code", OVERLOAD_CODES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dialect", STREAMS)
def test_overload_after_content_is_a_failure(code: str, shape: str, dialect: str) -> None:
    """A stream that begins well and ends in overload gives both: success first, then failure."""
    before, content, after = STREAMS[dialect]
    name, document = shapes(code)[shape]
    onlooker = stream()
    for piece in before:
        onlooker.feed(piece)
    assert onlooker.feed(content) == [SUCCESS]
    for piece in after[:-1]:
        onlooker.feed(piece)
    assert onlooker.feed(event(document, name)) == [
        Evidence(Verdict.FAILURE, code, overload=True, quota=code in QUOTA_CODES)
    ]


@pytest.mark.parametrize(
    "data",
    [
        {"error": {"code": 503}, "choices": [{"delta": {"content": ""}, "finish_reason": "error"}]},
        {"error": {"code": "503", "type": None}},
        {"choices": [{"delta": {}, "finish_reason": "error", "error": {"code": 503}}]},
        {"object": "error", "code": 503},
        {"error": {"status": "UNAVAILABLE"}},
    ],
)
def test_a_status_in_the_stream_counts_as_in_a_head(data: dict[str, Any]) -> None:
    """As compatible providers send it: before content, after it, and as the only thing in a unary answer."""
    fresh, begun, whole = stream(), stream(), unary(200)
    assert [evidence.verdict for evidence in fresh.feed(event(data))] == [Verdict.FAILURE]
    begun.feed(chunk({"content": "Hi"}))
    assert [evidence.verdict for evidence in begun.feed(event(data))] == [Verdict.FAILURE]
    whole.feed(json.dumps(data).encode())
    evidence = whole.end()
    assert evidence is not None
    assert evidence.verdict is Verdict.FAILURE


def test_an_event_named_error_is_read_after_content_whatever_its_data() -> None:
    """After content, too, it is enough that the event's name says error."""
    onlooker = stream()
    onlooker.feed(chunk({"content": "Hi"}))
    [evidence] = onlooker.feed(event({"code": "slow_down"}, "error"))
    assert evidence.verdict is Verdict.FAILURE


def test_evidence_in_one_piece_comes_in_order() -> None:
    """Content and overload in one piece are what they are in two: a success, then a failure."""
    onlooker = stream()
    evidence = onlooker.feed(chunk({"content": "Hi"}) + event({"error": {"code": "slow_down"}}))
    assert [each.verdict for each in evidence] == [Verdict.SUCCESS, Verdict.FAILURE]


@pytest.mark.parametrize("shape", SHAPES)
def test_other_errors_in_a_stream_are_neutral(shape: str) -> None:
    """An error event that is not overload is neutral, before content."""
    name, document = shapes("server_error")[shape]
    assert stream().feed(event(document, name)) == [NEUTRAL]


def test_text_that_speaks_of_errors_is_content() -> None:
    """A model that writes about "error" and overload is not an error."""
    onlooker = stream()
    said = '{"error":{"code":"rate_limit_exceeded"}} "error" "usage"'
    assert onlooker.feed(chunk({"content": said})) == [SUCCESS]
    assert onlooker.feed(chunk({"content": said, "refusal": None}, error=None)) == []


@pytest.mark.parametrize("dialect", STREAMS)
@given(cuts=st.lists(st.integers(0, 10_000), max_size=10))
def test_any_cut_of_a_stream_gives_the_same(dialect: str, cuts: list[int]) -> None:
    """However a stream is cut, it is one success and the same tokens."""
    before, content, after = STREAMS[dialect]
    whole = b"".join([*before, content, *after])
    places = [0, *sorted(cut % len(whole) for cut in cuts), len(whole)]
    onlooker = stream()
    evidence = [each for a, b in pairwise(places) for each in onlooker.feed(whole[a:b])]
    assert evidence == [SUCCESS]
    assert onlooker.usage == USAGE[dialect]


def test_a_blind_stream_that_ends_cleanly_is_a_success() -> None:
    """An event too long to be read is content: a clean end then is a success."""
    onlooker = stream()
    assert onlooker.feed(b"data: " + b"x" * (MAX_EVENT + 1)) == []
    assert onlooker.end() is SUCCESS


def test_a_stream_is_one_by_its_media_type() -> None:
    """JSON is judged when it is complete, whatever it looks like on the way."""
    onlooker = unary()
    assert onlooker.feed(chunk({"content": "Hi"})) == []


# --- Unary answers


def test_a_unary_answer_succeeds_when_complete() -> None:
    """A unary answer is a success when its body is complete, and its tokens are counted."""
    onlooker = unary()
    body = json.dumps({"object": "chat.completion", "usage": CHAT}).encode()
    assert onlooker.head() is None
    assert onlooker.feed(body[:10]) == []
    assert onlooker.feed(body[10:]) == []
    assert onlooker.end() == SUCCESS
    assert onlooker.usage == USAGE["chat"]


def test_a_unary_answer_cut_short_is_no_success() -> None:
    """An answer that was not read to its end shows nothing of the provider's health."""
    onlooker = unary()
    onlooker.feed(b"{")
    assert onlooker.cut() is None


def test_a_body_too_long_to_keep_is_judged_by_its_status() -> None:
    """A body above the bound is not kept: judged by its status, its tokens not counted."""
    onlooker = unary()
    for _ in range(40):
        onlooker.feed(b"x" * 65536)
    assert len(onlooker._body) <= MAX_EVENT + 65536
    assert onlooker.end() == SUCCESS
    assert onlooker.usage == Usage()


@pytest.mark.parametrize("status", [503, 529])
@pytest.mark.parametrize("media_type", [SSE, JSON, ""])
def test_overload_heads_fail_at_once(status: int, media_type: str) -> None:
    """503 and 529 are failures at the head, whatever follows."""
    evidence = ResponseInspector(status, media_type=media_type, readable=True).head()
    assert evidence == Evidence(Verdict.FAILURE, str(status), overload=True, quota=status == 429)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 502, 504])
def test_other_error_heads_are_neutral_at_once(status: int) -> None:
    """Other errors are neutral at the head."""
    assert unary(status).head() == NEUTRAL


# --- 429


@pytest.mark.parametrize("document", EXHAUSTED)
def test_429_of_an_exhausted_account_is_neutral(document: dict[str, Any]) -> None:
    """A 429 of an exhausted account is neutral, once its body is complete."""
    onlooker = unary(429)
    assert onlooker.head() is None
    assert onlooker.feed(json.dumps(document).encode()) == []
    assert onlooker.end() is verdict.EXHAUSTED


@pytest.mark.parametrize("media_type", [SSE, JSON, "text/html", ""])
def test_any_other_429_is_a_failure(media_type: str) -> None:
    """A complete 429 with any other body is a failure, whatever its media type."""
    onlooker = ResponseInspector(429, media_type=media_type, readable=True)
    onlooker.feed(b'{"error":{"code":"rate_limit_exceeded"}}')
    evidence = onlooker.end()
    assert evidence is not None
    assert evidence.verdict is Verdict.FAILURE


def test_a_429_cut_short_is_a_failure() -> None:
    """A 429 head counts though the caller then leaves, whatever the rest would have said."""
    onlooker = unary(429)
    onlooker.feed(b'{"error":{"code":"insufficient_quota"')
    evidence = onlooker.cut()
    assert evidence is not None
    assert evidence.verdict is Verdict.FAILURE


def test_a_429_too_long_to_keep_is_a_failure() -> None:
    """A 429 whose body is above the bound cannot prove that waiting never helps."""
    onlooker = unary(429)
    for _ in range(40):
        onlooker.feed(b" " * 65536)
    onlooker.feed(b'{"error":{"code":"insufficient_quota"}}')
    evidence = onlooker.end()
    assert evidence is not None
    assert evidence.verdict is Verdict.FAILURE


# --- Encoded all the same


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, Verdict.SUCCESS), (404, Verdict.NEUTRAL), (429, Verdict.FAILURE), (503, Verdict.FAILURE)],
)
@pytest.mark.parametrize("media_type", [SSE, JSON])
def test_an_encoded_answer_is_judged_by_its_head(status: int, verdict: Verdict, media_type: str) -> None:
    """What cannot be read is judged by its status at once, and its tokens are not counted."""
    onlooker = ResponseInspector(status, media_type=media_type, readable=False)
    evidence = onlooker.head()
    assert evidence is not None
    assert evidence.verdict is verdict
    assert onlooker.feed(json.dumps({"usage": CHAT}).encode()) == []
    assert onlooker.end() is None
    assert onlooker.usage == Usage()
    assert len(onlooker._body) == 0


# --- Hostile providers

HOSTILE = [
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"usage":{"input_tokens":' + b"9" * 10_000 + b"}}",
    b'{"type":[],"error":{},"usage":[]}',
    b'{"type":{"type":{}},"error":{"code":{},"type":[],"details":3}}',
    b'{"error":true}',
    b'{"response":[],"message":0,"usage":1e400}',
    b'"\\ud800"',
    b"NaN",
    b"\x00\xff",
]


@pytest.mark.parametrize("data", HOSTILE)
@pytest.mark.parametrize("after_content", [False, True])
@pytest.mark.parametrize("name", [b"", b"event: error\n", b"event: \xff\n"])
def test_hostile_json_in_a_stream_never_raises(data: bytes, after_content: bool, name: bytes) -> None:
    """Deep nesting, huge numbers and wrong types break no stream."""
    onlooker = stream()
    if after_content:
        onlooker.feed(chunk({"content": "Hi"}))
    onlooker.feed(name + b"data: " + data + b"\n\n")
    onlooker.end()


@pytest.mark.parametrize("data", HOSTILE)
@pytest.mark.parametrize("status", [200, 429])
def test_hostile_json_never_raises(data: bytes, status: int) -> None:
    """Deep nesting, huge numbers and wrong types break no unary answer."""
    onlooker = unary(status)
    onlooker.feed(data)
    assert onlooker.end() is not None


@given(
    st.sampled_from([200, 204, 301, 404, 429, 503]),
    st.sampled_from([SSE, JSON, ""]),
    st.booleans(),
    st.lists(st.binary(max_size=80) | st.sampled_from([b"data: ", b"\n\n", b"event: error\n", b"{}"]), max_size=8),
)
@example(200, SSE, True, [b'data: {"type":[]}\n\n'])
def test_arbitrary_bytes_never_raise(status: int, media_type: str, readable: bool, pieces: list[bytes]) -> None:
    """No bytes, however cut, make the inspector raise, because that would break the answer."""
    onlooker = ResponseInspector(status, media_type=media_type, readable=readable)
    evidence = [onlooker.head(), *map(onlooker.feed, pieces), onlooker.end(), onlooker.cut()]
    assert any(evidence)
