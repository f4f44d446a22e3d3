"""A request's body as it is read: unpacked, where it is compressed, up to a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aibridge_trio.http.decompression import decompressor

if TYPE_CHECKING:
    from collections.abc import Sequence

# Bytes of a compressed body, unpacked: above what the bridge lets through by default.
_MOST = 64 * 1024 * 1024


class Unpacking:
    """Takes a body piece by piece; `text` is what it says, `fault` (status, message) why it cannot be read."""

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
        """Take the next piece."""
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
