"""The rejects of known callers."""

from __future__ import annotations

from aibridge_trio.errors import REASONS, ModelNotAllowed, Reject, UnknownCaller, UnknownCallerLimited


def headers(reject: Reject) -> dict[bytes, bytes]:
    return dict(reject.headers(0.0))


def test_a_401_challenges() -> None:
    """RFC 9110 (15.5.2) requires it; RFC 6750 (3.1) names an error only if a token was sent."""
    assert headers(UnknownCaller("x", sent=False))[b"www-authenticate"] == b'Bearer realm="AI Bridge"'
    sent = headers(UnknownCaller("x", sent=True))
    assert sent[b"www-authenticate"] == b'Bearer realm="AI Bridge", error="invalid_token"'
    assert sent[b"x-should-retry"] == b"false"
    assert b"retry-after" not in sent


def test_a_limited_failure_says_when_it_is_looked_at_again() -> None:
    """It is a 429 with a wait, under the reason of the 401."""
    reject = UnknownCallerLimited(0.5)
    assert (reject.status, reject.reason) == (429, "unknown_caller")
    assert headers(reject)[b"retry-after-ms"] == b"500"
    assert b"x-should-retry" not in headers(reject)


def test_a_foreign_model_is_final() -> None:
    """The same request would be rejected again."""
    assert (ModelNotAllowed.status, headers(ModelNotAllowed("x"))[b"x-should-retry"]) == (403, b"false")


def test_a_reason_is_listed_once() -> None:
    """Two statuses share a reason, and a series."""
    assert REASONS.count("unknown_caller") == 1
