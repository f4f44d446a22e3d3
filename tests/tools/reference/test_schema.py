"""The JSON Schemas, held to the loader: what the one accepts the other takes."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import example, given

from aibridge_trio.config.document import Document
from aibridge_trio.config.loader import _read
from aibridge_trio.config.origin import Origin
from aibridge_trio.config.provider_tables import BUILT_IN
from aibridge_trio.config.settings import OPTIONS
from aibridge_trio.config.tables import keys, shape
from aibridge_trio.config.units import SHARE, SIZE
from aibridge_trio.errors import UsageError
from tests.support.config_documents import DATES, DOCUMENTS, POOL
from tools.reference import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aibridge_trio.config.option import Option
    from aibridge_trio.config.tables.key import Shape

SCHEMAS = {path: json.loads(text) for path, text in schema.schemas().items()}
WHOLE = SCHEMAS["schemas/aibridge.schema.json"]


def _pattern(_: object, pattern: str, instance: object, __: object) -> Iterator[jsonschema.ValidationError]:
    """ECMA's patterns: Python's `$` would pass a line end at the end."""
    if isinstance(instance, str) and not re.search(pattern.removesuffix("$") + r"\Z", instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match")


_extend: Any = jsonschema.validators.extend
Validator = _extend(jsonschema.Draft202012Validator, {"pattern": _pattern})
VALIDATOR = Validator(WHOLE)


def plain(value: Any) -> Any:
    """A value of TOML as editors hand it to the schema."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.isoformat() if isinstance(value, date | time) else value


def shaped(document: dict[str, Any]) -> bool:
    """Whether the loader finds a document to be of the right shape."""
    held = Document("a.toml", document)
    try:
        shape.classes(held)
        shape.callers(held)
        shape.providers(held, BUILT_IN)
        shape.routes(held)
    except UsageError:
        return False
    return True


@pytest.mark.parametrize("path", SCHEMAS)
def test_a_schema_is_one(path: str) -> None:
    """And the files in the repository are these."""
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[path])
    assert json.loads((Path(__file__).parents[3] / path).read_text()) == SCHEMAS[path]


@given(document=DOCUMENTS)
@example(document={"callers": [{"name": "a", "expires": date(2027, 3, 31), "token_sha256": "ab" * 32}]})
@example(document={"providers": {"openai": {"key_file": "/k", "key": "none"}}})
@example(document={"providers": {"azure": {"dialect": "openai", "base_url": "https://x", "keys": [{"env": "K"}]}}})
def test_the_schema_accepts_what_the_loader_takes(document: dict[str, Any]) -> None:
    """Of tables: no more, no less."""
    assert VALIDATOR.is_valid(plain(document)) == shaped(document)


# Of each sort of table: where it stands, and what it needs.
TABLES: dict[str, tuple[Shape, dict[str, Any]]] = {
    "classes": (keys.CLASS, {}),
    "callers": (keys.CALLER, {"name": "a"}),
    "providers": (keys.PROVIDER, {"dialect": "openai", "base_url": "https://x"}),
    "routes": (keys.ROUTE, {"model": "m", "providers": ["openai"]}),
}


@pytest.mark.parametrize(
    ("sort", "name"), [(sort, key.name) for sort, (held, _) in TABLES.items() for key in held.keys]
)
def test_every_value_of_every_key(sort: str, name: str) -> None:
    """As above, each value of the pool by itself beside what its table needs."""
    accepted = 0
    for value in (*POOL, *DATES) if name == "expires" else POOL:
        table = {**TABLES[sort][1], name: value}
        document = {sort: [table] if sort in {"callers", "routes"} else {"azure": table}}
        accepted += shaped(document)
        assert VALIDATOR.is_valid(plain(document)) == shaped(document), value
    assert accepted


OPTION_POOL: tuple[Any, ...] = (
    *POOL,
    *("10s", "1m30s", "5ms", "5", "0s", "0h0m", "1.5h", "1h1.5s", "1.5ms1s", "32MiB", "0.5B", "1GB", "50%", "0.5"),
    *(
        "0660",
        "660",
        "888",
        "127.0.0.1:4001",
        "unix:/run/a",
        "localhost",
        "10.0.0.0/8",
        "http://p:1",
        "info",
        "redis://h",
        "closed",
    ),
    *(["127.0.0.1:4001"], ["rate", "concurrency"], "rate,concurrency", ["rates"], "provider", "org-1", "auto"),
)
# Units with rules that no schema tells: sums of bytes, addresses, networks.
UNTOLD = {SIZE, SHARE}


@pytest.mark.parametrize("option", [each for each in OPTIONS if each.key], ids=lambda option: option.name)
def test_every_value_of_every_option(option: Option) -> None:
    """The schema accepts what the loader takes; and no more, as far as the unit is one that a schema can tell."""
    origin = Origin("file", option.name, "a.toml", 1, 1)
    accepted = 0
    for value in OPTION_POOL:
        try:
            _read(option, value, origin)
            taken = True
        except UsageError:
            taken = False
        valid = VALIDATOR.is_valid({option.name: plain(value)})
        told = option.unit not in UNTOLD and not option.unit.metavar.startswith(("HOST", "CIDR", "URL", "ORIGIN"))
        accepted += taken
        assert valid >= taken, value
        if told and option.unit.toml is not list:
            assert valid == taken, value
    assert accepted


def test_defaults_are_valid() -> None:
    """An editor that fills them in makes no mistake."""
    for option in OPTIONS:
        if option.key and (default := WHOLE["properties"][option.key].get("default")) is not None:
            assert VALIDATOR.is_valid({option.key: default}), option.key


def test_the_callers_file_has_the_same_tables() -> None:
    """And nothing else."""
    properties = SCHEMAS["schemas/callers.schema.json"]["properties"]
    assert set(properties) == {"classes", "callers"}
    assert all(properties[name] == WHOLE["properties"][name] for name in properties)


def test_the_schemas_are_in_the_package() -> None:
    """Where `aibridge schema` reads them."""
    root = Path(__file__).parents[3]
    build = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert build["wheel"]["force-include"]["schemas"] == "aibridge_trio/schemas"
    assert "/schemas" in build["sdist"]["include"]
