"""Lines of the log as JSON, each held to docs/log.schema.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "log.schema.json").read_text())


def _strict(schema: Any) -> Any:
    """Return the schema with every object closed: what the bridge writes must be described."""
    closed = {key: {**each, "additionalProperties": False} for key, each in schema["$defs"].items()}
    return {**schema, "$defs": {**closed, "time": schema["$defs"]["time"]}}


VALIDATOR = jsonschema.Draft202012Validator(_strict(SCHEMA))


def lines_of(text: str) -> list[dict[str, Any]]:
    """Return the lines of a log, each of which the schema describes in full."""
    found: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    for line in found:
        VALIDATOR.validate(line)
    return found
