"""The proxies of a run: the bridges that were named, and every other proxy that is installed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.compare.peers import Peer, aibridge, envoy, litellm, nginx, portkey, smg
from bench.compare.process import Failed

# In the order of the page's columns, after the bridges.
OTHERS: Mapping[str, Callable[[], Peer | None]] = {
    "envoy": envoy.peer,
    "nginx": nginx.peer,
    "smg": smg.peer,
    "portkey": portkey.peer,
    "litellm": litellm.peer,
}


@dataclass(frozen=True, slots=True)
class Cast:
    """Those who are there, the bridges first, and the names of those who are not."""

    peers: Sequence[Peer]
    missing: Sequence[str]


def choose(bridges: Sequence[str], wanted: Sequence[str]) -> Cast:
    """Return the cast: `bridges` as `PATH` or `NAME=PATH` (none: this checkout's), and the `wanted` others."""
    ours: dict[str, Peer] = {}
    for spec in bridges or [own()]:
        name, path = named(spec, len(ours))
        if not os.access(path, os.X_OK):
            raise Failed(f"no aibridge at {path}; install the project, or name one with --aibridge PATH")
        ours[name] = aibridge.peer(path, name)
    found = {name: OTHERS[name]() for name in OTHERS if name in wanted}
    return Cast([*ours.values(), *filter(None, found.values())], [name for name in found if found[name] is None])


def named(spec: str, before: int) -> tuple[str, str]:
    """Return the name and the absolute path of a bridge, the first or one with so many `before` it."""
    name, _, path = spec.rpartition("=")
    return name or (f"aibridge-{before + 1}" if before else "aibridge"), str(Path(path).absolute())


def own() -> str:
    """Return this checkout's bridge."""
    beside = Path(sys.executable).with_name("aibridge")
    return str(beside if beside.exists() else shutil.which("aibridge") or beside)
