"""The callers that the bridge knows, and their classes: `[classes.NAME]` and `[[callers]]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from aibridge_trio.core.terms import ClassTotals, Terms

# What callers without a class are called where classes have names.
NO_CLASS = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCaller:
    """A caller with a name.

    class_name    Its class, "" for none.
    terms         What it may use, its class's terms included.
    token_sha256  Hex SHA-256 of each token that names it, lower case.
    certificate   Subject (common name) or a subject alternative name of client certificates that name it.
    expires       The last day on which it is valid, UTC; None for ever.
    """

    name: str
    class_name: str = ""
    terms: Terms = field(default_factory=Terms)
    token_sha256: tuple[str, ...] = ()
    certificate: str | None = None
    expires: date | None = None

    def valid_on(self, day: date) -> bool:
        """Return whether the caller is valid on a day, UTC."""
        return self.expires is None or day <= self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCallers:
    """All callers that are known, in the order of the file, and what the callers of a class may use together.

    They are true if callers are configured, even if there are none: then the bridge serves no request.
    """

    callers: tuple[KnownCaller, ...] = ()
    totals: Mapping[str, ClassTotals] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    configured: bool = False

    def __bool__(self) -> bool:
        return self.configured or bool(self.callers)
