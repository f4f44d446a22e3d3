from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from aibridge_trio import events
from aibridge_trio.events import KINDS, Step
from aibridge_trio.process import audit
from aibridge_trio.sharing import change


@pytest.mark.parametrize("kind", KINDS)
def test_events_are_frozen(kind: type) -> None:
    """An event cannot be changed once it is published."""
    if is_dataclass(kind):
        event, name = object.__new__(kind), fields(kind)[0].name
    else:
        event, name = tuple.__new__(kind, [None] * len(kind._fields)), kind._fields[0]  # type: ignore[attr-defined]
    with pytest.raises((FrozenInstanceError, AttributeError)):
        setattr(event, name, None)


def test_every_event_is_in_the_union() -> None:
    """Every record of the module is part of `Event`, but for what is in one."""
    modules = {events.__name__, change.__name__, audit.__name__}
    kinds = [kind for kind in vars(events).values() if getattr(kind, "__module__", "") in modules]
    records = {kind for kind in kinds if is_dataclass(kind) or hasattr(kind, "_fields")}
    assert records == {*KINDS, Step}
