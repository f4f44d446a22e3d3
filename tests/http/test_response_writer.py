"""How answers go out, byte by byte."""

from __future__ import annotations

import pytest

from aibridge_trio.http.headers import Headers
from aibridge_trio.http.response_writer import FramingError, ResponseFraming, error_response

SIZED: Headers = [(b"content-length", b"3")]


def framing(method: str = "GET", version: str = "1.1", *, closes: bool = False) -> ResponseFraming:
    """Return the framing of an answer to such a request."""
    return ResponseFraming(to_head=method == "HEAD", version=version, closes=closes)


def test_a_sized_answer_is_its_bytes() -> None:
    """Headers go out in order, as they are; nothing is added."""
    out = framing()
    assert out.head(200, [(b"X-A", b"1"), *SIZED, (b"x-a", b"2")]) == (
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\ncontent-length: 3\r\nx-a: 2\r\n\r\n"
    )
    assert (out.complete, out.closes) == (False, False)
    assert (out.frame(b"ab"), out.frame(b""), out.complete) == (b"ab", b"", False)
    assert (out.frame(b"c"), out.complete, out.end()) == (b"c", True, b"")


def test_an_answer_without_a_length_is_chunked() -> None:
    """An empty piece is no chunk: it would be the last."""
    out = framing()
    assert out.head(200, []) == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (out.frame(b"abc"), out.frame(b""), out.end()) == (b"3\r\nabc\r\n", b"", b"0\r\n\r\n")
    assert not out.complete


def test_in_http_1_0_an_answer_without_a_length_ends_with_the_connection() -> None:
    """Chunks are not known there; the connection closes, and says so."""
    out = framing(version="1.0")
    assert out.head(200, []) == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    assert (out.frame(b"abc"), out.end()) == (b"abc", b"")
    assert out.closes
    out = framing(version="1.0", closes=True)
    assert out.head(200, SIZED) == b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "status", "headers", "sent"),
    [
        ("HEAD", 200, SIZED, b"content-length: 3\r\n"),
        ("HEAD", 200, [], b""),
        ("GET", 304, SIZED, b"content-length: 3\r\n"),
        ("GET", 304, [], b""),
        ("GET", 204, [], b""),
        ("GET", 204, [(b"content-length", b"0")], b""),
    ],
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_some_answers_have_no_body(method: str, status: int, headers: Headers, sent: bytes, version: str) -> None:
    """Whatever the application sends with them: they are whole with their head, and close nothing."""
    out = framing(method, version)
    head = out.head(status, headers)
    assert head.partition(b"\r\n")[2] == sent + b"\r\n"
    assert out.complete
    assert (out.frame(b"abc"), out.end(), out.closes) == (b"", b"", False)


@pytest.mark.parametrize(("given", "closes"), [(b"close", True), (b"Close", True), (b"keep-alive", False)])
def test_the_application_may_close(given: bytes, closes: bool) -> None:
    """What it says of the connection is obeyed, and said once."""
    out = framing()
    head = out.head(200, [(b"Connection", given), *SIZED])
    assert out.closes is closes
    assert head.lower().count(b"connection:") == 1
    assert framing(closes=True).head(200, SIZED).endswith(b"Connection: close\r\n\r\n")


def test_the_framing_is_not_the_applications() -> None:
    """A Transfer-Encoding that it brings is ours to say or not."""
    given = [(b"transfer-encoding", b"gzip, chunked")]
    assert framing().head(200, given) == framing().head(200, [])
    assert b"ncoding" not in framing().head(200, [*given, *SIZED])


def test_what_contradicts_its_length_is_no_answer() -> None:
    """Longer: the piece that is too long never goes out; shorter: there is no end."""
    out = framing()
    out.head(200, SIZED)
    with pytest.raises(FramingError, match="longer"):
        out.frame(b"abcd")
    out.frame(b"ab")
    with pytest.raises(FramingError, match="shorter"):
        out.end()


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (101, []),
        (99, []),
        (1000, []),
        (200, [(b"x", b"a\r\nb: c")]),
        (200, [(b"x", b"a\nb: c")]),
        (200, [(b"x", b"a\rb")]),
        (200, [(b"x\r\nb: c", b"a")]),
        (200, [(b"x", b"a\0")]),
        (200, [(b"content-length", b"x")]),
        (200, [(b"content-length", b"-1")]),
        (200, [*SIZED, *SIZED]),
    ],
)
def test_a_head_that_would_mislead_is_not_sent(status: int, headers: Headers) -> None:
    """No header ends its line early, no length is ambiguous, no status is anything but final."""
    with pytest.raises(FramingError) as refused:
        framing().head(status, headers)
    assert "b: c" not in str(refused.value)


def test_a_status_without_a_name_is_a_status() -> None:
    """Providers have some of their own."""
    assert framing().head(529, SIZED).startswith(b"HTTP/1.1 529 \r\n")


def test_a_refusal_says_why_and_closes() -> None:
    """It is a whole answer, and the last."""
    said = error_response(400, "it has not exactly one Host")
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\ndate: ")
    assert b"\r\nConnection: close" in head
    assert b"content-length: %d\r\n" % len(body) in head
    assert body == b"Bad Request: it has not exactly one Host\n"
