"""The JSON Schemas of aibridge.toml and of the callers' file, for editors; from the options and the tables' keys.

Patterns are ECMA's, as JSON Schema has them: `$` is the end of the text only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aibridge_trio.config import addresses, store_url, units
from aibridge_trio.config.provider_tables import BUILT_IN
from aibridge_trio.config.settings import OPTIONS
from aibridge_trio.config.tables import keys
from aibridge_trio.config.tables.kinds import CLASS_NAME, FILE_NAME, LARGEST, PROVIDER_NAME, URL

if TYPE_CHECKING:
    from aibridge_trio.config.option import Option
    from aibridge_trio.config.tables.key import Key, Shape
    from aibridge_trio.config.unit import Unit

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Digits of the parts of a duration, and one with a fraction.
_WHOLE, _FRACTION = "[0-9]{1,15}", r"[0-9]{1,15}\.[0-9]{1,6}"
_DURATION = (
    rf"(?:(?=.)(?:{_WHOLE}h)?(?:{_WHOLE}m)?(?:{_WHOLE}s)?(?:{_WHOLE}ms)?"
    rf"|{_FRACTION}(?:h|m|s|ms)|(?:{_WHOLE}h)?(?:{_WHOLE}m)?{_FRACTION}s)"
)
_PATTERNS: dict[int, str] = {
    id(unit): f"^{pattern}$"
    for unit, pattern in (
        (units.DURATION, _DURATION),
        (units.TIMEOUT, _DURATION),
        (units.SPAN, f"(?=.*[1-9]){_DURATION}"),
        (units.SIZE, rf"{_WHOLE}(?:\.[0-9]{{1,6}})?(?:B|KiB|MiB|GiB)"),
        (units.SHARE, r"[0-9]{1,12}(?:\.[0-9]{1,6})?%?"),
        (units.MODE, "0?[0-7]{3}"),
        (units.HEADER_VALUE, "[!-~]{1,256}"),
        (addresses.ADDRESS, r"[^\s]+:[0-9]{1,5}"),
        (addresses.PROXY, r"[^\s]+"),
        (store_url.STORE, r"[A-Za-z+]+://[!-~]+"),
        (store_url.PREFIX, store_url.PREFIX_PATTERN),
    )
}


def schemas() -> dict[str, str]:
    """Return each schema's text, by its path in the repository."""
    callers = {"classes": _classes(), "callers": _callers()}
    options = {option.key: _option(option) for option in OPTIONS if option.key}
    whole = {**options, **callers, "providers": _providers(), "routes": _routes()}
    return {
        "schemas/aibridge.schema.json": _text("aibridge.toml", "Configuration of `aibridge serve`.", whole),
        "schemas/callers.schema.json": _text("callers.toml", "Known callers, for --callers-file.", callers),
    }


def _text(title: str, description: str, properties: Schema) -> str:
    schema = {
        "$schema": _DIALECT,
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


# Options.


def _option(option: Option) -> Schema:
    described: Schema = {"description": option.help}
    if option.default:
        described["default"] = _default(option)
    return described | _unit(option.unit)


def _default(option: Option) -> Any:
    if option.unit.toml is list:
        return str(option.default).split(",")
    if option.unit.toml is bool:
        return option.default == "true"
    return int(str(option.default)) if option.unit.toml is int else option.default


def _unit(unit: Unit[Any]) -> Schema:
    if unit.toml is bool:
        return {"type": "boolean"}
    if unit.toml is int:
        least = 1 if unit in {units.POSITIVE, units.WORKERS} else 0
        return {
            "type": "integer",
            "minimum": least,
            "maximum": units.MOST_WORKERS if unit is units.WORKERS else LARGEST,
        }
    if unit.toml is list:
        item = {"type": "string", "enum": list(unit.choices)} if unit.choices else {"type": "string"}
        # Also as one string, with commas.
        return {"anyOf": [{"type": "array", "items": item}, {"type": "string"}]}
    if unit.choices:
        return {"enum": list(unit.choices)}
    if unit in {units.FILE, addresses.BASE_URL}:
        return dict(FILE_NAME.schema if unit is units.FILE else URL.schema)
    pattern = _PATTERNS.get(id(unit))
    return {"type": "string", "pattern": pattern} if pattern else {"type": "string"}


# Tables.


def _classes() -> Schema:
    return {
        "description": "Classes of callers: what each of their callers may use, and all of them together.",
        "type": "object",
        "propertyNames": dict(CLASS_NAME.schema),
        "additionalProperties": _shape(keys.CLASS),
        "maxProperties": keys.MOST_CLASSES,
    }


def _callers() -> Schema:
    return {
        "description": "Callers that are known. With any, other callers get 401.",
        "type": "array",
        "items": _shape(keys.CALLER),
        "maxItems": keys.MOST_CALLERS,
    }


def _providers() -> Schema:
    return {
        "description": f"Providers, besides {', '.join(BUILT_IN)}, or in their place.",
        "type": "object",
        "propertyNames": dict(PROVIDER_NAME.schema),
        "properties": {name: _shape(keys.BUILT_IN_PROVIDER) for name in BUILT_IN},
        "additionalProperties": _shape(keys.PROVIDER),
        "maxProperties": keys.MOST_PROVIDERS,
    }


def _routes() -> Schema:
    return {
        "description": "Which providers take a model under the base URL /v1.",
        "type": "array",
        "items": _shape(keys.ROUTE),
        "maxItems": keys.MOST_ROUTES,
    }


def _shape(shape: Shape) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {key.name: _key(key) for key in shape.keys},
        "additionalProperties": False,
    }
    if required := [key.name for key in shape.keys if key.required]:
        schema["required"] = required
    given = [{"required": [name]} for name in shape.alternatives]
    if shape.one:
        schema["oneOf"] = given
    elif given:
        # At most one: with one of them, none of those behind it.
        schema["allOf"] = [
            {"if": one, "then": {"not": {"anyOf": given[place:]}}} for place, one in enumerate(given[:-1], 1)
        ]
    return schema


def _key(key: Key) -> Schema:
    described = {"description": key.help + (f" Default: {key.default}." if key.default else "")}
    if key.kind:
        return described | dict(key.kind.schema)
    assert key.shape
    if key.most:
        return described | {"type": "array", "items": _shape(key.shape), "minItems": 1, "maxItems": key.most}
    return described | _shape(key.shape)
