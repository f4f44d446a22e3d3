"""Path and method → what the mock does there."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Act = Literal[
    "chat", "responses", "messages", "count_tokens", "embeddings", "models", "model", "echo", "probe", "none"
]


class Route(NamedTuple):
    """What to do, whose errors to speak, and what the path named."""

    act: Act
    anthropic: bool
    name: str = ""


_POST: dict[str, Act] = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/messages": "messages",
    "/messages/count_tokens": "count_tokens",
    "/embeddings": "embeddings",
}
# Whatever is behind these is not the mock's business: it says what it was asked.
_ECHOED = re.compile(r"/(conversations(/|$)|(responses|agents|mcp|\.well-known|api/event_logging)/.)")


def find(method: str, path: str, *, anthropic: bool) -> Route:
    """Return the route; `anthropic` tells that the request came with Anthropic's version header."""
    path = path.removeprefix("/v1") if path.startswith("/v1/") else path
    anthropic = anthropic or path.startswith(("/messages", "/api/event_logging/"))
    reads = method in ("GET", "HEAD")
    if reads and path in ("", "/"):
        return Route("probe", anthropic)
    if method == "POST" and path in _POST:
        return Route(_POST[path], anthropic)
    if reads and path == "/models":
        return Route("models", anthropic)
    if reads and path.startswith("/models/"):
        return Route("model", anthropic, path.removeprefix("/models/"))
    if _ECHOED.match(path):
        return Route("echo", anthropic)
    return Route("none", anthropic)
