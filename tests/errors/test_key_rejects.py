"""The rejects for keys at rest."""

from __future__ import annotations

from aibridge_trio.errors import CredentialCooldown, KeysResting


def test_they_say_whose_keys() -> None:
    """A caller is not blamed for the bridge's keys: the one is its own 429, the other the bridge's 503."""
    own, ours = CredentialCooldown("azure", 1.0), KeysResting("azure", 1.0)
    assert (own.status, ours.status) == (429, 503)
    assert "your key" in str(own)
    assert "any of AI Bridge's keys" in str(ours)
    assert dict(ours.headers(0.0))[b"retry-after-ms"] == b"1000"
    assert b"x-should-retry" not in dict(ours.headers(0.0))
