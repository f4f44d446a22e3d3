"""Passes events on to those who subscribed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aibridge_trio.events import KINDS, Event, Handlers, LifecycleChanged
from aibridge_trio.process.audit import Audited
from aibridge_trio.sharing.change import StoreChanged


class EventBus:
    """Calls every handler of an event's kind, in the order of subscription."""

    def __init__(self) -> None:
        self._handlers: dict[type[Event], list[Callable[[Any], None]]] = {kind: [] for kind in KINDS}

    def subscribe(self, handlers: Handlers) -> None:
        """Add a listener's handlers; they must neither block nor raise."""
        for kind, handler in handlers.items():
            self._handlers[kind].append(handler)

    def publish(self, event: Event) -> None:
        """Call the handlers of this event's kind."""
        for handler in self._handlers[type(event)]:
            handler(event)


def of_worker(handlers: Handlers) -> Handlers:
    """Return handlers without what is said once for all: start, end, orders, the first contact to the store.

    A store that is away at the start is news: no other line says why.
    """
    left = {kind: handler for kind, handler in handlers.items() if kind not in (Audited, LifecycleChanged)}
    if handler := left.get(StoreChanged):
        left[StoreChanged] = lambda event: handler(event) if event.source or event.because else None
    return left
