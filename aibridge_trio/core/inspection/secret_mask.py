"""A secret that a provider says back is not passed on: bytes in, as many bytes out. Pure."""

from __future__ import annotations

from aibridge_trio.http.headers import Headers

# How much of a body is looked at (bytes): more than any provider's error has.
_LOOKED_AT = 64 * 1024


class SecretMask:
    """Hides a secret in one answer, wherever its pieces are cut."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._stars = b"*" * len(secret)
        self._held = b""
        self._left = _LOOKED_AT

    def headers(self, headers: Headers) -> Headers:
        """Return the headers without it."""
        return [(name, value.replace(self._secret, self._stars)) for name, value in headers]

    def feed(self, piece: bytes) -> bytes:
        """Return what can be passed on; the beginning of what may be the secret is held."""
        if self._left <= 0:
            return self.end() + piece
        self._left -= len(piece)
        data = (self._held + piece).replace(self._secret, self._stars)
        at = len(data) - self._beginning(data)
        self._held = data[at:]
        return data[:at]

    def end(self) -> bytes:
        """Return what was held."""
        held, self._held = self._held, b""
        return held

    def _beginning(self, data: bytes) -> int:
        """Return how long an end of these bytes the secret begins with."""
        longest = min(len(self._secret) - 1, len(data))
        return next((size for size in range(longest, 0, -1) if data.endswith(self._secret[:size])), 0)
