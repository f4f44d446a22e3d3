"""A number that is the same for replicas that are configured alike."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from aibridge_trio.config.settings import OPTIONS
from aibridge_trio.config.units import FILE

if TYPE_CHECKING:
    from aibridge_trio.config.settings import Settings

# What replicas may have each for itself: addresses, processes, logs. Names of files are their own, too.
_OWN = frozenset({"bind", "bind_mode", "admin_bind", "allowed_hosts", "workers", "log_level", "log_format"})
# A gauge is a float, which is exact up to 53 bits.
_BYTES = 6


def config_hash(settings: Settings) -> int:
    """Return the number. It knows options, providers, routes, classes; no secrets, callers, contents of files."""
    parts = [
        f"{option.name}={option.show(getattr(settings, option.name))}"
        for option in OPTIONS
        if option.name not in _OWN and option.unit is not FILE
    ]
    parts += [
        f"{each.name} {each.dialect} {each.base_url} {len(each.keys)} {each.key_choice} {each.max_concurrency}"
        f" {each.rate} {each.token_rate} {[name for name, _ in each.headers]}"
        for each in settings.provider_tables
    ]
    parts += [f"{route!r}" for route in settings.routes]
    parts += [f"{name}={totals!r}" for name, totals in sorted(settings.known_callers.totals.items())]
    parts += sorted(settings.known_callers.classes)
    return int.from_bytes(hashlib.sha256("\n".join(parts).encode()).digest()[:_BYTES], "big")
