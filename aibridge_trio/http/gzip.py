"""What a body says that is compressed with gzip or deflate, unpacked as it comes and never all at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

# Codings of RFC 9110 8.4.1 that this reads.
CODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})
# The window's size, and: find out whether it is gzip (RFC 1952) or zlib (RFC 1950).
_EITHER = zlib.MAX_WBITS + 32


class GzipDecompressor:
    """Takes a body piece by piece; a step unpacks `max_size` bytes at most."""

    def __init__(self, max_size: int = 64 * 1024) -> None:
        self._max_size = max_size
        self._unpack = zlib.decompressobj(_EITHER)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield what a piece unpacks to, in bounded pieces; ValueError where it is not compressed like that."""
        while piece:
            if self._unpack.eof:  # gzip allows several members, one behind the other
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
