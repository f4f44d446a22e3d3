"""Heads of responses: what they say, what of them goes on, and that none is read that llhttp would refuse."""

from __future__ import annotations

from time import perf_counter

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.http import headers as h
from aibridge_trio.http.headers import Headers
from aibridge_trio.http.response_head import Malformed, ResponseHead, read_head
from tests.support.mutations import mutated

OK = b"HTTP/1.1 200 OK\r\n"
LINES = [
    b"Content-Type: application/json; charset=utf-8",
    b"content-type:text/event-stream",
    b"Date: Tue, 01 Dec 2026 00:00:00 GMT",
    b"x-request-id: req_1",
    b"x-empty:",
    b"x-\xc3: no token",
    b"X-Odd!#$%&'*+.^_`|~: \xffvalue\t ",
    b"x-aibridge-reject: capacity",
    b"X-AIBridge-Own: 1",
    b"Content-Length: 12",
    b"content-length: 012 ",
    b"content-length: 12, 12",
    b"content-length: +1",
    b"content-length: ",
    b"content-length: 99999999999999999999999",
    b"Transfer-Encoding: chunked",
    b"transfer-encoding: Chunked ",
    b"transfer-encoding: gzip, chunked",
    b"transfer-encoding:\tchunked",
    b"transfer-encoding : chunked",
    b"Content-Encoding: gzip",
    b"content-encoding: IDENTITY",
    b"Connection: keep-alive",
    b"connection: Close",
    b"connection: close, x-request-id",
    b"Connection: x-odd,, content-type",
    b"proxy-connection: close",
    b"Keep-Alive: timeout=5",
    b"upgrade: h2c",
    b"trailer: x",
    b"Set-Cookie: a=1",
    b"set-cookie: b=2",
    b" folded",
    b"\tfolded: too",
    b": no name",
    b"no colon",
    b"nul: \0",
    b"bell: \x07",
    b"del: \x7f",
    b"lone cr: a\rb",
    b"bare lf: a\nb: c",
    b"",
]
STATUS_LINES = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 200",
    b"HTTP/1.1 200 ",
    b"HTTP/1.0 200 OK",
    b"HTTP/1.1 429 Too Many Requests",
    b"HTTP/1.1 204 No Content",
    b"HTTP/1.1 304 Not Modified",
    b"HTTP/1.1 103 Early Hints",
    b"HTTP/1.1 101 Switching Protocols",
    b"HTTP/1.1 999 \xff",
    b"HTTP/1.1 099 Early",
    b"HTTP/1.1  200 OK",
    b"HTTP/1.1 2000 OK",
    b"HTTP/1.1 20 OK",
    b"HTTP/1.1 200OK",
    b"HTTP/1.2 200 OK",
    b"HTTP/2.0 200 OK",
    b"HTTP/2 200 OK",
    b"HTTP/11 200 OK",
    b"http/1.1 200 OK",
    b"ICY 200 OK",
    b" HTTP/1.1 200 OK",
    b"",
]


class Reference:
    """What llhttp says of a head."""

    def __init__(self, head: bytes) -> None:
        self.headers: Headers = []
        self.status = 0
        self.keeps_alive = False
        self.refused = False
        self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(head + b"\r\n\r\n")
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.refused = True
        self.refused = self.refused or not self.status
        del self._parser

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by llhttp."""
        if not self.status:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Called by llhttp."""
        self.status = self.status or self._parser.get_status_code()
        self.keeps_alive = self._parser.should_keep_alive()


def check(data: bytes) -> None:
    """Compare what is read of a head with what llhttp says."""
    head = (data + b"\r\n\r\n").partition(b"\r\n\r\n")[0]  # never with an end of line at its end
    try:
        found = read_head(head)
    except Malformed:
        return  # whatever llhttp says
    said = Reference(head)
    assert not said.refused, "a head that llhttp refuses is refused"
    assert found.status == said.status
    assert found.headers == said.headers
    lengths = [int(value) for name, value in said.headers if name.lower() == b"content-length"]
    assert found.length == (lengths[0] if lengths else None)
    assert found.chunked == any(name.lower() == b"transfer-encoding" for name, _ in said.headers)
    if found.keeps_alive and (found.chunked or lengths):
        assert said.keeps_alive
    assert found.media_type == h.media_type(said.headers)
    assert found.unencoded == h.is_unencoded(said.headers)
    expected = [each for each in h.end_to_end(said.headers) if not each[0].lower().startswith(b"x-aibridge-")]
    if b"proxy-connection" in {name.lower() for name, _ in said.headers}:
        assert set(found.forwarded) <= set(expected)  # it may name others, too
    else:
        assert found.forwarded == expected


well_formed = [line for line in LINES if line not in LINES[LINES.index(b" folded") :]]
heads = st.builds(
    lambda status, lines: b"\r\n".join([status, *lines]),
    st.sampled_from(STATUS_LINES[:1] * 20 + STATUS_LINES),
    st.lists(st.sampled_from(well_formed * 3 + LINES), max_size=12),
)


@given(heads)
def test_a_head_says_what_llhttp_says_or_is_refused(head: bytes) -> None:
    """Lines as providers write them, and as attackers do, in any order."""
    check(head)


@given(mutated(heads))
def test_a_mutated_head_says_what_llhttp_says_or_is_refused(head: bytes) -> None:
    """Bytes lost, doubled, swapped and inserted."""
    check(head)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_say_what_llhttp_says_or_are_refused(first: bytes, second: bytes) -> None:
    """As a line, within one, and in place of the whole head."""
    check(first)
    check(OK + first + b"\r\n" + second)
    check(OK + LINES[LINES.index(b"Transfer-Encoding: chunked")] + b"\r\n" + second)
    check(OK + b"a: " + first + b"\r\nb" + second + b": c")


@given(heads)
def test_what_is_read_twice_is_read_alike(head: bytes) -> None:
    """What is remembered of names and values changes nothing."""
    found = []
    for _ in range(2):
        try:
            read = read_head(head)
        except Malformed as error:
            found.append(str(error))
        else:
            found.append(repr([getattr(read, name) for name in ResponseHead.__slots__]))
    assert found[0] == found[1]


def is_read(head: bytes) -> bool:
    """Whether it is well-formed."""
    try:
        read_head(head)
    except Malformed:
        return False
    return True


def test_what_llhttp_reads_is_read() -> None:
    """Not stricter than needed, but where noted: each line by itself, and each status line."""
    for line in LINES:
        said = Reference(OK + line)
        stricter = line == b"transfer-encoding: gzip, chunked"
        assert is_read(OK + line) == (not said.refused and not stricter), line
    for line in STATUS_LINES:
        said = Reference(line)
        stricter = line in {b"HTTP/1.1 099 Early", b"HTTP/2.0 200 OK", b"HTTP/1.1 101 Switching Protocols", b""}
        assert is_read(line) == (not said.refused and not stricter), line


@pytest.mark.parametrize(
    "line",
    [b"a" * 65_000, b"a" * 65_000 + b":\x07", b":" * 65_000, b"a:" + b" " * 65_000 + b"\x07", b"a:\r\n" * 15_000],
)
def test_no_head_takes_long(line: bytes) -> None:
    """Hostile heads up to the limit are refused in a time that grows with their length only."""
    began = perf_counter()
    assert not is_read(OK + line)
    assert perf_counter() - began < 1


def test_what_providers_invent_is_remembered_within_bounds() -> None:
    """Names, values of Connection and media types that are new each time."""
    for number in range(3000):
        lines = b"x-%d: 1\r\nconnection: y-%d\r\ncontent-type: z/%d" % (number, number, number)
        head = read_head(OK + lines + b"\r\ny-%d: 1" % number)
        assert head.forwarded == [(b"x-%d" % number, b"1"), (b"content-type", b"z/%d" % number)]
        assert head.media_type == f"z/{number}"
