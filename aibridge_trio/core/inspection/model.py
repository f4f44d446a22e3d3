"""Names of models that have a breaker of their own."""

from __future__ import annotations

from collections.abc import Sequence


class ModelPatterns:
    """Model names that are known: exact ones, and ones that end in `*`, of which the longest fits best."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._exact = frozenset(name for name in patterns if not name.endswith("*"))
        self._prefixes = sorted((name for name in patterns if name.endswith("*")), key=len, reverse=True)

    def find(self, model: str | None) -> str | None:
        """Return the pattern that a model falls under, None for all others."""
        if model is None:
            return None
        if model in self._exact:
            return model
        return next((pattern for pattern in self._prefixes if model.startswith(pattern[:-1])), None)
