"""A request's body, decompressed up to a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aibridge_trio.http.decompression import decompressor

if TYPE_CHECKING:
    from collections.abc import Sequence

# The most bytes of a decompressed body: more than the bridge forwards by default.
_MOST = 64 * 1024 * 1024


class DecodedBody:
    """Decodes a body piece by piece into `text`; `fault` (status, message) is why it cannot be decoded."""

    def __init__(self, codings: Sequence[bytes]) -> None:
        self.text = bytearray()
        self.fault: tuple[int, str] | None = None
        named = [each.strip().lower() for coding in codings for each in coding.split(b",")]
        named = [coding for coding in named if coding not in {b"", b"identity"}]
        self._decompressor = decompressor(named[0]) if len(named) == 1 else None
        if named and not self._decompressor:
            said = b", ".join(named).decode("latin-1")
            self.fault = 415, f"Unsupported Content-Encoding: {said}; gzip, deflate and zstd are read."

    def feed(self, piece: bytes) -> None:
        """Decode the next piece."""
        if self.fault:
            return
        if not self._decompressor:
            self.text += piece
            return
        try:
            for unpacked in self._decompressor.feed(piece):
                self.text += unpacked
                if len(self.text) > _MOST:
                    self.fault = 413, f"The body unpacks to more than {_MOST} bytes."
                    return
        except ValueError:
            self.fault = 400, "The body is not compressed as its Content-Encoding says."
