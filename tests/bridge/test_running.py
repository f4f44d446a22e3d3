"""The process around a bridge."""

from __future__ import annotations

import gc

from aibridge_trio.bridge import running


def test_the_garbage_collector_leaves_what_lives_as_long_as_the_program() -> None:
    """What is there at the start is frozen, and the collector runs rarely."""
    before = gc.get_threshold()
    try:
        running.tune_garbage_collector()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
