"""The program under test, with a window: `aibridge serve` as it is, and a signal that asks how it is inside.

At SIGUSR1 it writes a line of JSON on stdout, where the program itself says nothing. Nothing of the program is
changed or wrapped, but that it keeps few of the latest requests: their memory is full soon, and grows no more.
Between two signals nothing is watched: in a turn of Trio's own, it asks Trio, the
collector and the allocator for their counts.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections import Counter

import trio

from aibridge_trio.cli.main import main
from aibridge_trio.telemetry import recent_requests

# How many kinds of objects are reported, the most frequent first.
_KINDS = 400
# How many of the latest requests are kept, of each kind and of each group of callers.
_LATEST, _LATEST_OF_GROUP = 32, 1


def window() -> None:
    """Tell at each signal from now on."""
    signal.signal(signal.SIGUSR1, lambda *_: trio.lowlevel.current_trio_token().run_sync_soon(_tell))


def _tell() -> None:
    # Trio forgets the deadlines of scopes that have ended by the thousand, which is a matter of chance at a rest.
    trio._core._run.GLOBAL_RUN_CONTEXT.runner.deadlines._prune()  # noqa: SLF001
    garbage = gc.collect()
    # Before the list of all objects is made, which is one itself.
    blocks = sys.getallocatedblocks()
    objects = gc.get_objects()
    kinds = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in objects)
    said = {
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "objects": len(objects),
        "blocks": blocks,
        "garbage": garbage,
        "kinds": dict(kinds.most_common(_KINDS)),
    }
    os.write(sys.stdout.fileno(), json.dumps(said).encode() + b"\n")


if __name__ == "__main__":
    recent_requests.WELL = recent_requests.REFUSED = _LATEST
    recent_requests.OF_GROUP = _LATEST_OF_GROUP
    window()
    sys.exit(main())
