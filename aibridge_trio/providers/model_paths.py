"""The paths beneath the base URL `/v1`, where the model in the body decides which provider a request goes to.

OpenAI's clients append `/chat/completions` to `http://host/v1`, Anthropic's SDKs `/v1/messages` to `http://host`.
"""

from __future__ import annotations

from aibridge_trio.providers.anthropic import ANTHROPIC
from aibridge_trio.providers.openai import OPENAI
from aibridge_trio.providers.provider import Dialect, Provider
from aibridge_trio.providers.route import Route

PREFIX = "/v1"
MODELS = "/v1/models"
# Anthropic's API, as its SDKs name its version: https://docs.anthropic.com/en/api/versioning
VERSION_HEADER = b"anthropic-version"


def row(provider: Provider, method: str, path: str) -> tuple[Route, bytes] | None:
    """Return a provider's row for a path, and the path at the provider; None if it has none with a model."""
    for tail in (path.removeprefix(PREFIX), path):
        route = provider.route(method, tail)
        if route and route.model == "body" and method == "POST":
            return route, tail.encode("latin-1")
    return None


def dialect(path: str, *, versioned: bool) -> Dialect:
    """Return the dialect of rejects at a path; `versioned`: the request has VERSION_HEADER."""
    anthropic = row(ANTHROPIC, "POST", path) or (versioned and path.startswith(MODELS))
    return ANTHROPIC.dialect if anthropic else OPENAI.dialect
