"""The bridge's own limits, as the adaptive limiter asks for them."""

from __future__ import annotations

from typing import Protocol

from aibridge_trio.core.adaptive.entry import Entry


class OwnLimits(Protocol):
    """What a request needs besides the provider's capacity: slot and shares of the bridge's own limits."""

    def is_free(self) -> bool:
        """Return whether any request could go up."""

    def is_free_for(self, entry: Entry) -> bool:
        """Return whether this one could."""


class Unlimited:
    """No limits of the bridge's own."""

    def is_free(self) -> bool:
        """Return True."""
        return True

    def is_free_for(self, entry: Entry) -> bool:  # noqa: ARG002 - of the protocol
        """Return True."""
        return True
