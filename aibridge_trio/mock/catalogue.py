"""Responses without a dialect: models, embeddings, token counts.

Shapes: https://platform.openai.com/docs/api-reference/models and `embeddings`; https://docs.anthropic.com/en/api/models-list.
"""

from __future__ import annotations

import base64
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aibridge_trio.mock.turn import Json, Turn

# The models in the list; a request may name any other model too.
_MODELS = ("mock-large", "mock-small")
_DIMENSIONS = 8
# The largest number that OpenAI supports.
_MOST_DIMENSIONS = 3072


def models(created: int, *, anthropic: bool) -> Json:
    """Return the list of models."""
    data = [model(name, created, anthropic=anthropic) for name in _MODELS]
    if anthropic:
        return {"data": data, "has_more": False, "first_id": _MODELS[0], "last_id": _MODELS[-1]}
    return {"object": "list", "data": data}


def model(name: str, created: int, *, anthropic: bool) -> Json:
    """Return one model."""
    if anthropic:
        born = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"type": "model", "id": name, "display_name": name, "created_at": born}
    return {"id": name, "object": "model", "created": created, "owned_by": "mock"}


def embeddings(turn: Turn) -> Json:
    """Return one vector per input, as floats or, as the SDKs ask, base64 of little-endian float32."""
    asked = turn.request
    inputs = asked["input"]
    many = len(inputs) if isinstance(inputs, list) and inputs and not isinstance(inputs[0], int) else 1
    dimensions = asked.get("dimensions")
    size = min(dimensions, _MOST_DIMENSIONS) if type(dimensions) is int and dimensions > 0 else _DIMENSIONS
    vector = [1.0 / (n + 2) for n in range(size)]
    packed = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
    value = packed if asked.get("encoding_format") == "base64" else vector
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": n, "embedding": value} for n in range(many)],
        "model": turn.model,
        "usage": {"prompt_tokens": turn.input_tokens, "total_tokens": turn.input_tokens},
    }


def counted(turn: Turn) -> Json:
    """Return the token count of a message."""
    return {"input_tokens": turn.input_tokens}
