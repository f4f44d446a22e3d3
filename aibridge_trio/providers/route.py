"""Rows of a provider's allow-list, and short ways to write them.

What is not listed is not found and never reaches a provider: a central key may have administrator's rights, and it
gives access to the account's stored data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

_GET = frozenset({"GET", "HEAD"})
_POST = frozenset({"POST"})
# Where a request says which model it uses: in the body's member `model`, in the path too (Azure's deployments),
# nowhere because it uses none, or where the bridge does not read it.
ModelPlace = Literal["body", "path", "none", "hidden"]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the allow-list.

    pattern      A path after the provider's prefix; a `*` at its end matches one or more characters, slashes too,
                 one within it a name without a slash.
    methods      The allowed methods, None for all.
    intercepted  The answer is inspected, and the request needs the breaker's permit; others pass through.
    own_key      Shows an account's stored data: never served with a central key.
    slashes      What `*` matches is a model's name, in which a slash may be percent-encoded.
    refers       The request's body may refer to stored data.
    model        Where a request that makes a model run names it.
    """

    pattern: str
    methods: frozenset[str] | None = None
    intercepted: bool = False
    own_key: bool = False
    slashes: bool = False
    refers: bool = False
    model: ModelPlace = "hidden"

    def matches(self, method: str, path: str) -> bool:
        """Return whether this row allows the method on the path (without the prefix, not decoded)."""
        if self.methods is not None and method not in self.methods:
            return False
        if self.pattern.endswith("*"):
            return path.startswith(self.pattern[:-1]) and len(path) >= len(self.pattern)
        if path == self.pattern:
            return True
        head, star, tail = self.pattern.partition("*")
        if not star or not (path.startswith(head) and path.endswith(tail)):
            return False
        name = path[len(head) : len(path) - len(tail)]
        return bool(name) and "/" not in name

    def name_in(self, path: str) -> str:
        """Return the decoded name that stands for the `*` within the pattern, in a path that the row allows."""
        head, _, tail = self.pattern.partition("*")
        return unquote(path[len(head) : len(path) - len(tail)])


def intercepted(*patterns: str, model: ModelPlace = "body") -> Iterator[Route]:
    """Return rows for POSTs whose answers are inspected."""
    return (Route(pattern, _POST, intercepted=True, refers=True, model=model) for pattern in patterns)


def readable(*patterns: str, own_key: bool = False, slashes: bool = False) -> Iterator[Route]:
    """Return rows for GET and HEAD."""
    return (Route(pattern, _GET, own_key=own_key, slashes=slashes, model="none") for pattern in patterns)


def posted(*patterns: str, refers: bool = False, model: ModelPlace = "body") -> Iterator[Route]:
    """Return rows for POSTs that pass through."""
    return (Route(pattern, _POST, refers=refers, model=model) for pattern in patterns)


def any_method(
    *patterns: str, own_key: bool = False, slashes: bool = False, model: ModelPlace = "hidden"
) -> Iterator[Route]:
    """Return rows for any method."""
    return (Route(pattern, own_key=own_key, slashes=slashes, model=model) for pattern in patterns)


def stored(*names: str) -> Iterator[Route]:
    """Return rows for an account's stored data: collections and their items, any method, own key only."""
    return (Route(pattern, own_key=True) for name in names for pattern in (name, f"{name}/*"))
