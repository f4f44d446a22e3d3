"""The caller of a request, as limits, breakers, events and logs know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller: a keyed hash that identifies it, a hint that may be shown, and whether it brought a credential."""

    key: bytes
    hint: str
    authenticated: bool
