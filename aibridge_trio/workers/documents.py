"""The status of all workers as one document, of the same schema as one worker's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# What is added up: counts, which stay when a worker ends, …
_COUNTS = frozenset(
    {
        *("served", "full", "timed_out", "hopeless", "left", "total", "requests", "rejects", "refusals", "trips"),
        *("sum", "count", "pushbacks", "sent_again", "unfunded", "evictions"),
    }
)
_COUNTED = frozenset(
    {
        *("by_status", "rejects", "would_reject", "verdicts", "responses", "errors", "tokens", "holds", "refused"),
        "buckets",
    }
)
# … and what each has now.
_NOW = frozenset(
    {
        *("in_flight", "unanswered", "waiting", "size", "pace_per_s", "open", "held", "starts", "answers_per_s"),
        *("bound", "window", "in_use", "probes", "resting"),
    }
)
# Numbers of callers in a queue are added up; lists of callers are joined.
_NOW_UNLESS_LIST = frozenset({"callers"})
# The entries of lists that are the same by these keys.
_SAME = ("name", "label", "hint", "scope", "class", "unit")
_WORST = {"closed": 0, "half_open": 1, "open": 2, "ready": 0, "resting": 1, "out": 2}
_WORST_CONDITION = {"own": 0, "shared": 0, "settling": 1, "degraded": 2, "closed": 3}
# Parts of which one worker's is shown as a whole: the worst.
_LATEST, _MOST_CALLERS = 50, 20
_OF_SUPERVISOR = frozenset({"start", "drain", "stop"})


def together(documents: Sequence[Mapping[str, Any]], ended: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return one document. Of workers that have `ended`, their counts are in it."""
    found = _merge([*documents, *ended], ())
    assert isinstance(found, dict)
    events = [event for each in documents for event in each["events"] if event["kind"] not in _OF_SUPERVISOR]
    found["events"] = sorted(events, key=lambda event: float(event["at"]))[-_LATEST:]
    found["callers"] = sorted(found["callers"], key=lambda caller: -int(caller["requests"]))[:_MOST_CALLERS]
    return found


def counts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a worker that has ended: nothing is under way there."""
    return {**_ended(document), "events": []}


def _ended(found: Any, key: str = "") -> Any:
    if isinstance(found, Mapping):
        return {name: _ended(value, name) for name, value in found.items()}
    if isinstance(found, list):
        return [_ended(each) for each in found]
    return 0 if key in _NOW | _NOW_UNLESS_LIST and isinstance(found, int | float) else found


def _merge(values: Sequence[Any], path: tuple[str, ...]) -> Any:
    values = [value for value in values if value is not None]
    if not values:
        return None
    first = values[0]
    if isinstance(first, Mapping):
        keys = dict.fromkeys(key for value in values for key in value)
        return {key: _merge([value.get(key) for value in values], (*path, key)) for key in keys}
    if isinstance(first, list):
        return _joined(values, path)
    if isinstance(first, bool):
        return any(values)
    if isinstance(first, int | float):
        return _number(values, path)
    worst = {"state": _WORST, "condition": _WORST_CONDITION}.get(path[-1])
    return max(values, key=lambda value: worst.get(value, -1)) if worst else first


def _number(values: Sequence[Any], path: tuple[str, ...]) -> Any:
    key, above = path[-1], path[-2] if len(path) > 1 else ""
    if above in _COUNTED or key in _COUNTS | _NOW | _NOW_UNLESS_LIST:
        return round(sum(values), 6)
    return max(values)


def _joined(lists: Sequence[Sequence[Any]], path: tuple[str, ...]) -> list[Any]:
    entries = [entry for each in lists for entry in each]
    if not all(isinstance(entry, Mapping) for entry in entries):
        return list(lists[0])
    same: dict[tuple[Any, ...], list[Any]] = {}
    for entry in entries:
        same.setdefault(tuple(entry.get(key) for key in _SAME), []).append(entry)
    return [_merge(some, path) for some in same.values()]
