"""All tables of the configuration file, and of --callers-file, added to the settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aibridge_trio.config import files
from aibridge_trio.config.provider_tables import effective
from aibridge_trio.config.tables.callers import known_callers
from aibridge_trio.config.tables.providers import providers, variables
from aibridge_trio.config.tables.routes import routes
from aibridge_trio.config.units import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aibridge_trio.config.document import Document
    from aibridge_trio.config.origin import Origin
    from aibridge_trio.config.settings import Settings

__all__ = ["NAMES", "add", "form", "variables"]

NAMES = ("classes", "callers", "providers", "routes")
# What may stand in --callers-file.
_OF_CALLERS = ("classes", "callers")


def form(name: str) -> str:
    """Return how tables of this name are written: `[classes.NAME]`, `[[callers]]`."""
    return f"[[{name}]]" if name in {"callers", "routes"} else f"[{name}.NAME]"


def add(
    settings: Settings, document: Document, origins: Mapping[str, Origin], environ: Mapping[str, str]
) -> tuple[Settings, Document]:
    """Return the settings with the tables of the document and of the callers' file, and the document with callers.

    Raises UsageError.
    """
    file, callers = settings.callers_file, document
    if file:
        callers = _callers_document(file, document, origins["callers_file"])
    tables, disabled = providers(document, settings, origins, environ)
    settings = replace(
        settings,
        known_callers=known_callers(callers, settings, configured=file is not None),
        provider_tables=tables,
        disabled_providers=disabled,
    )
    return replace(settings, routes=routes(document, effective(settings), disabled)), callers


def _callers_document(file: Path, document: Document, origin: Origin) -> Document:
    """Return the callers' file, which has nothing else; the configuration file then has neither of its tables."""
    for name in _OF_CALLERS:
        if name in document.values:
            raise document.error((name,), f"{origin.place} is given too", "keep callers and classes in one file")
    callers: Document = origin.check_file(files.callers, file, remedy="name a readable TOML file")
    for name in callers.values:
        if name not in _OF_CALLERS:
            near = nearest(name, _OF_CALLERS)
            remedy = f"did you mean {form(near)}?" if near else "this file holds [classes.NAME] and [[callers]]"
            raise callers.error((name,), "unknown key", remedy)
    return callers
