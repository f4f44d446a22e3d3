"""The process of `aibridge serve`: what is set up once around a bridge."""

from __future__ import annotations

import gc

import trio

from aibridge_trio.bridge.bridge import Bridge
from aibridge_trio.config.settings import Settings
from aibridge_trio.process.core_dumps import forbid_core_dumps
from aibridge_trio.process.signals import ends
from aibridge_trio.server.descriptors import raise_descriptor_limit

# Allocations between two runs of the garbage collector (Python's default is 700).
_GC_THRESHOLD = 20_000


def serve(settings: Settings) -> int:
    """Run a bridge until a signal stops it. Returns the exit status; raises UsageError for a port in use."""
    forbid_core_dumps()
    raise_descriptor_limit()

    async def main() -> int:
        with trio.open_signal_receiver(*ends()) as signals:
            bridge = Bridge(settings)
            bridge.open()
            _tune_garbage_collector()
            with bridge.log.writing():
                return await bridge.run(signals)

    return trio.run(main)


def _tune_garbage_collector() -> None:
    """Run the garbage collector rarely, and never on objects that live as long as the program.

    Requests leave no reference cycles behind; at its default threshold the collector takes a tenth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 50)
