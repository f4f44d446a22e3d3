"""How often Python's garbage collector runs.

It finds reference cycles only. Imports and requests leave few behind, and at its default threshold the collector
takes a sixth of the time of the start and a tenth of that of requests.
"""

from __future__ import annotations

import gc

# Objects added between two runs of the collector (Python's default is 700), and how many runs on young objects
# come before one on older ones.
_THRESHOLDS = 20_000, 20, 50


def run_rarely() -> None:
    """Run the collector rarely from now on."""
    gc.set_threshold(*_THRESHOLDS)


def pause() -> None:
    """Run it not at all until `spare_present`."""
    gc.disable()


def spare_present() -> None:
    """Never run the collector on the objects that are there now: they live as long as the program.

    Some hundred kB of them are garbage of the imports. To find that out would take a twelfth of the start.
    """
    gc.freeze()
    gc.enable()
