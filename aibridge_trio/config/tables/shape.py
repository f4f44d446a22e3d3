"""Reads tables of a document by their shapes: types, bounds, unknown and missing keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aibridge_trio.config.settings import OPTIONS
from aibridge_trio.config.suggestions import guess_key
from aibridge_trio.config.tables import keys
from aibridge_trio.config.tables.kinds import CLASS_NAME, PROVIDER_NAME, typed
from aibridge_trio.config.units import InvalidValue, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aibridge_trio.config.document import Document
    from aibridge_trio.config.tables.key import Key, Shape
    from aibridge_trio.config.tables.kinds import Kind
    from aibridge_trio.config.toml_positions import Path

# The values of a table: of each key that is given, what its kind reads.
Values = dict[str, Any]


def classes(document: Document) -> dict[str, Values]:
    """Return the values of each `[classes.NAME]`. Raises UsageError."""
    return _named(document, "classes", CLASS_NAME, lambda _: keys.CLASS, keys.MOST_CLASSES)


def callers(document: Document) -> list[Values]:
    """Return the values of each `[[callers]]`. Raises UsageError."""
    return _array(document, ("callers",), document.values.get("callers", []), keys.CALLER, keys.MOST_CALLERS)


def providers(document: Document, built_in: Iterable[str]) -> dict[str, Values]:
    """Return the values of each `[providers.NAME]`; the built-in ones need neither dialect nor base URL."""
    own = dict.fromkeys(built_in, keys.BUILT_IN_PROVIDER)
    most = keys.MOST_PROVIDERS
    return _named(document, "providers", PROVIDER_NAME, lambda name: own.get(name, keys.PROVIDER), most)


def routes(document: Document) -> list[Values]:
    """Return the values of each `[[routes]]`. Raises UsageError."""
    return _array(document, ("routes",), document.values.get("routes", []), keys.ROUTE, keys.MOST_ROUTES)


def _named(
    document: Document, top: str, names: Kind[str], shape_of: Callable[[str], Shape], most: int
) -> dict[str, Values]:
    tables = document.values.get(top, {})
    _checked(document, (top,), lambda: typed(tables, dict), f"write [{top}.NAME]")
    if len(tables) > most:
        raise document.error((top,), f"there are more than {most}", "remove some")
    found = {}
    for name, table in tables.items():
        _checked(document, (top, name), partial(names.read, name), f"write e.g. [{top}.{names.example[1:-1]}]")
        found[name] = _table(document, (top, name), table, shape_of(name))
    return found


def _array(document: Document, path: Path, tables: object, shape: Shape, most: int) -> list[Values]:
    listed = _checked(document, path, lambda: typed(tables, list), f"write [[{path[0]}]]")
    if len(listed) > most:
        raise document.error(path, f"there are more than {most}", "remove some")
    return [_table(document, (*path, index), table, shape) for index, table in enumerate(listed)]


def _table(document: Document, path: Path, table: object, shape: Shape) -> Values:
    held: dict[str, Any] = _checked(document, path, lambda: typed(table, dict), "write a table")
    found: Values = {}
    for name, value in held.items():
        key = shape.get(name)
        if key is None:
            raise document.error((*path, name), "unknown key", _remedy(name, shape))
        found[name] = _value(document, (*path, name), value, key)
    for key in shape.required:
        if key.name not in held:
            raise document.error(path, f"{key.name} is missing", f"add e.g. {key.name} = {key.example}")
    given = [name for name in shape.alternatives if name in held]
    if len(given) > 1:
        raise document.error((*path, given[1]), f"{given[0]} is given too", "keep one of them")
    if shape.one and not given:
        raise document.error(path, f"there is neither {' nor '.join(shape.alternatives)}", "add one of them")
    return found


def _remedy(name: str, shape: Shape) -> str:
    """Return what to do about an unknown key."""
    if any(name == option.key for option in OPTIONS):
        return "it is an option: write it above the first table"
    known = [key.name for key in shape.keys]
    near = guess_key(name, known) or nearest(name, known)
    return f"did you mean {near}?" if near else "remove it"


def _value(document: Document, path: Path, value: object, key: Key) -> Any:
    if key.shape and key.most:
        listed = _array(document, path, value, key.shape, key.most)
        if not listed:
            raise document.error(path, "the array is empty", f"write e.g. {key.name} = {key.example}")
        return listed
    if key.shape:
        return _table(document, path, value, key.shape)
    assert key.kind
    if key.name == "key" and value != "none":
        # The value is not quoted: it may be the key itself.
        raise document.error(path, "a key does not belong in this file", "write key_file or key_env")
    try:
        return key.kind.read(value)
    except InvalidValue as invalid:
        text = f'"{invalid.instead}"' if invalid.instead else key.example
        raise document.error(path, str(invalid), f"write e.g. {key.name} = {text}") from None


def _checked(document: Document, path: Path, read: Callable[[], Any], remedy: str) -> Any:
    try:
        return read()
    except InvalidValue as invalid:
        raise document.error(path, str(invalid), remedy) from None
