"""Names of models: which one an answer has, and patterns of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Characters of a model's name that are kept for logs.
_SHOWN = 64
# What of an event may name the model, besides its top.
_HOLDERS = ("message", "response")


def named_model(document: Mapping[str, Any]) -> str | None:
    """Return the model that an answer, or an event of it, names; None without one."""
    if "model" in document:
        return shown_model(document["model"])
    for name in _HOLDERS:
        if name in document and type(holder := document[name]) is dict and "model" in holder:
            return shown_model(holder["model"])
    return None


def shown_model(model: object) -> str | None:
    """Return the beginning of a model's name, None for what is no name."""
    return model[:_SHOWN] if type(model) is str and model else None


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
