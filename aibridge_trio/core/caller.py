"""The caller of a request, as limits, breakers, events and logs know it."""

from __future__ import annotations

from dataclasses import dataclass

from aibridge_trio.core.terms import Terms


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request.

    key            A keyed hash that identifies it: limits go by it.
    hint           Text that may be shown: a known caller's name, else the end of a credential, or the address.
    authenticated  Whether the request brought a credential that may go up as it came: the caller's own key.
    own_key        A keyed hash of that credential, None without one. For a caller that is not known it is `key`.
    name           A known caller's name, "" for others.
    class_name     Its class, "" without one. A metric label; the name is none.
    terms          What a known caller may use; None for the options' limits.
    """

    key: bytes
    hint: str
    authenticated: bool
    own_key: bytes | None = None
    name: str = ""
    class_name: str = ""
    terms: Terms | None = None

    @property
    def low(self) -> bool:
        """Whether its requests are served behind those of others."""
        return self.terms is not None and self.terms.priority == "low"
