"""From a request's method and path to its provider and its row in the allow-list."""

from __future__ import annotations

from collections.abc import Iterable

from aibridge_trio.errors import BadRequest, MethodNotAllowed
from aibridge_trio.http import paths
from aibridge_trio.providers.provider import Provider
from aibridge_trio.providers.route import Route

_PROBE_METHODS = frozenset({"GET", "HEAD"})
_REFUSED_METHODS = frozenset({"CONNECT", "TRACE"})


def check_target(method: str, path: bytes) -> bool:
    """Raise a reject for a method or a path that no provider may get; return whether it has an encoded slash."""
    if method in _REFUSED_METHODS:
        raise MethodNotAllowed(method)
    return paths.check(path)


def first_segment(path: bytes) -> str:
    """Return the first segment of a path, which may be a provider's name."""
    return path[1:].partition(b"/")[0].decode("latin-1")


def find(
    providers: Iterable[Provider], method: str, path: bytes, *, slash: bool = False
) -> tuple[Provider, Route | None, bytes] | None:
    """Return the provider, its row and the path after the prefix; None if no row allows the request.

    The row is None for the bare prefix and for other paths that clients probe with GET or HEAD. `slash`: the path
    has an encoded slash; raises BadRequest if no row allows one.
    """
    text = path.decode("latin-1")
    for provider in providers:
        if text != provider.prefix and not text.startswith(provider.prefix + "/"):
            continue
        rest = text[len(provider.prefix) :]
        if (rest in ("", "/") or rest in provider.probes) and method in _PROBE_METHODS:
            return provider, None, b""
        if (route := provider.route(method, rest)) and (route.slashes or not slash):
            return provider, route, path[len(provider.prefix) :]
    if slash:
        raise BadRequest("path with an encoded slash where no name may have one")
    return None
