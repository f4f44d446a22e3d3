"""`[[routes]]`: which providers take a model under the base URL /v1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aibridge_trio.config.provider_tables import RouteTable
from aibridge_trio.config.tables import shape
from aibridge_trio.config.units import nearest
from aibridge_trio.printable import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from aibridge_trio.config.document import Document
    from aibridge_trio.config.provider_tables import ProviderTable


def routes(
    document: Document, providers: Iterable[ProviderTable], disabled: Collection[str]
) -> tuple[RouteTable, ...]:
    """Return the routes of a document, without providers that are switched off. Raises UsageError."""
    dialects = {provider.name: provider.dialect for provider in providers}
    return tuple(_routes(document, dialects, disabled))


def _routes(document: Document, dialects: Mapping[str, str], disabled: Collection[str]) -> Iterator[RouteTable]:
    lines: dict[str, int] = {}
    for index, values in enumerate(shape.routes(document)):
        path = ("routes", index)
        model, listed = values["model"], values["providers"]
        if model in lines:
            problem = f"{quoted(model)} is given in line {lines[model]}, too"
            raise document.error((*path, "model"), problem, "name all its providers in one route")
        lines[model], _ = document.at((*path, "model"))
        for place, name in enumerate(listed):
            if name not in dialects and name not in disabled:
                near = nearest(name, dialects)
                remedy = f"did you mean {near}?" if near else f"add [providers.{name}]"
                raise document.error((*path, "providers", place), f"there is no provider {quoted(name)}", remedy)
        enabled = tuple(name for name in listed if name in dialects)
        if not enabled:
            raise document.error((*path, "providers"), "all of them are switched off", "remove the route")
        spoken = sorted({dialects[name] for name in enabled})
        if len(spoken) > 1:
            problem = f"they speak {' and '.join(spoken)}"
            raise document.error((*path, "providers"), problem, "name providers of one dialect")
        yield RouteTable(model=model, providers=enabled)
