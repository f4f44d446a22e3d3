"""The rejects for keys at rest: a caller's own, or all those of the bridge."""

from __future__ import annotations

from aibridge_trio.errors.base import Reject


class CredentialCooldown(Reject):
    """The provider answered 429 to this caller's own key, and the cooldown of that key is not over."""

    reason, status = "credential_cooldown", 429

    def __init__(self, provider: str, wait: float) -> None:
        super().__init__(f"{provider} has told your key to wait. Please try again later.", wait=wait)


class KeysResting(Reject):
    """Each of the provider's keys rests, after a 429 or because its own rate is reached."""

    reason, status = "keys_resting", 503

    def __init__(self, provider: str, wait: float) -> None:
        text = f"{provider} takes no more requests now with any of AI Bridge's keys. Please try again later."
        super().__init__(text, wait=wait)
