"""Decompression of gzip and deflate."""

from __future__ import annotations

import gzip
import zlib

import pytest

from aibridge_trio.http.gzip import GzipDecompressor


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_gzip_and_zlib_are_told_apart_by_their_header(pack: object) -> None:
    """Both are sent as `deflate` or `gzip`; a piece may be a single byte."""
    assert callable(pack)
    packed = pack(b"abc" * 100)
    decompressor = GzipDecompressor()
    found = b"".join(part for at in range(len(packed)) for part in decompressor.feed(packed[at : at + 1]))
    assert found == b"abc" * 100


def test_members_of_gzip_are_joined() -> None:
    """A gzip body may consist of several members (RFC 1952, 2.2)."""
    assert b"".join(GzipDecompressor().feed(gzip.compress(b"ab") + gzip.compress(b"cd"))) == b"abcd"


def test_no_piece_is_longer_than_the_bound() -> None:
    """A small body that decompresses to a large one does not take memory for all of it."""
    pieces = list(GzipDecompressor(1000).feed(gzip.compress(b"\0" * 100_000)))
    assert sum(map(len, pieces)) == 100_000
    assert max(map(len, pieces)) <= 1000


def test_other_bytes_are_a_value_error() -> None:
    """Malformed data are an error at once."""
    with pytest.raises(ValueError, match="header"):
        list(GzipDecompressor().feed(b"no gzip at all"))
