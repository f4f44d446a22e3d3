"""`GET /v1/models`: the exact model names of the routes, as OpenAI's or Anthropic's API lists models.

A name is listed where it can be used: for Anthropic's SDKs if its providers serve `/v1/messages`. What a prefix
(`qwen*`) stands for is not known here. A known caller sees the models that it may use.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote

from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.model import ModelPatterns
from aibridge_trio.errors import ModelNotRouted

# https://platform.openai.com/docs/api-reference/models/object, https://docs.anthropic.com/en/api/models-list
_MAKER = "aibridge"
_UNKNOWN_TIME = "1970-01-01T00:00:00Z"


def answer(names: Sequence[str], path: str, *, anthropic: bool) -> bytes:
    """Return the JSON of the list, or of the one model that the path names; raises ModelNotRouted."""
    described = _as_anthropic if anthropic else _as_openai
    wanted = unquote(path.removeprefix("/v1/models").removeprefix("/"))
    if wanted:
        if wanted not in names:
            raise ModelNotRouted(wanted)
        return json.dumps(described(wanted)).encode()
    data = [described(name) for name in names]
    if anthropic:
        ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
        return json.dumps({"data": data, "has_more": False, **ends}).encode()
    return json.dumps({"object": "list", "data": data}).encode()


def visible_to(caller: Caller, names: Iterable[str]) -> list[str]:
    """Return the names of models that a caller may use."""
    if caller.terms is None or caller.terms.models is None:
        return list(names)
    allowed = ModelPatterns(caller.terms.models)
    return [name for name in names if allowed.find(name) is not None]


def _as_openai(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": _MAKER}


def _as_anthropic(name: str) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": name, "created_at": _UNKNOWN_TIME}
