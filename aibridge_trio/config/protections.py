"""The protections that shadow mode knows: their names, reject reasons and switches, and which of them are on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aibridge_trio.config.provider_tables import ProviderTable, effective
from aibridge_trio.config.units import SHARE
from aibridge_trio.core.terms import ClassTotals, Terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aibridge_trio.config.settings import Settings

# The names that --shadow takes, and the reason of the rejects that each protection makes.
PROTECTIONS = {
    "concurrency": "capacity",
    "concurrency-per-caller": "caller_capacity",
    "concurrency-per-provider": "provider_capacity",
    "rate": "rate_limit",
    "breaker": "circuit_open",
    "credential": "credential_cooldown",
    "adaptive": "hold_timeout",
}
# The setting that switches each of them on.
SWITCHES = {
    "concurrency": "max_concurrency",
    "concurrency-per-caller": "max_concurrency_per_caller",
    "concurrency-per-provider": "max_concurrency_per_provider",
    "rate": "rate_limit",
    "breaker": "circuit_breaker",
    "credential": "circuit_breaker",
    "adaptive": "adaptive",
}


def active_in_shadow(settings: Settings) -> list[str]:
    """Return the protections that are on and in shadow: they count rejects without rejecting."""
    return [name for name in settings.shadow if is_on(settings, name)]


def is_on(settings: Settings, name: str) -> bool:
    """Return whether a protection is on, by its switch or by tables of the configuration file."""
    known = settings.known_callers
    terms: tuple[Terms | ClassTotals, ...] = (*(caller.terms for caller in known.callers), *known.totals.values())
    match name:
        case "concurrency-per-caller":
            by_tables = any(each.max_concurrency for each in terms)
        case "concurrency-per-provider":
            by_tables = any(table.max_concurrency for table in settings.provider_tables)
        case "rate":
            by_tables = any(each.rate for each in terms)
        case _:
            by_tables = False
    return bool(getattr(settings, SWITCHES[name])) or by_tables


def described(settings: Settings) -> Iterator[str]:
    """Yield a short description of each protection that is on, and of the queue; `in shadow` is appended."""
    opens_at = f"{settings.circuit_breaker_failure_threshold} failures in {settings.circuit_breaker_window:g} s"
    if settings.circuit_breaker_failure_share:
        opens_at += f", {SHARE.show(settings.circuit_breaker_failure_share)} of the calls"
    known, others = len(settings.known_callers.callers), "" if settings.callers_required else " beside others"
    texts = {
        "callers": settings.known_callers and f"{known} known caller{'s' if known != 1 else ''}{others}",
        "concurrency": settings.max_concurrency and f"at most {settings.max_concurrency} in flight",
        "concurrency-per-caller": settings.max_concurrency_per_caller
        and f"{settings.max_concurrency_per_caller} in flight a caller",
        "concurrency-per-provider": settings.max_concurrency_per_provider
        and f"{settings.max_concurrency_per_provider} in flight a provider",
        "queue": settings.queue_size and f"a queue of {settings.queue_size}",
        "rate": settings.rate_limit and f"{settings.rate_limit} requests/s a caller",
        "adaptive": settings.adaptive and "an adaptive limiter a provider",
        "breaker": settings.circuit_breaker and f"circuit breakers ({opens_at})",
    }
    for name, text in texts.items():
        if text:
            yield f"{text} in shadow" if name in settings.shadow else text


def suggestions(settings: Settings) -> Iterator[str]:
    """Yield a line for each option that would protect better with this configuration."""
    own = [
        table.name for table in effective(settings) if table.dialect != "copilot" and _forwards(settings, table)
    ]
    if own and settings.circuit_breaker and settings.circuit_breaker_429 == "provider":
        forwarded = f"callers' own keys go up to {' and '.join(own)}: --circuit-breaker-429 credential"
        yield f"{forwarded} pauses only the key that got the 429"


def _forwards(settings: Settings, table: ProviderTable) -> bool:
    """Return whether callers' own keys go up to a provider."""
    forwards = settings.forward_caller_keys if table.forward_caller_keys is None else table.forward_caller_keys
    return not table.keyless and (forwards or not table.keys)
