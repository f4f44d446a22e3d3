"""Virtual time."""

from __future__ import annotations

from aibridge_trio.simulate.world.engine import Engine


def test_events_that_fall_due_together_keep_their_order() -> None:
    """First asked for, first done; what is asked for the past is done now."""
    engine = Engine()
    done: list[str] = []
    engine.at(1.0, done.append, "a")
    engine.at(1.0, done.append, "b")
    engine.at(0.5, lambda _: engine.at(0.1, done.append, f"late, at {engine.now}"))
    assert engine.run() == 4
    assert done == ["late, at 0.5", "a", "b"]
