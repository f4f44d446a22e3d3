"""recording.jsonl: status documents of one run, a line each, without what the picture does not show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("recording.jsonl")
# The dashboard compares the last document with the newest that is so much older (seconds).
_INTERVAL = 9.5
# Of earlier documents it reads only the totals; one every few seconds is enough.
_APART = 4.0
_TOTALS = {"schema", "version", "now", "started_at", "uptime_s", "draining", "requests", "rejects", "would_reject"}
_TOTALS |= {"concurrency", "rate_limit"}
_EMPTY: dict[str, Any] = {"providers": [], "callers": [], "events": []}
# Parts of a provider that the dashboard does not read.
_UNREAD = {"duration_s", "total_s"}


def load() -> list[Any]:
    """Return the recorded documents, the oldest first."""
    return [json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines()]


def save(documents: Sequence[Any]) -> None:
    """Write the documents of a run: the last one, the one it is compared with, and totals."""
    last = documents[-1]
    base = [each for each in documents if each["uptime_s"] <= last["uptime_s"] - _INTERVAL][-1]
    kept: list[Any] = []
    for each in documents:
        if each is last or each is base:
            kept.append(_shortened(each))
        elif not kept or each["uptime_s"] >= kept[-1]["uptime_s"] + _APART:
            kept.append({name: value for name, value in each.items() if name in _TOTALS} | _EMPTY)
    _FILE.write_text(
        "".join(f"{json.dumps(each, separators=(',', ':'))}\n" for each in kept), encoding="utf-8", newline="\n"
    )


def _shortened(document: Any) -> Any:
    providers = [
        {name: value for name, value in provider.items() if name not in _UNREAD}
        for provider in document["providers"]
    ]
    return document | {"providers": providers}
