"""The output of `aibridge check`: the configuration in force, as lines or as a JSON document. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aibridge_trio.config.settings import CONFIG, OPTIONS
from aibridge_trio.config.tables.shown import Shown, shown
from aibridge_trio.printable import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aibridge_trio.config.loader import Loaded
    from aibridge_trio.config.settings import Option

VALID = "configuration is valid"


def lines(loaded: Loaded, *, diff: bool = False) -> Iterator[str]:
    """Yield a line per option and table, with `diff` for those that differ from their defaults; then warnings."""
    for (option, value), (label, text, origin) in zip(_values(loaded), loaded.rows(), strict=True):
        if not (diff and _is_default(option, value)):
            yield f"{label:<40}  {text:<29}  {origin}"
    for table in _tables(loaded, diff=diff):
        yield f"{table.label:<40}  {visible(table.text):<29}  {visible(table.place or 'options')}"
    yield VALID
    for warning in warnings(loaded):
        yield f"warning: {warning}"
    for suggestion in loaded.settings.suggestions():
        yield f"suggestion: {suggestion}"


def document(loaded: Loaded, *, diff: bool = False) -> dict[str, Any]:
    """Return the same as JSON types: value, default and source of each option, secrets masked."""
    options = {
        option.name: {
            "value": _plain(option, value),
            "default": _plain(option, _default(option)),
            "source": loaded.origins[option.name].kind,
            "place": loaded.origins[option.name].place or None,
        }
        for option, value in _values(loaded)
        if not (diff and _is_default(option, value))
    }
    tables: dict[str, list[dict[str, Any]]] = {sort: [] for sort in ("providers", "routes", "classes", "callers")}
    for table in _tables(loaded, diff=diff):
        name = "model" if table.sort == "routes" else "name"
        tables[table.sort].append({name: table.name, **table.values, "place": table.place})
    return {
        "valid": True,
        "options": options,
        **tables,
        "warnings": list(warnings(loaded)),
        "suggestions": list(loaded.settings.suggestions()),
    }


def warnings(loaded: Loaded) -> tuple[str, ...]:
    """Return the warnings, also about options that were set explicitly to their defaults."""
    given = {name for name, origin in loaded.origins.items() if origin.kind != "default"}
    return loaded.settings.warnings(given)


def invalid(error: Exception) -> dict[str, Any]:
    """Return the document of an invalid configuration."""
    return {"valid": False, "mistake": visible(str(error))}


def _tables(loaded: Loaded, *, diff: bool) -> Iterator[Shown]:
    """Yield the tables in force; `diff` leaves out the providers that there are without a table."""
    for table in shown(loaded.settings, loaded.document, loaded.callers):
        if table.place or not diff:
            yield table


def _values(loaded: Loaded) -> Iterator[tuple[Option, Any]]:
    yield CONFIG, loaded.config
    for option in OPTIONS:
        yield option, getattr(loaded.settings, option.name)


def _default(option: Option) -> Any:
    return None if option.default is None else option.unit.parse(option.default)


def _is_default(option: Option, value: Any) -> bool:
    return bool(value == _default(option))


def _plain(option: Option, value: Any) -> Any:
    """Return a value as in the file: numbers, booleans and lists as such, others as text; None for no value."""
    if value is None or isinstance(value, bool):
        return value
    shown = option.unit.show(value)
    if option.unit.toml is list:
        return shown.split(",") if shown else []
    return int(shown) if option.unit.toml is int else shown
