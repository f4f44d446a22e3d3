"""`[classes.*]` and `[[callers]]`: the known callers, and what each may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.config.tables import shape
from aibridge_trio.config.units import nearest
from aibridge_trio.core.terms import ClassTotals, Rate, Terms, TokenBudget
from aibridge_trio.printable import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aibridge_trio.config.document import Document
    from aibridge_trio.config.settings import Settings
    from aibridge_trio.config.tables.shape import Values


def known_callers(document: Document, settings: Settings, *, configured: bool) -> KnownCallers:
    """Return the callers of a document. Raises UsageError.

    Where a caller's entry is silent its class's table counts, and where that is silent the options do.
    `configured`: callers are required even if the document has none.
    """
    classes = shape.classes(document)
    listed = shape.callers(document)
    usual = Terms(
        max_concurrency=settings.max_concurrency_per_caller,
        rate=Rate(settings.rate_limit) if settings.rate_limit else None,
    )
    of_class = {name: _terms(values, usual) for name, values in classes.items()}
    _check_names(document, listed, classes)
    return KnownCallers(
        callers=tuple(_caller(values, of_class, usual) for values in listed),
        totals={name: totals for name, values in classes.items() if (totals := _totals(values)) != ClassTotals()},
        classes=tuple(classes),
        configured=configured or "callers" in document.values,
    )


def _caller(values: Values, of_class: Mapping[str, Terms], usual: Terms) -> KnownCaller:
    name = values.get("class", "")
    return KnownCaller(
        name=values["name"],
        class_name=name,
        terms=_terms(values, of_class.get(name, usual)),
        token_sha256=values.get("token_sha256", ()),
        certificate=values.get("certificate"),
        expires=values.get("expires"),
    )


def _terms(values: Values, otherwise: Terms) -> Terms:
    budget = values.get("budget")
    return Terms(
        max_concurrency=values.get("max_concurrency", otherwise.max_concurrency),
        rate=values.get("rate_limit", otherwise.rate),
        token_rate=values.get("token_rate_limit", otherwise.token_rate),
        priority=values.get("priority", otherwise.priority),
        models=values.get("models", otherwise.models),
        budget=TokenBudget(budget["tokens"], budget["per"]) if budget else otherwise.budget,
    )


def _totals(values: Values) -> ClassTotals:
    return ClassTotals(
        max_concurrency=values.get("total_max_concurrency", 0),
        rate=values.get("total_rate_limit"),
        token_rate=values.get("total_token_rate_limit"),
    )


def _check_names(document: Document, listed: list[Values], classes: Mapping[str, Any]) -> None:
    """Require known classes, and names, tokens and certificates of one caller only."""
    names: dict[str, int] = {}
    hashes: dict[str, int] = {}
    certificates: dict[str, int] = {}
    for index, values in enumerate(listed):
        path = ("callers", index)
        if (name := values.get("class")) is not None and name not in classes:
            near = nearest(name, classes)
            remedy = f"did you mean {near}?" if near else f"add [classes.{name}]"
            raise document.error((*path, "class"), f"there is no class {quoted(name)}", remedy)
        for key, taken, held in (
            ("name", names, (values["name"],)),
            ("token_sha256", hashes, values.get("token_sha256", ())),
            ("certificate", certificates, (values["certificate"],) if "certificate" in values else ()),
        ):
            for each in held:
                if each in taken:
                    line, _ = document.at(("callers", taken[each], key))
                    shown = "this token" if key == "token_sha256" else quoted(each)
                    problem = f"{shown} is given in line {line}, too"
                    raise document.error((*path, key), problem, "give each caller its own")
                taken[each] = index
