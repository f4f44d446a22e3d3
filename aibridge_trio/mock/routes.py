"""Method and path → what the mock does."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Act = Literal[
    "chat", "responses", "messages", "count_tokens", "embeddings", "models", "model", "echo", "probe", "none"
]
# What a model answers: these requests take a slot, and their answers have the quota's headers.
LIMITED: frozenset[Act] = frozenset({"chat", "responses", "messages", "embeddings"})


class Route(NamedTuple):
    """What to do, whose error bodies to use, and the name in the path."""

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
# Routes whose function the mock does not imitate: it echoes method and path.
_ECHOED = re.compile(r"/(conversations(/|$)|(responses|agents|mcp|\.well-known|api/event_logging)/.)")

# Azure's SDKs name the model in the path.
_DEPLOYMENT = re.compile(r"^/deployments/[^/]+(?=/)")


def find(method: str, path: str, *, anthropic: bool) -> Route:
    """Return the route; `anthropic`: the request has Anthropic's version header."""
    path = path.removeprefix("/v1") if path.startswith("/v1/") else path
    path = _DEPLOYMENT.sub("", path)
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
