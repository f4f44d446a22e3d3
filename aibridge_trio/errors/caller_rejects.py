"""The rejects for unknown callers, and for models that a caller may not use; docs/reference.md lists them all."""

from __future__ import annotations

from aibridge_trio.errors.base import Reject


class UnknownCaller(Reject):
    """Only known callers are served, and the request has no valid token; `sent`: it has something in its place."""

    reason, status = "unknown_caller", 401

    def __init__(self, problem: str, *, sent: bool, wait: float | None = None) -> None:
        super().__init__(problem, wait=wait)
        self._sent = sent

    def lines(self, jitter: float) -> bytes:
        """Add `WWW-Authenticate`, which RFC 9110 (15.5.2) requires of a 401, as RFC 6750 (3) has it."""
        challenge = b'Bearer realm="AI Bridge"' + (b', error="invalid_token"' if self._sent else b"")
        return b"%bwww-authenticate: %b\r\n" % (super().lines(jitter), challenge)


class UnknownCallerLimited(UnknownCaller):
    """As many requests without a valid token have come from this address as are looked at."""

    status = 429

    def __init__(self, wait: float) -> None:
        problem = "too many requests from your address had no valid token. Please try again later, with one."
        super().__init__(problem, sent=True, wait=wait)


class ModelNotAllowed(Reject):
    """The caller may not use this model, or its request shows none; `problem` says which."""

    reason, status = "model_not_allowed", 403
