"""A caller, as limits, events and logs know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller: `key` tells it from others, `hint` may be shown; `authenticated` if it brought a credential."""

    key: bytes
    hint: str
    authenticated: bool
