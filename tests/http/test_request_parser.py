"""Requests as bytes: what is read of them, and what is refused."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.http.headers import MAX_HEAD, MAX_HEADERS
from aibridge_trio.http.request_head import Head
from aibridge_trio.http.request_parser import Data, EndOfRequest, Event, InvalidRequest, RequestParser
from tests.support.mutations import cut, mutated, places

GET = b"GET / HTTP/1.1\r\nhost: b\r\n"
POST = b"POST / HTTP/1.1\r\nhost: b\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"


def read(*parts: bytes) -> list[Event]:
    """All events of these parts; pieces that follow each other are one."""
    parser, events = RequestParser(), list[Event]()
    for part in parts:
        found = parser.feed(part)
        while parser.has_buffered:
            found += parser.feed()
        for event in found:
            if isinstance(event, Data) and events and isinstance(events[-1], Data):
                events[-1] = Data(events[-1].data + event.data)
            else:
                events.append(event)
    return events


def the_head(data: bytes) -> Head:
    """The one head in this."""
    [head] = [event for event in read(data) if isinstance(event, Head)]
    return head


# What is read


def test_a_request_is_a_head_pieces_and_an_end() -> None:
    """Names are lower-case, values without the blanks around them, all in order; the target is as it came."""
    head, piece, end = read(
        b"POST /a%20b?c=%64 HTTP/1.1\r\nHost: b\r\nX-A:  1 \t\r\n"
        b"x-a: 2\r\nX-Empty:\r\nContent-Length: 3\r\n\r\nabc"
    )
    headers = [(b"host", b"b"), (b"x-a", b"1"), (b"x-a", b"2"), (b"x-empty", b""), (b"content-length", b"3")]
    assert head == Head("POST", b"/a%20b?c=%64", "1.1", headers, 3, expects_continue=False, closes=False)
    assert (piece, end) == (Data(b"abc"), EndOfRequest())


def test_a_chunked_body_is_its_data() -> None:
    """Sizes, extensions and trailers are framing, and framing is not the application's."""
    data = CHUNKED + b'3;a="b"\r\nabc\r\nA\r\n0123456789\r\n0\r\nx-trailer: 1\r\n\r\n'
    head, piece, end = read(data)
    assert isinstance(head, Head)
    assert head.length is None
    assert (piece, end) == (Data(b"abc0123456789"), EndOfRequest())


def test_a_pipeline_is_read_one_by_one() -> None:
    """A call of `feed` returns one request, and keeps what stands behind it."""
    parser = RequestParser()
    first = parser.feed((GET + b"x-padding: " + b"x" * 300 + b"\r\n\r\n") * 100)
    assert [type(event) for event in first] == [Head, EndOfRequest]
    count = 1
    while parser.has_buffered:
        count += parser.feed().count(EndOfRequest())
    assert count == 100


@pytest.mark.parametrize(
    ("data", "final"),
    [
        (GET + b"\r\n", False),
        (GET + b"connection: close\r\n\r\n", True),
        (GET + b"connection: Keep-Alive, Close\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", True),
        (b"CONNECT b:1 HTTP/1.1\r\nhost: b:1\r\n\r\n", True),
        (GET + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n", False),
    ],
)
def test_a_head_says_whether_another_may_follow(data: bytes, final: bool) -> None:
    """Behind a close, HTTP/1.0 or a tunnel nothing is a request any more."""
    parser = RequestParser()
    events = parser.feed(data)
    assert isinstance(events[0], Head)
    assert (events[0].closes, parser.closed, events[1:]) == (final, final, [EndOfRequest()])
    following = parser.feed(b"GET /next HTTP/1.1\r\nhost: b\r\n\r\n")
    assert bool(following) is not final


def test_who_asks_for_another_protocol_is_read_on_in_this_one() -> None:
    """An upgrade that is not granted changes nothing: the next request is read."""
    upgrade = GET + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    assert [type(event) for event in read(upgrade + GET + b"\r\n")] == [Head, EndOfRequest, Head, EndOfRequest]


OFFERS = (b"connection: upgrade\r\nupgrade: h2c\r\n", b"connection: upgrade\r\nupgrade: websocket\r\n")


@pytest.mark.parametrize("size", [1, 2, 7, 100, 10_000])
@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize(
    ("framing", "wire", "body"),
    [
        (b"content-length: 3", b"abc", b"abc"),
        (b"content-length: 2000", b"GET" + b"x" * 1997, b"GET" + b"x" * 1997),
        (b"transfer-encoding: chunked", b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nt: 1\r\n\r\n", b"abc0123456789"),
        (b"content-length: 0", b"", b""),
        (b"x: y", b"", b""),
    ],
)
def test_a_body_behind_an_offer_of_another_protocol_is_read(
    offer: bytes, framing: bytes, wire: bytes, body: bytes, size: int
) -> None:
    """Head, body and the requests behind it are what they are without the offer, in whatever pieces they come."""
    request = POST + offer + framing + b"\r\n\r\n" + wire
    data = request + request + GET + b"\r\n"
    parser, events = RequestParser(), []
    for at in range(0, len(data), size):
        events += parser.feed(data[at : at + size])
        while parser.has_buffered:
            events += parser.feed()
    heads = [event for event in events if isinstance(event, Head)]
    assert [head.method for head in heads] == ["POST", "POST", "GET"]
    assert [head.closes for head in heads] == [False] * 3
    assert {head.length for head in heads[:2]} == {None if b"chunked" in framing else len(body)}
    assert heads[0].headers == heads[1].headers == the_head(request).headers
    assert (b"upgrade", offer.split()[-1]) in heads[0].headers
    assert events.count(EndOfRequest()) == 3
    assert b"".join(event.data for event in events if isinstance(event, Data)) == body * 2
    assert not any(isinstance(event, InvalidRequest) for event in events)


def test_a_broken_body_behind_an_offer_is_broken() -> None:
    """Offers are no way round the bounds of a chunked body, nor its grammar."""
    head = POST + OFFERS[0] + b"transfer-encoding: chunked\r\n\r\n"
    for wire in (b"x\r\n", b"1\r\nab\r\n", b"1;" + b"x" * 20_000 + b"\r\n", b"1\r\na\r\n0\r\nx: " + b"x" * 20_000):
        events = read(head + wire)
        assert isinstance(events[0], Head)
        assert isinstance(events[-1], InvalidRequest)
        assert EndOfRequest() not in events


def test_a_close_beside_an_offer_is_a_close() -> None:
    """The body is read, and nothing behind it."""
    head = POST + b"connection: close, upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\n"
    first, piece, end = read(head + b"abc" + GET + b"\r\n")
    assert isinstance(first, Head)
    assert first.closes
    assert (piece, end) == (Data(b"abc"), EndOfRequest())


def test_who_goes_on_in_another_protocol_is_refused() -> None:
    """What stands behind an upgrade is read as a request, and where it is none, that is the caller's fault."""
    upgrade = GET + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n"
    for more in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0", b"GET / HTTP/1.1\r\nhost: b\r\nhost: b\r\n\r\n"):
        head, end, broken = read(upgrade + more)
        assert isinstance(head, Head)
        assert end == EndOfRequest()
        assert isinstance(broken, InvalidRequest)
        assert broken.status == 400


@pytest.mark.parametrize(
    ("data", "expects"),
    [
        (POST + b"expect: 100-Continue\r\ncontent-length: 1\r\n\r\n", True),
        (POST + b"expect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n", True),
        (POST + b"expect: 100-continue\r\n\r\n", False),
        (POST + b"expect: 100-continue\r\ncontent-length: 0\r\n\r\n", False),
        (POST + b"expect: wonders\r\ncontent-length: 1\r\n\r\n", False),
        (b"POST / HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n", False),
    ],
)
def test_who_waits_for_a_100_is_known(data: bytes, expects: bool) -> None:
    """Only where there is a body to wait with, and not in HTTP/1.0, which has no 100."""
    assert the_head(data).expects_continue is expects


def test_empty_lines_before_a_request_are_nothing() -> None:
    """Old clients send one behind a body; a head has not begun with it."""
    parser = RequestParser()
    assert parser.feed(b"\r\n\r\n") == []
    begun = [parser.head_begun]
    assert parser.feed(b"G") == []
    begun.append(parser.head_begun)
    assert len(parser.feed(b"ET / HTTP/1.1\r\nhost: b\r\n\r\n")) == 2
    begun.append(parser.head_begun)
    assert begun == [False, True, False]


# What is refused

SMUGGLED = {
    "length and chunks": POST + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
    "chunks and length": POST + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
    "two lengths": POST + b"content-length: 3\r\ncontent-length: 4\r\n\r\n",
    "the same length twice": POST + b"content-length: 3\r\ncontent-length: 3\r\n\r\n",
    "a list of lengths": POST + b"content-length: 3, 3\r\n\r\n",
    "a signed length": POST + b"content-length: +3\r\n\r\n",
    "a negative length": POST + b"content-length: -3\r\n\r\n",
    "a length in hex": POST + b"content-length: 0x3\r\n\r\n",
    "an empty length": POST + b"content-length:\r\n\r\n",
    "an endless length": POST + b"content-length: 99999999999999999999999\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two codings": POST + b"transfer-encoding: gzip, chunked\r\n\r\n",
    "chunked twice": POST + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
    "chunked, then not": POST + b"transfer-encoding: chunked, identity\r\n\r\n",
    "identity": POST + b"transfer-encoding: identity\r\n\r\n",
    "almost chunked": POST + b"transfer-encoding: xchunked\r\n\r\n",
    "chunked behind a tab": POST + b"transfer-encoding: \x0bchunked\r\n\r\n",
    "an empty coding": POST + b"transfer-encoding:\r\n\r\n",
    "a blank before the colon": POST + b"transfer-encoding : chunked\r\n\r\n",
    "a folded line": POST + b"transfer-encoding:\r\n chunked\r\n\r\n",
    "a folded first line": b"GET / HTTP/1.1\r\n x: 1\r\nhost: b\r\n\r\n",
    "a bare LF behind the first line": b"GET / HTTP/1.1\nhost: b\r\n\r\n",
    "a bare LF behind a header": b"GET / HTTP/1.1\r\nhost: b\nx: 1\r\n\r\n",
    "a bare LF at the end": b"GET / HTTP/1.1\r\nhost: b\r\n\n",
    "a bare CR": GET + b"x: a\rb\r\n\r\n",
    "a NUL in a value": GET + b"x: a\0b\r\n\r\n",
    "a NUL in a name": GET + b"x\0: a\r\n\r\n",
    "a NUL in the target": b"GET /\0 HTTP/1.1\r\nhost: b\r\n\r\n",
    "no name": GET + b": a\r\n\r\n",
    "no colon": GET + b"a\r\n\r\n",
    "a blank in a name": GET + b"a b: c\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"host: b\r\n\r\n",
    "two Hosts in one": b"GET / HTTP/1.1\r\nhost: b, c\r\n\r\n",
    "a Host with a path": b"GET / HTTP/1.1\r\nhost: b/c\r\n\r\n",
    "a Host beyond ASCII": b"GET / HTTP/1.1\r\nhost: b\xc3\xa9\r\n\r\n",
    "a target beyond ASCII": b"GET /\xc3\xa9 HTTP/1.1\r\nhost: b\r\n\r\n",
    "a tab for a blank": b"GET\t/ HTTP/1.1\r\nhost: b\r\n\r\n",
    "a blank behind the version": b"GET / HTTP/1.1 \r\nhost: b\r\n\r\n",
    "a method of another protocol": b"EHLO / HTTP/1.1\r\nhost: b\r\n\r\n",
    "a method in lower case": b"get / HTTP/1.1\r\nhost: b\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nhost: b\r\n\r\n",
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a body without a length": POST + b"\r\nabc",
    "a chunk without a size": CHUNKED + b";a\r\nabc\r\n0\r\n\r\n",
    "a chunk of negative size": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "a chunk of 0x3": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "a blank behind a size": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "an endless chunk": CHUNKED + b"fffffffffffffffff\r\nabc",
    "a bare LF behind a size": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "a bare LF behind a chunk": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "a length in a trailer": CHUNKED + b"0\r\ncontent-length: 3\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_what_two_readers_could_read_in_two_ways_is_refused(name: str) -> None:
    """However its bytes are cut: 400, and nothing behind it is a request."""
    data = SMUGGLED[name]
    for parts in ((data,), [data[n : n + 1] for n in range(len(data))]):
        parser, events = RequestParser(), list[Event]()
        for part in parts:
            events += parser.feed(part)
            while parser.has_buffered:
                events += parser.feed()
        broken = events[-1]
        assert isinstance(broken, InvalidRequest)
        assert broken.status == 400
        assert parser.closed
        assert parser.feed(GET + b"\r\n") == []


@pytest.mark.parametrize("version", [b" HTTP/2.0", b" HTTP/0.9", b""])
def test_other_versions_are_505(version: bytes) -> None:
    """Their framing is not ours."""
    [broken] = read(b"GET /" + version + b"\r\nhost: b\r\n\r\n")
    assert isinstance(broken, InvalidRequest)
    assert broken.status == 505


LONG_HEADS = {
    "a long line": GET + b"x: " + b"x" * MAX_HEAD,
    "a long name": GET + b"x" * MAX_HEAD + b": x",
    "a long target": b"GET /" + b"x" * MAX_HEAD,
    "many lines": GET + b"x: 1\r\n" * MAX_HEADERS,
    "many long lines": GET + (b"x: " + b"x" * 1000 + b"\r\n") * 66,
    "nothing but empty lines": b"\r\n" * MAX_HEAD,
}


@pytest.mark.parametrize("name", LONG_HEADS)
@pytest.mark.parametrize("cut", [10, 1000, 1_000_000])
def test_a_long_head_is_431(name: str, cut: int) -> None:
    """No head is kept beyond the bound, whether its end arrives or not."""
    data = LONG_HEADS[name] + b"\r\n\r\n"
    broken = read(*(data[n : n + cut] for n in range(0, len(data), cut)))[-1]
    assert isinstance(broken, InvalidRequest)
    assert broken.status == 431


def test_a_head_below_the_bound_is_read() -> None:
    """Claude Code's heads are 3 KiB; cookies may be more."""
    assert len(the_head(GET + b"x: 1\r\n" * (MAX_HEADERS - 1) + b"\r\n").headers) == MAX_HEADERS
    assert the_head(GET + b"cookie: " + b"x" * (MAX_HEAD - 100) + b"\r\n\r\n").headers


@pytest.mark.parametrize(
    "data",
    [
        CHUNKED + b"1;" + b"x" * 70_000,
        CHUNKED + (b"1;" + b"x" * 500 + b"\r\na\r\n") * 200,
        CHUNKED + b"0\r\n" + (b"t: " + b"x" * 1000 + b"\r\n") * 70,
    ],
    ids=["an extension", "many extensions", "trailers"],
)
@pytest.mark.parametrize("cut", [100, 10_000])
def test_a_body_that_is_more_frame_than_body_is_refused(data: bytes, cut: int) -> None:
    """Chunk framing is bounded, because limits on bodies do not count it."""
    broken = read(*(data[n : n + cut] for n in range(0, len(data), cut)))[-1]
    assert isinstance(broken, InvalidRequest)
    assert broken.status == 400


def test_small_chunks_are_no_offence() -> None:
    """A body may come byte by byte."""
    data = CHUNKED + b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n"
    assert read(data)[1:] == [Data(b"a" * 20_000), EndOfRequest()]
    assert read(*(data[n : n + 1000] for n in range(0, len(data), 1000)))[1:] == [
        Data(b"a" * 20_000),
        EndOfRequest(),
    ]


# Any bytes, any cut

bodies = st.binary(max_size=600)
fields = st.tuples(
    st.from_regex(re.compile(rb"x-[a-z0-9]{0,10}"), fullmatch=True),
    st.from_regex(re.compile(rb"[!-~\x80-\xff]{0,20}"), fullmatch=True),
)


@st.composite
def a_request(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A well-formed request, and its body."""
    body = draw(bodies)
    head = b"POST /%s HTTP/1.1\r\nhost: b\r\n" % draw(st.from_regex(re.compile(rb"[a-z]{0,300}"), fullmatch=True))
    head += b"".join(b"%s: %s\r\n" % each for each in draw(st.lists(fields, max_size=8)))
    if draw(st.booleans()):
        return head + b"content-length: %d\r\n\r\n" % len(body) + body, body
    cuts = draw(st.sets(st.integers(0, len(body)), max_size=3)) | {0, len(body)}
    pieces = [body[a:b] for a, b in pairwise(sorted(cuts))]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n", body


@given(st.lists(a_request(), min_size=1, max_size=5), places)
def test_requests_are_the_same_however_they_are_cut(sent: list[tuple[bytes, bytes]], at: list[int]) -> None:
    """Every body arrives as it was sent, each behind its own head."""
    data = b"".join(request for request, _ in sent)
    events = read(*cut(data, at))
    assert events == read(data)
    heard = b"\0".join(event.data for event in events if isinstance(event, Data))
    assert heard == b"\0".join(body for _, body in sent if body)
    assert [type(event) for event in events].count(EndOfRequest) == len(sent)


# What makes parsers stumble, in any order.
SHARDS = [
    *(b"GET / HTTP/1.1\r\n", b"POST /x HTTP/1.0\r\n", b"host: b\r\n", b"content-length: 3\r\n", b"\r\n", b"\n"),
    *(b"transfer-encoding: chunked\r\n", b"3\r\nabc\r\n", b"0\r\n", b"abc", b"connection: close\r\n", b" ", b"\0"),
    *(b"connection: upgrade\r\nupgrade: x\r\n", b"expect: 100-continue\r\n", b"CONNECT b:1 HTTP/1.1\r\n", b":"),
    b"x" * 300,
]
noise = st.lists(st.one_of(st.sampled_from(SHARDS), st.binary(max_size=8)), max_size=30).map(b"".join)


pipelines = st.lists(a_request(), min_size=1, max_size=3).map(lambda each: b"".join(data for data, _ in each))


@given(st.one_of(noise, mutated(pipelines)), places)
def test_no_bytes_give_anything_but_events(data: bytes, at: list[int]) -> None:
    """Any bytes give heads, data and ends of requests in that order, and at most one InvalidRequest, the last."""
    events = read(*cut(data, at))
    assert events == read(data)
    said = "".join(type(event).__name__[0] for event in events)
    assert re.fullmatch(r"(HD?E)*(HD?)?I?", said)


def others(data: bytes) -> list[tuple[str, bytes, bytes]]:
    """What h11 reads of the same bytes: method, target and body of each whole request, up to what it refuses."""
    found = list[tuple[str, bytes, bytes]]()
    with suppress(h11.RemoteProtocolError):
        while data:
            parser, body = h11.Connection(h11.SERVER), b""
            parser.receive_data(data)
            if not isinstance(head := parser.next_event(), h11.Request):
                break
            while isinstance(event := parser.next_event(), h11.Data):
                body += event.data
            if not isinstance(event, h11.EndOfMessage):
                break
            found.append((head.method.decode(), head.target, body))
            data = bytes(parser.trailing_data[0])
    return found


def ours(data: bytes) -> list[tuple[str, bytes, bytes]]:
    """What is read here, in the same words."""
    found, body = list[tuple[str, bytes, bytes]](), b""
    for event in read(data):
        match event:
            case Head():
                if event.closes and any(name == b"upgrade" for name, _ in event.headers):
                    break  # it is refused, and its body with it
                head, body = event, b""
            case Data():
                body += event.data
            case EndOfRequest():
                found.append((head.method, head.target, body))
    return found


@given(mutated(pipelines))
def test_what_is_read_here_is_what_others_read(data: bytes) -> None:
    """Of messages that are almost right, h11 sees the same requests, as far as neither refuses; never others."""
    here, there = ours(data), others(data)
    both = min(len(here), len(there))
    assert here[:both] == there[:both]


def test_no_repr_shows_what_a_caller_sent() -> None:
    """Events may end up in a traceback."""
    events = read(POST + b"authorization: secret\r\ncontent-length: 6\r\n\r\nsecret")
    assert "secret" not in repr(events)
