"""Warnings about risky settings that are valid; logged at startup and printed by `aibridge check`."""

from __future__ import annotations

import stat
from dataclasses import fields
from typing import TYPE_CHECKING

from aibridge_trio.config.addresses import Address
from aibridge_trio.config.protections import active_in_shadow
from aibridge_trio.config.provider_tables import base_url_label, effective
from aibridge_trio.config.sharing_checks import store_warnings
from aibridge_trio.config.tracing_checks import tracing_warnings
from aibridge_trio.config.units import Secret
from aibridge_trio.printable import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aibridge_trio.config.settings import Settings

_PORTS = {"http": 80, "https": 443}


def startup_warnings(settings: Settings) -> Iterator[str]:
    """Yield a line for each risky setting."""
    if settings.has_central_key and settings.allow_anonymous and (exposed := settings.exposed()):
        yield f"--allow-anonymous: any client that can connect to {exposed} uses {settings.shared_access}"
    if on := active_in_shadow(settings):
        yield f"--shadow: nothing is rejected by {', '.join(on)}; it is only counted"
    for table in effective(settings):
        if table.keys and (host := _in_clear(table.base_url)):
            label = base_url_label(settings, table)
            yield f"{label}: the central key goes to {host} in clear text; write https:// if it serves TLS"
    if settings.admin_token and not settings.admin_bind.is_loopback:
        yield (
            f"--admin-bind: the token crosses the network to {settings.admin_bind} in clear text, because the "
            "admin listener has no TLS; listen on loopback, or behind a proxy that has"
        )
    if not (settings.state_file or settings.store) and any(
        each.terms.budget for each in settings.known_callers.callers
    ):
        yield "budget: a restart gives callers their budgets anew; name a file that keeps them with --state-file"
    yield from store_warnings(settings)
    yield from tracing_warnings(settings)
    yield from _secrets(settings)


def _secrets(settings: Settings) -> Iterator[str]:
    """Secrets that others on this machine can read."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Secret) and value.in_flag and value.shown != value.reveal():
            flag = f"--{field.name.replace('_', '-')}"
            yield f"{flag}: every user of this machine can read its password; write it to the environment"
    for path in dict.fromkeys(_secret_files(settings)):
        if _is_exposed(path):
            yield f"{quoted(str(path), 255)} holds a secret, and not only its owner has access; chmod 600 it"


def _secret_files(settings: Settings) -> Iterator[Path]:
    if settings.tls_key:
        yield settings.tls_key
    for field in fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Secret) and value.file:
            yield value.file
    for table in settings.provider_tables:
        yield from (key.file for key in table.keys if key.file)


def _is_exposed(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # gone since it was read
        return False
    return stat.S_ISREG(mode) and bool(mode & (stat.S_IRWXG | stat.S_IRWXO))


def _in_clear(url: str) -> str | None:
    """Return the host of an upstream that is called over the network without TLS, None otherwise."""
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0]
    host = authority[1:].partition("]")[0] if authority.startswith("[") else authority.partition(":")[0]
    return None if scheme != "http" or Address(host, _PORTS[scheme]).is_loopback else authority
