"""By which keys the store knows the limits of slots, shares and requests."""

from __future__ import annotations

from collections.abc import Hashable

SLOTS = "slots"
# What comes before a key: of shares, of rates of requests, of tokens, and of budgets.
CALLER, CLASS, PROVIDER = "caller:", "class:", "provider:"
RATE, TOKENS, SPENT = "rate:", "tokens:", "spent:"


def of_caller(caller: Hashable) -> str:
    """Return the key of a caller, whose own key is a keyed hash: bytes, or text in tests."""
    return CALLER + (caller.hex() if isinstance(caller, bytes) else str(caller))


def of_rate(key: Hashable, class_name: str) -> str:
    """Return the key of a rate of requests: a caller's, or that of a class."""
    return RATE + (of_class(class_name) if class_name else of_caller(key))


def of_class(name: str) -> str:
    """Return the key of a class."""
    return CLASS + name


def of_provider(name: str) -> str:
    """Return the key of a provider."""
    return PROVIDER + name
