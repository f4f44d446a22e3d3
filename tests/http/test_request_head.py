"""The same head again: what is remembered of it, and what is parsed each time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.http.request_head import Head
from aibridge_trio.http.request_parser import _STRIDE, Data, EndOfRequest, Event, InvalidRequest, RequestParser
from tests.support.mutations import cut, mutated, places

HEAD = (
    b"POST /v1/chat?x=1 HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer sk-1\r\nX-A: 1\r\nX-A: 2\r\n"
    b"Content-Length: %b\r\nX-B: 3\r\n\r\n"
)
GET = b"GET /v1/models HTTP/1.1\r\nhost: b\r\nx-api-key: k\r\n\r\n"


def post(body: bytes, head: bytes = HEAD) -> bytes:
    return head % b"%d" % len(body) + body


class Forgetful(RequestParser):
    """A parser that remembers no head: what all heads mean."""

    def feed(self, data: bytes = b"") -> list[Event]:
        self._last_head = None
        return super().feed(data)


def read(parser: RequestParser, *parts: bytes) -> list[Event]:
    """All events of these parts; pieces that follow each other are one."""
    events = list[Event]()
    for part in parts:
        found = parser.feed(part)
        while parser.has_buffered and not parser.closed:
            found += parser.feed()
        for event in found:
            if isinstance(event, Data) and events and isinstance(events[-1], Data):
                events[-1] = Data(events[-1].data + event.data)
            else:
                events.append(event)
    return events


def heads(*parts: bytes) -> list[Head]:
    """The heads in these parts, which are also what a parser without a memory reads."""
    events = read(RequestParser(), *parts)
    assert events == read(Forgetful(), *parts)
    return [event for event in events if isinstance(event, Head)]


def test_the_same_head_has_the_same_memo() -> None:
    """It is the same object, and what was kept there is still there."""
    first, second, get = heads(post(b"abc"), post(b"def"), GET)
    assert first is second
    assert first.memo is second.memo
    assert get.memo is not first.memo


def test_another_length_is_the_same_head() -> None:
    """The memo is the same; length and headers are those of the request."""
    first, second = heads(post(b"abc"), post(b"x" * 1000))
    assert first.memo is second.memo
    assert (first.length, second.length) == (3, 1000)
    assert first.headers[4] == (b"content-length", b"3")
    assert second.headers[4] == (b"content-length", b"1000")
    assert first.headers[:4] + first.headers[5:] == second.headers[:4] + second.headers[5:]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Bearer sk-1", b"Bearer sk-2"),
        (b"Bearer sk-1", b"bearer sk-1"),
        (b"Authorization", b"authorization"),
        (b"X-A: 1\r\nX-A: 2", b"X-A: 2\r\nX-A: 1"),
        (b"X-A: 1\r\n", b""),
        (b"X-A: 1\r\n", b"X-A: 1\r\nX-A: 1\r\n"),
        (b"X-B: 3", b"X-B:  3"),
        (b"X-B: 3", b"X-B: 3\r\nConnection: X-A"),
        (b"X-B: 3", b"X-B: 3\r\nConnection: close"),
        (b"X-B: 3", b"X-B: 3\r\nExpect: 100-continue"),
        (b"POST", b"PUT"),
        (b"/v1/chat?x=1", b"/v1/chat?x=2"),
        (b"/v1/chat?x=1", b"/v1/chat"),
        (b"Host: b", b"Host: c"),
    ],
)
def test_one_thing_changed_is_another_head(before: bytes, after: bytes) -> None:
    """Also when the first head comes back behind it."""
    changed = HEAD.replace(before, after)
    assert changed != HEAD
    requests = [post(b"abc"), post(b"abc", changed), post(b"abc")]
    if b"close" in changed:
        requests.pop()
    found = heads(*requests)
    assert len({id(head.memo) for head in found}) == len(requests)


@pytest.mark.parametrize(
    "length",
    [b"03", b"00", b"+3", b"-3", b" 3", b"3 ", b"\t3", b"3,3", b"0x3", b"3_0", b"", b"3.0", b"\xb2", b"9" * 20],
)
def test_a_length_in_another_form_is_parsed(length: bytes) -> None:
    """The parser decides about it: it is refused, or read as without a memory, and no memo is shared."""
    parser, plain = RequestParser(), Forgetful()
    data = HEAD % length + b"abc"
    memo = read(parser, post(b"abc"))[0].memo  # type: ignore[union-attr]
    read(plain, post(b"abc"))
    events = read(parser, data)
    assert events == read(plain, data)
    assert all(event.memo is not memo for event in events if isinstance(event, Head))


@pytest.mark.parametrize("length", [b"03", b"3\r\ncontent-length: 3", b"3\r\nTransfer-Encoding: chunked"])
def test_a_first_length_in_another_form_is_not_remembered(length: bytes) -> None:
    """As if the connection had had no request."""
    data = HEAD % length + b"abc"
    found = heads(data, data) if length == b"03" else []
    assert len({id(head.memo) for head in found}) == len(found)
    if not found:
        assert isinstance(read(RequestParser(), data)[-1], InvalidRequest)


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nhost: b\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: b\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nhost: b\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        b"\r\nGET / HTTP/1.1\r\nhost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: b\r\nx: %b\r\n\r\n" % (b"x" * 5000),
    ],
    ids=["chunked", "expect", "upgrade", "behind an empty line", "long"],
)
def test_what_is_not_remembered(request_: bytes) -> None:
    """Each of these is parsed each time, and has a memo of its own."""
    first, second = heads(request_, request_)
    assert first.memo is not second.memo


def test_equal_heads_in_a_pipeline() -> None:
    """Each body stands behind its own head, and what is not complete stays."""
    requests = [post(b"%d" % number * number) for number in range(1, 60)]
    found = heads(post(b"first"), b"".join(requests))
    assert [head.length for head in found[1:]] == [len(b"%d" % number) * number for number in range(1, 60)]
    assert len({id(head.memo) for head in found}) == 1


def test_a_pipeline_is_read_one_by_one() -> None:
    """A call of `feed` returns one request, and keeps what stands behind it."""
    parser = RequestParser()
    parser.feed(post(b"abc"))
    events = parser.feed(post(b"abc") * 3)
    for left in (True, True, False):
        assert [type(event) for event in events] == [Head, Data, EndOfRequest]
        assert parser.has_buffered is left
        events = parser.feed() if left else []


def test_a_body_that_is_cut() -> None:
    """What comes behind the same head is its body, even where it looks like a head."""
    inner = post(b"abc")
    data = post(inner * 3)
    for step in (1, 7, len(inner), 100_000):
        events = read(RequestParser(), inner, *(data[n : n + step] for n in range(0, len(data), step)), GET)
        assert [event.data for event in events if isinstance(event, Data)] == [b"abc", inner * 3]
        assert [event.method for event in events if isinstance(event, Head)] == ["POST", "POST", "GET"]


def test_a_head_that_is_cut_is_parsed() -> None:
    """It has a memo of its own, and is not taken for the one before."""
    for at in range(1, len(HEAD) - 2):
        whole = post(b"abc")
        heads(whole, whole[:at], whole[at:], whole)


CLOSING = post(b"abc", HEAD.replace(b"X-B: 3", b"Connection: close"))


@pytest.mark.parametrize(
    "last",
    [[b"\0" + GET], [b"PO\nST"], [CLOSING], [CLOSING[:50], CLOSING[50:]], [b"GET / HTTP/1.0\r\n\r\n"]],
    ids=["invalid", "invalid in a head", "closing", "closing, in pieces", "HTTP/1.0"],
)
def test_nothing_is_read_behind_the_last_request(last: list[bytes]) -> None:
    """Not even the head that the connection knows."""
    parser = RequestParser()
    assert len(read(parser, post(b"abc"), post(b"abc"))) == 6
    read(parser, *last)
    assert parser.closed
    assert read(parser, post(b"abc"), GET) == []


def test_a_body_that_never_comes_is_no_end() -> None:
    """A request whose body is cut stays without its end."""
    events = read(RequestParser(), post(b"abc"), post(b"abcdef")[:-1])
    assert [type(event) for event in events] == [Head, Data, EndOfRequest, Head, Data]


LENGTHS = st.sampled_from([b"3", b"0", b"10", b"03", b"3 ", b"+3", b"", b"99999999999999999"])
LINES = [
    b"X-A: 1\r\n",
    b"X-B: 3\r\n",
    b"Connection: x-a\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
]


@st.composite
def a_conversation(draw: st.DrawFn) -> bytes:
    """Requests of which most repeat a head, with a change here and there."""
    data, head = b"", HEAD
    for _ in range(draw(st.integers(1, 8))):
        match draw(st.sampled_from(["same", "same", "same", "length", "line", "get", "mutated", "chunked"])):
            case "length":
                data += head % draw(LENGTHS) + draw(st.binary(max_size=12))
                continue
            case "line":
                head = HEAD.replace(b"X-B: 3\r\n", draw(st.sampled_from(LINES)))
            case "get":
                data += GET
                continue
            case "mutated":
                data += draw(mutated(st.just(post(b"abc", head))))
                continue
            case "chunked":
                data += HEAD.replace(b"Content-Length: %b", b"Transfer-Encoding: chunked")
                data += b"3\r\nabc\r\n0\r\n\r\n"
                continue
        data += post(draw(st.one_of(st.binary(max_size=300), st.just(post(b"abc")))), head)
    return data


@given(a_conversation(), places)
def test_a_parser_with_a_memory_reads_what_one_without_reads(data: bytes, at: list[int]) -> None:
    """Whatever is the same, changed, cut or malformed: the events are the same."""
    parts = [GET, *cut(data, at)]
    first, second = RequestParser(), Forgetful()
    assert read(first, *parts) == read(second, *parts)
    assert first.closed is second.closed
    # What is parsed ahead of a request's end is not counted.
    assert abs(first.unfinished_head - second.unfinished_head) <= _STRIDE


def test_no_repr_shows_what_a_caller_sent() -> None:
    """Heads may end up in a traceback."""
    [head] = heads(post(b"abc"))
    assert "sk-1" not in repr(head)
