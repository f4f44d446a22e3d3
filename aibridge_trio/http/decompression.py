"""Decompression of bodies (RFC 9110 8.4.1, RFC 8878) piece by piece, in bounded memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Protocol

from aibridge_trio.http.gzip import CODINGS, GzipDecompressor

_ZSTD = b"zstd"
# 8 MiB, the largest window that RFC 9659 allows in HTTP: a frame header of ten bytes can demand this memory.
_WINDOW_LOG = 23


class Decompressor(Protocol):
    """Decompresses a body of one content coding."""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the decompressed data of a piece, in bounded pieces. Raises ValueError for malformed data."""


def decompressor(coding: bytes) -> Decompressor | None:
    """Return a decompressor for a `Content-Encoding`, None for one that is not supported."""
    if coding in CODINGS:
        return GzipDecompressor()
    if coding != _ZSTD:
        return None
    try:
        return ZstdDecompressor()
    except ImportError:  # Python 3.13 or older without the backport, which is not built for every platform
        return None


class ZstdDecompressor:
    """Decompresses Zstandard; yields at most `max_size` bytes at a time."""

    def __init__(self, max_size: int = 64 * 1024) -> None:
        self._zstd = _library()
        self._max_size = max_size
        self._frame = self._begin()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """See Decompressor. A body may consist of several frames."""
        try:
            while piece or not (self._frame.eof or self._frame.needs_input):
                if self._frame.eof:
                    self._frame = self._begin()
                unpacked = self._frame.decompress(piece, self._max_size)
                piece = self._frame.unused_data if self._frame.eof else b""
                if unpacked:
                    yield unpacked
        except self._zstd.ZstdError as error:
            raise ValueError(str(error)) from None

    def _begin(self) -> Any:
        limit = {self._zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        return self._zstd.ZstdDecompressor(options=limit)


def _library() -> Any:
    """Return the zstd module: from the standard library as of Python 3.14, before that the backport."""
    if sys.version_info >= (3, 14):
        return import_module("compression.zstd")
    from backports import zstd  # noqa: PLC0415 - takes 10 ms, and few bodies need it

    return zstd
