"""Replaces a secret in an answer by asterisks, so that a provider that quotes it does not disclose it."""

from __future__ import annotations

from math import inf

from aibridge_trio.http.headers import Headers

# The part of a body that is searched (bytes): more than any provider's error has.
_SEARCHED = 64 * 1024
_NEWLINE = b"\n"


class SecretMask:
    """Masks a secret in one answer, however the answer is cut into pieces; its length does not change.

    Only the beginning of the body is searched; of a `stream` all of it, whose errors come at any time.
    """

    def __init__(self, secret: bytes, *, stream: bool = False) -> None:
        self._secret = secret
        self._mask = b"*" * len(secret)
        self._held = b""
        self._left = inf if stream else _SEARCHED

    def headers(self, headers: Headers) -> Headers:
        """Return the headers with the secret masked."""
        return [(name, value.replace(self._secret, self._mask)) for name, value in headers]

    def feed(self, piece: bytes) -> bytes:
        """Return the bytes that can be passed on; a possible beginning of the secret is held back."""
        if self._left <= 0:
            return self.end() + piece
        self._left -= len(piece)
        data = self._held + piece if self._held else piece
        if self._secret in data:
            data = data.replace(self._secret, self._mask)
        at = len(data) - self._overlap(data)
        self._held = data[at:]
        return data[:at]

    def end(self) -> bytes:
        """Return the bytes that were held back."""
        held, self._held = self._held, b""
        return held

    def _overlap(self, data: bytes) -> int:
        """Return the length of the longest end of these bytes with which the secret begins."""
        if data.endswith(_NEWLINE):  # as an event does; no secret has one
            return 0
        at = max(0, len(data) - len(self._secret) + 1)
        while (at := data.find(self._secret[:1], at)) >= 0:  # far cheaper than a comparison of each length
            if self._secret.startswith(data[at:]):
                return len(data) - at
            at += 1
        return 0
