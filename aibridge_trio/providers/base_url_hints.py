"""For a path without a route: the base URL that was probably meant.

Some clients append `/chat/completions` or `/messages` to their base URL, others `/v1/chat/completions` or
`/v1/messages`. The hint names both base URLs, by their ends only: the bridge does not know its own host name as
the caller sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aibridge_trio.http import paths
from aibridge_trio.providers.provider import Provider

# More segments than a mistaken base URL has.
_MOST_SEGMENTS = 12
_VERSION = "/v1"


def hint(providers: Iterable[Provider], method: str, path: str) -> str | None:
    """Return what the base URL should be, None if no end of the path is a known route."""
    plain = "/" + "/".join(segment for segment in path.split("/") if segment)
    known = tuple(providers)
    found = next(_meant(known, method, plain), None)
    if not found:
        return None
    provider, tail = found
    right = provider.prefix + tail
    if right == path or not paths.is_plain(right.encode("latin-1")):
        return None
    if right == plain:
        what = "without a slash at its end" if path.startswith(provider.prefix) else "without another slash"
        return f"the path is {right}: write the base URL {what}"
    base = right.removesuffix(tail.removeprefix(_VERSION))
    said = f"the path is {right}: the base URL is ...{base}"
    if base.endswith(_VERSION):
        said += f" or, for a client that adds {_VERSION} itself, ...{base.removesuffix(_VERSION)} "
    return said.rstrip()


def _meant(providers: tuple[Provider, ...], method: str, path: str) -> Iterator[tuple[Provider, str]]:
    """Yield providers and paths after their prefixes, the most likely first: the longest end that is a route."""
    segments = path.split("/")[1 : _MOST_SEGMENTS + 1]
    named = path.lower()
    # A path that contains a provider's name is meant for that provider.
    meant = [provider for provider in providers if f"/{provider.name}" in named] or providers
    for start in range(len(segments)):
        end = "/" + "/".join(segments[start:])
        for provider in meant:
            # Anthropic's routes have the version in them, OpenAI's prefix has it.
            for tail in (end, _VERSION + end):
                if _row(provider, method, tail) or _row(provider, "POST", tail):
                    yield provider, tail


def _row(provider: Provider, method: str, tail: str) -> bool:
    """Return whether a tail has a row; a name in it may as well be a part of the wrong base URL."""
    route = provider.route(method, tail)
    return route is not None and "*" not in route.pattern[:-1]
