"""The providers: frozen facts about each, and the way from a path to a route.

The routes are an allow-list, because a central key may have administrator's rights and sees the account's
stored data: what is not listed is not found, and never reaches a provider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from aibridge_trio.errors import BadRequest, MethodNotAllowed, Reject
from aibridge_trio.http import paths

# The answer of a reject in a provider's own dialect: (reject, request id) → JSON.
Dialect = Callable[[Reject, str], bytes]

_GET = frozenset({"GET", "HEAD"})
_POST = frozenset({"POST"})
_REFUSED_METHODS = frozenset({"CONNECT", "TRACE"})


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the allow-list. `methods` None is any; `*` in the pattern spans segments, not empty.

    `intercepted` requests are read in passing, hold a permit and vote; the others pass through. `own_key`
    routes show an account's stored data: never with a central key. `slashes`: what `*` spans is a model's name, in
    which a slash may stand encoded. `refers`: its bodies may name stored data.
    """

    pattern: str
    methods: frozenset[str] | None = None
    intercepted: bool = False
    own_key: bool = False
    slashes: bool = False
    refers: bool = False

    def matches(self, method: str, path: str) -> bool:
        """Tell whether this row allows the method on the path (after the prefix, as it came)."""
        if self.methods is not None and method not in self.methods:
            return False
        if self.pattern.endswith("*"):
            return path.startswith(self.pattern[:-1]) and len(path) >= len(self.pattern)
        return path == self.pattern


@dataclass(frozen=True, slots=True)
class Provider:
    """What is known of a provider: where it stands in our paths, what it serves, how it speaks.

    `spoken` are beginnings of paths where it speaks another dialect than its own; a GET of one of `probes` is
    answered here.
    """

    name: str
    prefix: str
    routes: tuple[Route, ...]
    dialect: Dialect
    credential: Callable[[str], tuple[bytes, bytes]] | None  # central key → header; None: callers' keys only
    spoken: Mapping[str, Dialect] = field(default_factory=dict)
    probes: frozenset[str] = frozenset()

    def route(self, method: str, path: str) -> Route | None:
        """Return the row that allows the method on the path, None without one."""
        return next((route for route in self.routes if route.matches(method, path)), None)

    def dialect_at(self, path: bytes) -> Dialect:
        """Return the dialect that is spoken at a path, prefix and all."""
        rest = path[len(self.prefix) :]
        return next((self.spoken[start] for start in self.spoken if rest.startswith(start.encode())), self.dialect)


def intercepted(*patterns: str) -> Iterator[Route]:
    """Rows for POSTs that are read in passing."""
    return (Route(pattern, _POST, intercepted=True, refers=True) for pattern in patterns)


def readable(*patterns: str, own_key: bool = False, slashes: bool = False) -> Iterator[Route]:
    """Rows for GET and HEAD."""
    return (Route(pattern, _GET, own_key=own_key, slashes=slashes) for pattern in patterns)


def posted(*patterns: str, refers: bool = False) -> Iterator[Route]:
    """Rows for POSTs that pass through."""
    return (Route(pattern, _POST, refers=refers) for pattern in patterns)


def any_method(*patterns: str, own_key: bool = False, slashes: bool = False) -> Iterator[Route]:
    """Rows for whatever method."""
    return (Route(pattern, own_key=own_key, slashes=slashes) for pattern in patterns)


def stored(*names: str) -> Iterator[Route]:
    """Rows for an account's stored data: a collection and what is in it, whatever the method, own key only."""
    return (Route(pattern, own_key=True) for name in names for pattern in (name, f"{name}/*"))


def check_target(method: str, path: bytes) -> bool:
    """Refuse what no provider shall see, whatever its path leads to; return whether it holds an encoded slash."""
    if method in _REFUSED_METHODS:
        raise MethodNotAllowed(method)
    return paths.check(path)


def first_segment(path: bytes) -> str:
    """Return the first segment of a path: the name of a provider instance, perhaps."""
    return path[1:].partition(b"/")[0].decode("latin-1")


def find(
    providers: Iterable[Provider], method: str, path: bytes, *, slash: bool = False
) -> tuple[Provider, Route | None, bytes] | None:
    """Return the provider, its row and the rest of the path after the prefix; None where there is no such row.

    Without a row it is the bare prefix or another path that clients probe with GET and HEAD. BadRequest for an
    encoded `slash` where no row allows it.
    """
    text = path.decode("latin-1")
    for provider in providers:
        if text != provider.prefix and not text.startswith(provider.prefix + "/"):
            continue
        rest = text[len(provider.prefix) :]
        if (rest in ("", "/") or rest in provider.probes) and method in _GET:
            return provider, None, b""
        if (route := provider.route(method, rest)) and (route.slashes or not slash):
            return provider, route, path[len(provider.prefix) :]
    if slash:
        raise BadRequest("path with an encoded slash where no name may have one")
    return None
