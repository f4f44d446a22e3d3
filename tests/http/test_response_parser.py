"""Answers, read byte by byte: what is an parser, where it ends, and what else may follow on the connection."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.http.headers import Headers
from aibridge_trio.http.response_head import Malformed
from aibridge_trio.http.response_parser import LAST_CHUNK, ResponseParser, chunk, request_head
from tests.support.mutations import cut, mutated, places

OK = b"HTTP/1.1 200 OK\r\n"


def fed(*pieces: bytes, to_head: bool = False) -> tuple[ResponseParser, bytes]:
    """An parser after these pieces, and the body that they held."""
    parser = ResponseParser(to_head=to_head)
    return parser, b"".join([parser.feed(piece) for piece in pieces])


def status(parser: ResponseParser) -> int:
    """The status, 0 before the head."""
    return parser.head.status if parser.head else 0


def headers(parser: ResponseParser) -> Headers:
    """The headers, none before the head."""
    return parser.head.headers if parser.head else []


def test_a_counted_answer_ends_at_its_length() -> None:
    """Head, body, end, and the connection may be used again."""
    parser, body = fed(OK + b"Content-Length: 3\r\nx: y\r\n\r\nabc")
    assert (status(parser), body, parser.complete, parser.reusable, parser.error) == (200, b"abc", True, True, "")
    assert headers(parser) == [(b"Content-Length", b"3"), (b"x", b"y")]


def test_a_chunked_answer_ends_at_its_last_chunk() -> None:
    """Pieces come without their framing; trailers are dropped."""
    parser, body = fed(OK + b"transfer-encoding: Chunked\r\n\r\n" + chunk(b"ab") + chunk(b"c"))
    assert (body, parser.complete) == (b"abc", False)
    assert parser.feed(b"0\r\nx-trailer: 1\r\n\r\n") == b""
    assert parser.complete
    assert parser.reusable
    assert headers(parser) == [(b"transfer-encoding", b"Chunked")]


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    """Then and only then the end of the connection is the end of the answer; nothing follows."""
    parser, body = fed(OK + b"\r\nabc")
    assert (body, parser.complete, parser.error) == (b"abc", False, "")
    parser.end()
    assert parser.complete
    assert not parser.reusable


@pytest.mark.parametrize(
    "cut",
    [b"", b"HTTP/1.1 2", OK, OK + b"content-length: 3\r\n\r\nab", OK + b"transfer-encoding: chunked\r\n\r\n"],
)
def test_an_end_in_the_middle_is_a_break(cut: bytes) -> None:
    """Before the head, in it, and in a body that says where it ends."""
    parser, _ = fed(cut)
    parser.end()
    assert parser.error
    assert not parser.complete
    assert not parser.reusable


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_answers_have_no_body(status: bytes) -> None:
    """Whatever their headers say (RFC 9112, 6.3)."""
    parser, body = fed(b"HTTP/1.1 " + status + b"\r\netag: x\r\n\r\n")
    assert (body, parser.complete, parser.reusable) == (b"", True, True)


@pytest.mark.parametrize("framing", [b"content-length: 9\r\n", b"transfer-encoding: chunked\r\n"])
def test_an_answer_to_head_is_its_head(framing: bytes) -> None:
    """Its framing says what GET would have got; the connection may be used again if nothing follows."""
    parser, body = fed(OK + framing + b"\r\n", to_head=True)
    assert (status(parser), body, parser.complete, parser.reusable) == (200, b"", True, True)
    parser, body = fed(OK + b"content-length: 2\r\n\r\nab", to_head=True)
    assert (body, parser.complete, parser.reusable) == (b"", True, False)


def test_interim_answers_are_passed_over() -> None:
    """100 and 103 come before the parser and leave nothing behind."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    parser, _ = fed(interim)
    assert (status(parser), parser.complete) == (0, False)
    parser.feed(OK + b"content-length: 0\r\n\r\n")
    assert (status(parser), headers(parser), parser.complete) == (200, [(b"content-length", b"0")], True)


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"x", b"\r\nnoise", b"\0"])
@pytest.mark.parametrize("apart", [True, False])
def test_what_comes_behind_the_end_spoils_the_connection(more: bytes, apart: bool) -> None:
    """The response stays complete; the excess bytes are not taken for the next response."""
    whole = OK + b"content-length: 3\r\n\r\nabc"
    parser, body = fed(whole, more) if apart else fed(whole + more)
    assert (status(parser), body, parser.complete, parser.error) == (200, b"abc", True, "")
    assert not parser.reusable


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n", OK + b"connection: close\r\n"])
def test_who_says_close_is_not_used_again(head: bytes) -> None:
    """HTTP/1.0 says it by its version."""
    parser, body = fed(head + b"content-length: 3\r\n\r\nabc")
    assert (body, parser.complete, parser.reusable) == (b"abc", True, False)


@pytest.mark.parametrize(
    "bad",
    [
        OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
        OK + b"content-length: 3\r\ncontent-length: 4\r\n\r\n",
        OK + b"content-length: -1\r\n\r\n",
        OK + b"content-length: 3, 3\r\n\r\n",
        OK + b"transfer-encoding: gzip, chunked\r\n\r\n",
        OK + b"transfer-encoding: gzip\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        OK + b"a: b\r\n c\r\n\r\n",
        OK + b"a b: c\r\n\r\n",
        OK + b"a: b\0c\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 099 Early\r\n\r\n",
        b"HTTP/1.1 200 " + b"y" * 70_000 + b"\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        OK + b"x: " + b"y" * 70_000 + b"\r\n\r\n",
        OK + b"x: y\r\n" * 300 + b"\r\n",
    ],
)
def test_what_is_no_answer_is_broken_and_has_no_status(bad: bytes) -> None:
    """Contradictory or unknown framing, folded lines, bare line feeds, other protocols, endless heads."""
    parser, body = fed(bad)
    assert parser.error
    assert "callback" not in parser.error, "the reason is ours"
    assert (status(parser), body, parser.complete, parser.reusable) == (0, b"", False, False)


def test_a_bad_chunk_breaks_an_answer_in_the_middle() -> None:
    """What came before it stands."""
    parser, body = fed(OK + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"ab") + b"zz\r\n")
    assert (status(parser), body, parser.complete) == (200, b"ab", False)
    assert parser.error


ANSWERS = st.sampled_from(
    [
        OK + b"content-length: 11\r\n\r\nhello world",
        OK + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"hello") + chunk(b" world") + LAST_CHUNK,
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 11\r\n\r\nhello world",
        OK + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"hello") + b"zz",
        OK + b"content-length: 11\r\n\r\nhello world and more",
    ]
)


bodies = st.binary(max_size=300)
values = st.from_regex(re.compile(rb"[!-~\x80-\xff]{0,20}"), fullmatch=True)


@st.composite
def an_answer(draw: st.DrawFn) -> bytes:
    """A well-formed parser, with what may stand before it and behind it."""
    body = draw(bodies)
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * draw(st.integers(0, 2))
    status = draw(st.sampled_from([b"200 OK", b"204 No Content", b"304 Not Modified", b"429 ", b"999 X"]))
    head = hints + b"HTTP/1.%d %s\r\n" % (draw(st.integers(0, 1)), status)
    head += b"".join(b"x-%d: %s\r\n" % each for each in enumerate(draw(st.lists(values, max_size=5))))
    match draw(st.sampled_from(["sized", "chunked", "until close"])):
        case "sized":
            return head + b"content-length: %d\r\n\r\n%s" % (len(body), body)
        case "chunked":
            pieces = (body[:100], body[100:150], body[150:])
            chunks = b"".join(map(chunk, filter(None, pieces)))
            return head + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\nx-trailer: 1\r\n\r\n"
    return head + b"\r\n" + body


def state_of(parser: ResponseParser, body: bytes) -> tuple[object, ...]:
    """All that a parser tells; without a status it has no headers either."""
    return status(parser), headers(parser), body, parser.complete, parser.reusable, bool(parser.error)


@given(st.one_of(an_answer(), mutated(an_answer())), places, st.booleans(), st.booleans())
def test_an_answer_is_the_same_however_it_is_cut(data: bytes, at: list[int], to_head: bool, ends: bool) -> None:
    """Well-formed or almost: every cut tells the same, before the end of the connection and behind it."""
    (whole, body), (parts, parts_body) = fed(data, to_head=to_head), fed(*cut(data, at), to_head=to_head)
    if ends:
        whole.end()
        parts.end()
    assert state_of(parts, parts_body) == state_of(whole, body)
    if ends:
        assert whole.complete or whole.error


@given(an_answer())
def test_a_well_formed_answer_is_one(data: bytes) -> None:
    """Whatever it is made of, it comes to its end."""
    parser, _ = fed(data)
    parser.end()
    assert (parser.complete, parser.error) == (True, "")


@given(ANSWERS, st.lists(st.integers(0, 120)))
def test_however_the_bytes_are_cut_the_answer_is_the_same(data: bytes, cuts: list[int]) -> None:
    """TCP keeps no borders."""
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places)]
    (whole, body), (cut, cut_body) = fed(data), fed(*pieces)
    assert cut_body == body
    assert state_of(cut, b"") == state_of(whole, b"")


@given(st.lists(st.binary(max_size=60), max_size=8), st.booleans())
def test_no_bytes_do_more_than_break_an_answer(pieces: list[bytes], to_head: bool) -> None:
    """Whatever a provider sends, nothing is raised."""
    parser, _ = fed(OK + b"transfer-encoding: chunked\r\n\r\n", *pieces, to_head=to_head)
    parser.end()
    assert parser.complete or parser.error


def test_a_request_head_goes_out_byte_for_byte() -> None:
    """Target, names and values as they are given."""
    head = request_head("POST", b"/v1/x?a=%2F", [(b"Host", b"h"), (b"X-Y", b"z \xff")])
    assert head == b"POST /v1/x?a=%2F HTTP/1.1\r\nHost: h\r\nX-Y: z \xff\r\n\r\n"


@pytest.mark.parametrize("bad", [b"\r\nx: y", b"\n", b"\r", b"\0"])
@pytest.mark.parametrize("place", ["target", "name", "value"])
def test_nothing_in_a_request_head_ends_its_line(bad: bytes, place: str) -> None:
    """A caller could inject header lines otherwise."""
    parts = {"target": b"/", "name": b"n", "value": b"v"}
    parts[place] += bad
    with pytest.raises(Malformed):
        request_head("GET", parts["target"], [(parts["name"], parts["value"])])


def test_a_target_is_one_word() -> None:
    """A space would make a version of its rest."""
    with pytest.raises(Malformed):
        request_head("GET", b"/ HTTP/1.0", [])
