"""Decompression of gzip and deflate bodies piece by piece, in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

# The content codings (RFC 9110 8.4.1) that this decompresses.
CODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})
# The window size, plus 32: detect gzip (RFC 1952) or zlib (RFC 1950) by the header.
_EITHER = zlib.MAX_WBITS + 32


class GzipDecompressor:
    """Decompresses gzip and zlib; yields at most `max_size` bytes at a time."""

    def __init__(self, max_size: int = 64 * 1024) -> None:
        self._max_size = max_size
        self._unpack = zlib.decompressobj(_EITHER)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the decompressed data of a piece, in bounded pieces. Raises ValueError for malformed data."""
        while piece:
            if self._unpack.eof:  # gzip allows several members in sequence
                self._unpack = zlib.decompressobj(_EITHER)
            try:
                unpacked = self._unpack.decompress(piece, self._max_size)
            except zlib.error as error:
                raise ValueError(str(error)) from None
            piece = self._unpack.unconsumed_tail or self._unpack.unused_data
            if unpacked:
                yield unpacked
        while len(more := self._unpack.decompress(b"", self._max_size)) > 0:
            yield more
