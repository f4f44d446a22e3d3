"""The tables in force, as `aibridge check` shows them: without secrets, tokens' hashes shortened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aibridge_trio.config.provider_tables import effective
from aibridge_trio.config.units import RATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aibridge_trio.config.document import Document
    from aibridge_trio.config.known_callers import KnownCaller
    from aibridge_trio.config.provider_tables import KeyTable, ProviderTable
    from aibridge_trio.config.settings import Settings
    from aibridge_trio.core.terms import Rate, Terms

# How much of a token's hash is shown.
_HASH_SHOWN = 8


@dataclass(frozen=True)
class Shown:
    """One table: its sort (`providers`, …), its name, what is in force, and its place in a file, if it has one.

    `values` are JSON's types; what is not limited or not set is left out.
    """

    sort: str
    name: str
    values: Mapping[str, Any]
    place: str | None = None

    @property
    def label(self) -> str:
        """`[providers.azure]`, `[[callers]] dev-07`."""
        return (
            f"[[{self.sort}]] {self.name}" if self.sort in {"callers", "routes"} else f"[{self.sort}.{self.name}]"
        )

    @property
    def text(self) -> str:
        """The values in a line."""
        return ", ".join(_text(name, value) for name, value in self.values.items())


def shown(settings: Settings, document: Document, callers: Document) -> Iterator[Shown]:
    """Yield every table in force: providers, routes, classes, callers; `callers` is the document of these."""

    def place(held: Document, *path: str | int) -> str | None:
        tables: Any = held.values
        for key in path:
            if isinstance(tables, dict) and key not in tables:
                return None
            tables = tables[key]
        line, column = held.at(path)
        return f"{held.name}:{line}:{column}"

    for table in effective(settings):
        yield Shown("providers", table.name, _provider(table, settings), place(document, "providers", table.name))
    for name in sorted(settings.disabled_providers):
        yield Shown("providers", name, {"enabled": False}, place(document, "providers", name))
    for index, route in enumerate(settings.routes):
        yield Shown("routes", route.model, {"providers": list(route.providers)}, place(document, "routes", index))
    known = settings.known_callers
    members = Counter(caller.class_name for caller in known.callers)
    for name in known.classes:
        values = {"callers": members[name], **callers.values["classes"][name]}
        yield Shown("classes", name, values, place(callers, "classes", name))
    for index, caller in enumerate(known.callers):
        yield Shown("callers", caller.name, _caller(caller), place(callers, "callers", index))


def _provider(table: ProviderTable, settings: Settings) -> dict[str, Any]:
    forward, most = table.forward_caller_keys, table.max_concurrency
    values = {
        "dialect": table.dialect,
        "base_url": table.base_url,
        "key": "none" if table.keyless else None,
        "keys": [_key(key) for key in table.keys],
        "key_header": table.key_header,
        "key_choice": table.key_choice if len(table.keys) > 1 else None,
        # A value may be a secret.
        "headers": {name: "***" for name, _ in table.headers},
        "forward_caller_keys": settings.forward_caller_keys if forward is None else forward,
        "max_concurrency": settings.max_concurrency_per_provider if most is None else most,
        "rate_limit": _rate(table.rate),
        "token_rate_limit": _rate(table.token_rate),
    }
    return _given(values)


def _key(key: KeyTable) -> dict[str, Any]:
    return _given(
        {
            "label": key.label,
            "weight": key.weight if key.weight != 1 else None,
            "rate_limit": _rate(key.rate),
            "token_rate_limit": _rate(key.token_rate),
        }
    )


def _caller(caller: KnownCaller) -> dict[str, Any]:
    return _given(
        {
            "class": caller.class_name,
            "token_sha256": [each[:_HASH_SHOWN] for each in caller.token_sha256],
            "certificate": caller.certificate,
            "expires": caller.expires.isoformat() if caller.expires else None,
            **_terms(caller.terms),
        }
    )


def _terms(terms: Terms) -> dict[str, Any]:
    budget = terms.budget
    return {
        "max_concurrency": terms.max_concurrency,
        "rate_limit": _rate(terms.rate),
        "token_rate_limit": _rate(terms.token_rate),
        "priority": terms.priority if terms.priority != "normal" else None,
        "models": list(terms.models) if terms.models else None,
        "budget": {"tokens": budget.tokens, "per": budget.per} if budget else None,
    }


def _rate(rate: Rate | None) -> str | None:
    return RATE.show(rate) if rate else None


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _text(name: str, value: Any) -> str:
    match value:
        case True | False:
            return name if value else {"enabled": "switched off"}.get(name, f"no {name}")
        case dict():
            return f"{name} " + " ".join(str(each) for each in (value.values() if name == "budget" else value))
        case list():
            return f"{name} " + " ".join(_item(each) for each in value)
        case _:
            return str(value) if name in {"dialect", "base_url"} else f"{name} {value}"


def _item(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    rest = [f"{name} {each}" for name, each in value.items() if name != "label"]
    return f"{value['label']} ({', '.join(rest)})" if rest else str(value["label"])
