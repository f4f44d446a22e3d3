"""What differs between two configurations, in lines for people. Secrets are masked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from itertools import islice
from typing import TYPE_CHECKING, Any

from aibridge_trio.config import files
from aibridge_trio.config.fixed_options import FIXED
from aibridge_trio.config.settings import OPTIONS
from aibridge_trio.config.units import FILE, InvalidValue
from aibridge_trio.printable import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from aibridge_trio.config.settings import Option, Settings

# A value longer than this (characters) is cut in a line.
_LONGEST_VALUE = 120
# Entries of one table that are named; there may be thousands, and a line of the log has all of them.
_MOST_ENTRIES = 20
# Members of `Settings` that hold tables: how lines call the table, and by which member its entries are known.
_TABLES = {"provider_tables": ("providers", "name"), "routes": ("routes", "model")}


@dataclass(frozen=True)
class Differences:
    """Lines of what has changed; `fixed` are those that cannot be applied to a running bridge."""

    changes: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes or self.fixed)


def fingerprints(settings: Settings) -> dict[str, str]:
    """Return a hash of the content of each file that an option names. Opens files, which may be missing."""
    found = {}
    for option in OPTIONS:
        path = getattr(settings, option.name)
        if option.unit is FILE and path is not None:
            try:
                found[option.name] = hashlib.sha256(files.contents(path)).hexdigest()
            except InvalidValue:
                found[option.name] = ""
    return found


def differences(
    before: Settings, after: Settings, known: Mapping[str, str], current: Mapping[str, str]
) -> Differences:
    """Return what differs; `known` and `current` are the fingerprints of the files that either names.

    The content of a fixed one, the state file, is the bridge's own, and no change of its operator's.
    """
    changes: list[str] = []
    fixed: list[str] = []
    for option in OPTIONS:
        old, new = getattr(before, option.name), getattr(after, option.name)
        if old != new and option.name in FIXED:
            fixed.append(f"{_line(option, old, new)}: it stays as it was, because {FIXED[option.name]}")
        elif old != new:
            changes.append(_line(option, old, new))
        elif option.name not in FIXED and known.get(option.name) != current.get(option.name):
            changes.append(f"{option.label}: {visible(str(new), _LONGEST_VALUE)} has another content")
    if before.admin_token != after.admin_token and before.admin_token_file == after.admin_token_file:
        changes.append("--admin-token-file: another token")
    changes += _of_tables(before, after)
    return Differences(tuple(dict.fromkeys(changes)), tuple(fixed))


def _line(option: Option, old: object, new: object) -> str:
    shown = [visible(option.show(value), _LONGEST_VALUE) for value in (old, new)]
    return f"{option.label}: " + ("another value" if shown[0] == shown[1] else " → ".join(shown))


def _of_tables(before: Settings, after: Settings) -> Iterator[str]:
    for member, (table, key) in _TABLES.items():
        yield from _of_entries(table, key, getattr(before, member), getattr(after, member))
    yield from _of_entries("callers", "name", before.known_callers.callers, after.known_callers.callers)
    if before.known_callers.callers == after.known_callers.callers and before.known_callers != after.known_callers:
        yield "[classes]: changed"
    for name in sorted(before.disabled_providers ^ after.disabled_providers):
        yield f"[providers] {name}: {'off' if name in after.disabled_providers else 'on'}"


def _of_entries(table: str, key: str, before: Iterable[Any], after: Iterable[Any]) -> Iterator[str]:
    found = _each_of_entries(key, before, after)
    for name, change in islice(found, _MOST_ENTRIES):
        yield f"[{table}] {visible(name, _LONGEST_VALUE)}: {change}"
    if more := sum(1 for _ in found):
        yield f"[{table}] {more} more: added, removed or changed"


def _each_of_entries(key: str, before: Iterable[Any], after: Iterable[Any]) -> Iterator[tuple[str, str]]:
    old = {getattr(entry, key): entry for entry in before}
    new = {getattr(entry, key): entry for entry in after}
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield name, "removed"
        elif name not in old:
            yield name, "added"
        elif old[name] != new[name]:
            names = (each.name for each in fields(old[name]))
            changed = (each for each in names if getattr(old[name], each) != getattr(new[name], each))
            yield name, f"changed ({', '.join(changed)})"
