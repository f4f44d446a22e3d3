from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.http import headers as h

STAYS = [
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"http2-settings",
    b"content-length",
    b"host",
    b"expect",
]
GOES = [
    b"accept",
    b"anthropic-beta",
    b"anthropic-version",
    b"authorization",
    b"content-encoding",
    b"content-type",
    b"cookie",
    b"retry-after",
    b"x-stainless-retry-count",
]
names = st.sampled_from([*STAYS, *GOES]) | st.from_regex(rb"[a-z][a-z-]{0,10}", fullmatch=True)
any_case = st.builds(
    lambda name, flips: bytes(
        byte ^ 0x20 if flip and chr(byte).isalpha() else byte for byte, flip in zip(name, flips, strict=False)
    ),
    names,
    st.lists(st.booleans(), min_size=30, max_size=30),
)


@pytest.mark.parametrize("name", STAYS)
def test_hop_by_hop_and_framing_stay(name: bytes) -> None:
    """Hop-by-hop headers and framing headers are never copied, in any case."""
    assert h.end_to_end([(name, b"1"), (name.upper(), b"2"), (name.title(), b"3")]) == []


@pytest.mark.parametrize("name", GOES)
def test_everything_else_goes_through(name: bytes) -> None:
    """All other headers go through byte for byte, repeated and in order."""
    headers = [(name, b" odd, \xffvalue "), (b"x-between", b""), (name, b"again")]
    assert h.end_to_end(headers) == headers


def test_headers_named_by_connection_stay() -> None:
    """What `Connection` names goes no further: any case, any of several headers, white space round it."""
    headers = [
        (b"Connection", b"close , X-One"),
        (b"connection", b"x-two,,"),
        (b"X-One", b"1"),
        (b"x-TWO", b"2"),
        (b"x-three", b"3"),
    ]
    assert h.end_to_end(headers) == [(b"x-three", b"3")]


def test_more_may_be_dropped() -> None:
    """What the caller of `end_to_end` drops goes no further."""
    headers = [(b"Authorization", b"x"), (b"X-API-KEY", b"y"), (b"accept", b"*/*")]
    assert h.end_to_end(headers, h.CREDENTIALS) == [(b"accept", b"*/*")]


@given(st.lists(st.tuples(any_case, st.binary(max_size=12)), max_size=12))
def test_what_goes_through_is_an_unchanged_part(headers: list[tuple[bytes, bytes]]) -> None:
    """Headers are dropped or kept, never changed, added or put in another order."""
    kept = h.end_to_end(headers)
    rest = iter(headers)
    assert all(header in rest for header in kept)
    assert not {name.lower() for name, _ in kept} & set(STAYS)


def test_find_is_case_insensitive_and_takes_the_first() -> None:
    """The first value of a name is found in any case, None without one."""
    headers = [(b"A", b"0"), (b"X-Name", b"1"), (b"x-name", b"2")]
    assert h.find(headers, b"x-name") == b"1"
    assert h.find(headers, b"x-other") is None


@pytest.mark.parametrize("value", [b"a", b"req_0123", b"!~", b"x" * 128])
def test_sane_request_ids(value: bytes) -> None:
    """Up to 128 visible ASCII characters make a request id."""
    assert h.sane_request_id([value]) == value


@pytest.mark.parametrize("value", [b"", b"x" * 129, b"a b", b"a\n", b"\x7f", b"\xe9", b"a\x00"])
def test_insane_request_ids(value: bytes) -> None:
    """Empty, long, white or invisible: no request id."""
    assert h.sane_request_id([value]) is None


def test_repeated_request_ids() -> None:
    """No request id, or several, is none."""
    assert h.sane_request_id([]) is None
    assert h.sane_request_id([b"a", b"a"]) is None


@given(st.integers(0, 10**17))
def test_lengths(length: int) -> None:
    """A length is read as it is written."""
    assert h.content_length([b"%d" % length]) == length


def test_no_length() -> None:
    """Without the header there is no length."""
    assert h.content_length([]) is None


@pytest.mark.parametrize(
    "values",
    [[b""], [b"-1"], [b"+1"], [b"1_0"], [b"0x10"], [b"1 "], [b"1.0"], [b"5, 5"], [b"5", b"5"], [b"9" * 19]],
)
def test_malformed_lengths(values: list[bytes]) -> None:
    """Signs, other bases, lists and repeated headers are no length: two readers could differ on them."""
    with pytest.raises(ValueError):
        h.content_length(values)


@pytest.mark.parametrize(
    ("value", "media_type"),
    [
        (b"text/event-stream", "text/event-stream"),
        (b"Text/Event-Stream ; charset=utf-8", "text/event-stream"),
        (b"application/json;x", "application/json"),
        (b"", ""),
        (b"\xff", "\xff"),
    ],
)
def test_media_types(value: bytes, media_type: str) -> None:
    """A media type is compared without parameters and in lower case."""
    assert h.media_type([(b"Content-Type", value)]) == media_type


def test_no_media_type() -> None:
    """Without the header the media type is empty."""
    assert h.media_type([]) == ""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], math.inf),
        ([(b"x-stainless-read-timeout", b"600")], 600.0),
        ([(b"X-Stainless-Timeout", b"2.5"), (b"x-stainless-read-timeout", b"600")], 2.5),
        ([(b"x-stainless-timeout", b"NOT_GIVEN")], math.inf),
        ([(b"x-stainless-timeout", b"NOT_GIVEN"), (b"x-stainless-read-timeout", b"60")], 60.0),
        ([(b"x-stainless-timeout", b"-1")], math.inf),
        ([(b"x-stainless-timeout", b"1e999")], math.inf),
        ([(b"x-stainless-timeout", b"\xff"), (b"x-timeout", b"1")], math.inf),
        ([(b"x-stainless-timeout", b"9" * 400)], math.inf),
    ],
)
def test_a_callers_patience(headers: h.Headers, seconds: float) -> None:
    """The least of what the SDKs say of their time-outs; anything else says nothing."""
    assert h.caller_timeout(headers) == seconds


@pytest.mark.parametrize(
    ("coding", "unencoded"), [(None, True), (b"", True), (b" Identity ", True), (b"gzip", False), (b"br", False)]
)
def test_which_body_is_unencoded(coding: bytes | None, unencoded: bool) -> None:
    """Without a coding, or with `identity`."""
    assert h.is_unencoded([] if coding is None else [(b"Content-Encoding", coding)]) == unencoded
