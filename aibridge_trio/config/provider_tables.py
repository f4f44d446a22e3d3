"""Providers and routes as configured: `[providers.NAME]` and `[[routes]]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from aibridge_trio.config.units import Secret
from aibridge_trio.core.terms import Rate

if TYPE_CHECKING:
    from aibridge_trio.config.settings import Settings

DialectName = Literal["openai", "anthropic", "copilot"]
KeyChoice = Literal["weighted", "least-used"]
# The built-in providers: there unless they are switched off, and named like what they speak.
BUILT_IN: tuple[DialectName, ...] = get_args(DialectName)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTable:
    """One key of a provider.

    label       Names it in logs and /status: the file's or the variable's name, never the key.
    secret      The key.
    file        Where it is reread from; None if it is not from a file.
    weight      Its part of the requests.
    rate        Of requests with this key; None is unlimited.
    token_rate  Of tokens with this key; None is unlimited.
    """

    label: str
    secret: Secret
    file: Path | None = None
    weight: int = 1
    rate: Rate | None = None
    token_rate: Rate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTable:
    """One provider.

    name                 Of its paths, labels and messages.
    dialect              Its API.
    base_url             Where requests go.
    keys                 Central keys; without any, callers' own keys go up, unless `keyless`.
    keyless              The provider needs no key (`key = "none"`): no credential of a caller goes up.
    key_header           The header for the key; None is the dialect's.
    key_choice           How one of several keys is chosen.
    headers              Names (lower case) and values that go up with every request, in place of a caller's.
    forward_caller_keys  With a central key: whether a caller's own key goes up if the request has one.
    max_concurrency      Requests in flight; 0 is unlimited, None is --max-concurrency-per-provider.
    rate                 Of requests; None is unlimited.
    token_rate           Of tokens; None is unlimited.
    """

    name: str
    dialect: DialectName
    base_url: str
    keys: tuple[KeyTable, ...] = ()
    keyless: bool = False
    key_header: str | None = None
    key_choice: KeyChoice = "weighted"
    headers: tuple[tuple[str, str], ...] = ()
    forward_caller_keys: bool | None = None
    max_concurrency: int | None = None
    rate: Rate | None = None
    token_rate: Rate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """Which providers take a model under the base URL /v1.

    model      A name, or a prefix that ends in `*`.
    providers  Their names, in the order in which they are tried; all of one dialect.
    """

    model: str
    providers: tuple[str, ...]


def effective(settings: Settings) -> tuple[ProviderTable, ...]:
    """Return every provider that the bridge serves: the built-in ones first, then the others as configured."""
    given = {table.name: table for table in settings.provider_tables}
    for name in BUILT_IN:
        if name not in settings.disabled_providers and name not in given:
            given[name] = built_in(name, settings)
    return tuple(sorted(given.values(), key=_place))


def _place(table: ProviderTable) -> int:
    """Return where a provider is listed: the built-in ones in their order, the others behind them."""
    names: tuple[str, ...] = BUILT_IN
    return names.index(table.name) if table.name in names else len(names)


def built_in(name: DialectName, settings: Settings) -> ProviderTable:
    """Return a built-in provider as the options say."""
    secret: Secret | None = getattr(settings, f"{name}_api_key", None)
    keys = (KeyTable(label=f"{name.upper()}_API_KEY", secret=secret, file=secret.file),) if secret else ()
    return ProviderTable(name=name, dialect=name, base_url=getattr(settings, f"{name}_base_url"), keys=keys)


def base_url_label(settings: Settings, table: ProviderTable) -> str:
    """Return how the operator has written a provider's base URL: the option's flag, or the table."""
    own = any(table is each for each in settings.provider_tables)
    return f"[providers.{table.name}] base_url" if own else f"--{table.name}-base-url"
