"""Warnings about tables of the file that are valid: callers without a way in, terms without effect."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from aibridge_trio.config.provider_tables import effective

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aibridge_trio.config.settings import Settings

# How many names a line has.
_NAMED = 5


def table_warnings(settings: Settings, today: date | None = None) -> Iterator[str]:
    """Yield a line for each oddity; `today` is the day, UTC."""
    yield from _callers(settings, today or datetime.now(UTC).date())
    yield from _classes(settings)
    yield from _providers(settings)


def _callers(settings: Settings, today: date) -> Iterator[str]:
    callers = settings.known_callers.callers
    if settings.callers_required and not callers:
        yield "callers: there are none; every request is rejected with 401"
    if expired := [caller.name for caller in callers if not caller.valid_on(today)]:
        yield f"[[callers]] expires: {_names(expired)} expired; remove what is no longer needed"
    if mute := [caller.name for caller in callers if not (caller.token_sha256 or caller.certificate)]:
        yield f"[[callers]]: {_names(mute)} cannot come in: no token, no certificate; aibridge token new makes one"


def _classes(settings: Settings) -> Iterator[str]:
    known = settings.known_callers
    used = Counter(caller.class_name for caller in known.callers)
    for name in known.classes:
        if name not in used:
            yield f"[classes.{name}]: no caller is of this class"
        total = known.totals[name].max_concurrency if name in known.totals else 0
        if 0 < settings.max_concurrency < total:
            most = settings.max_concurrency
            yield f"[classes.{name}] total_max_concurrency: {total} are never reached; --max-concurrency is {most}"
    low = [caller.name for caller in known.callers if caller.terms.priority == "low"]
    if low and not (settings.queue_size or settings.adaptive):
        yield f"priority: low does nothing for {_names(low)}; there is neither --queue-size nor --adaptive"
    most = settings.max_concurrency
    if most > 0 and (high := [caller.name for caller in known.callers if caller.terms.max_concurrency > most]):
        yield f"max_concurrency: that of {_names(high)} is never reached; --max-concurrency is {most}"


def _providers(settings: Settings) -> Iterator[str]:
    """Providers at which a known caller's token is of no use."""
    if not settings.callers_required:
        return
    for table in effective(settings):
        if not table.keys and not table.keyless and table.dialect != "copilot":
            yield (
                f"[providers.{table.name}]: it has no central key, so callers need a key of their own beside "
                "X-AIBridge-Token; add key_file, or switch it off (enabled = false)"
            )


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more
