"""Patterns of model names."""

from __future__ import annotations

from collections.abc import Sequence


class ModelPatterns:
    """Exact model names, and prefixes that end in `*`; an exact name comes first, then the longest prefix."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._exact = frozenset(name for name in patterns if not name.endswith("*"))
        prefixes = sorted((name for name in patterns if name.endswith("*")), key=len, reverse=True)
        self._prefixes = [(name, name[:-1]) for name in prefixes]

    def find(self, model: str | None) -> str | None:
        """Return the pattern that matches a model, None if none does."""
        if model is None:
            return None
        if model in self._exact:
            return model
        for pattern, prefix in self._prefixes:
            if model.startswith(prefix):
                return pattern
        return None
