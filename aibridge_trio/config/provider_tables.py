"""Providers and routes as configured: `[providers.NAME]` and `[[routes]]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aibridge_trio.config.units import Secret
from aibridge_trio.core.terms import Rate

DialectName = Literal["openai", "anthropic", "copilot"]
KeyChoice = Literal["weighted", "least-used"]


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
