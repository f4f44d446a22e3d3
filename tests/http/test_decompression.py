"""Decompression changes nothing, in bounded memory."""

from __future__ import annotations

import gzip

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.http.decompression import ZstdDecompressor
from aibridge_trio.http.gzip import GzipDecompressor


@given(st.sampled_from(["gzip", "zstd"]), st.binary(max_size=3000), st.integers(1, 50), st.integers(1, 100))
def test_unpacking_changes_nothing(coding: str, data: bytes, size: int, most: int) -> None:
    """However the bytes are cut, in bounded pieces."""
    packed, unpack = (
        (gzip.compress(data), GzipDecompressor(most))
        if coding == "gzip"
        else (zstd.compress(data), ZstdDecompressor(most))
    )
    got: list[bytes] = []
    for at in range(0, len(packed), size):
        got.extend(unpack.feed(packed[at : at + size]))
    assert b"".join(got) == data
    assert all(len(piece) <= most for piece in got)


def test_no_memory_for_a_huge_window() -> None:
    """A frame that asks for a window above HTTP's bound (RFC 9659) is refused, however short it is."""
    wide: dict[int, int] = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    compressor = zstd.ZstdCompressor(options=wide)
    packed = compressor.compress(b"x" * 1000) + compressor.flush()
    with pytest.raises(ValueError, match="memory"):
        list(ZstdDecompressor().feed(packed))
