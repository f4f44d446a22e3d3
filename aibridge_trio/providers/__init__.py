"""The providers: frozen facts about each, and the way from a path to a route.

The routes are an allow-list, because a central key may have administrator's rights and sees the account's
stored data: what is not listed is not found, and never reaches a provider.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from aibridge_trio.errors import BadRequest, MethodNotAllowed, NotFound, Reject

# The answer of a reject in a provider's own dialect: (reject, request id) → JSON.
Dialect = Callable[[Reject, str], bytes]

_GET = frozenset({"GET", "HEAD"})
_POST = frozenset({"POST"})
_REFUSED_METHODS = frozenset({"CONNECT", "TRACE"})
_TRICKS = re.compile(rb"%2e|%2f|%5c|//|\\|#|/\.{1,2}([/;]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the allow-list. `methods` None is any; `*` in the pattern spans segments, not empty.

    `intercepted` requests are read in passing, hold a permit and vote; the others pass through. `own_key`
    routes show an account's stored data: never with a central key.
    """

    pattern: str
    methods: frozenset[str] | None = None
    intercepted: bool = False
    own_key: bool = False

    def matches(self, method: str, path: str) -> bool:
        """Tell whether this row allows the method on the path (after the prefix, as it came)."""
        if self.methods is not None and method not in self.methods:
            return False
        if self.pattern.endswith("*"):
            return path.startswith(self.pattern[:-1]) and len(path) >= len(self.pattern)
        return path == self.pattern


@dataclass(frozen=True, slots=True)
class Provider:
    """What is known of a provider: where it stands in our paths, what it serves, how it speaks."""

    name: str
    prefix: str
    routes: tuple[Route, ...]
    dialect: Dialect
    credential: Callable[[str], tuple[bytes, bytes]] | None  # central key → header; None: callers' keys only

    def route(self, method: str, path: str) -> Route | None:
        """Return the row that allows the method on the path, None without one."""
        return next((route for route in self.routes if route.matches(method, path)), None)


def intercepted(*patterns: str) -> Iterator[Route]:
    """Rows for POSTs that are read in passing."""
    return (Route(pattern, _POST, intercepted=True) for pattern in patterns)


def readable(*patterns: str) -> Iterator[Route]:
    """Rows for GET and HEAD."""
    return (Route(pattern, _GET) for pattern in patterns)


def posted(*patterns: str) -> Iterator[Route]:
    """Rows for POSTs that pass through."""
    return (Route(pattern, _POST) for pattern in patterns)


def any_method(*patterns: str, own_key: bool = False) -> Iterator[Route]:
    """Rows for whatever method."""
    return (Route(pattern, own_key=own_key) for pattern in patterns)


def check_target(method: str, path: bytes) -> None:
    """Refuse what no provider shall see, whatever its path leads to.

    Another reader of the same path may resolve dots, double slashes or encoded ones into a path that the
    allow-list has not seen.
    """
    if method in _REFUSED_METHODS:
        raise MethodNotAllowed(method)
    if _TRICKS.search(path):
        raise BadRequest("path with a dot segment, an encoded dot or slash, a double slash or a backslash")


def first_segment(path: bytes) -> str:
    """Return the first segment of a path: the name of a provider instance, perhaps."""
    return path[1:].partition(b"/")[0].decode("latin-1")


def find(providers: Iterable[Provider], method: str, path: bytes) -> tuple[Provider, Route | None, bytes]:
    """Return the provider, its row and the rest of the path after the prefix, or raise NotFound.

    Without a row it is the bare prefix, which clients probe with GET and HEAD.
    """
    text = path.decode("latin-1")
    for provider in providers:
        if text != provider.prefix and not text.startswith(provider.prefix + "/"):
            continue
        rest = text[len(provider.prefix) :]
        if rest in ("", "/") and method in _GET:
            return provider, None, b""
        if route := provider.route(method, rest):
            return provider, route, path[len(provider.prefix) :]
    raise NotFound(method, text)
