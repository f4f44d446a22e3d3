"""How many tokens an answer may have, before it comes: as many as its request permits, else what is usual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The members of a body that bound its output, and how many answers it asks for.
_MAXIMA = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_CHOICES, _MOST_CHOICES = "n", 128
WANTED = (*_MAXIMA, _CHOICES)
# The usual output of a provider before its first answer (tokens), and how fast it follows.
_USUAL, _FOLLOW = 1000.0, 1 / 16


class ExpectedOutput:
    """Knows the usual output of each provider; only those that are configured take memory."""

    def __init__(self) -> None:
        self._usual: dict[str, float] = {}

    def tokens(self, provider: str, found: Mapping[str, Any]) -> int:
        """Return the tokens that an answer may have; `found` has the members of its request's body."""
        permitted = [found[name] for name in _MAXIMA if name in found and type(found[name]) is int]
        choices = found.get(_CHOICES)
        each = max(permitted) if permitted else round(self._usual.get(provider, _USUAL))
        return each * (min(max(choices, 1), _MOST_CHOICES) if type(choices) is int else 1)

    def learn(self, provider: str, tokens: int) -> None:
        """Note how many tokens an answer had."""
        usual = self._usual.get(provider, _USUAL)
        self._usual[provider] = usual + (tokens - usual) * _FOLLOW
