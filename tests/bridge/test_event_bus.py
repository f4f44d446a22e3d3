"""Events and their listeners."""

from __future__ import annotations

from aibridge_trio.bridge.event_bus import EventBus
from aibridge_trio.events import KINDS, Answered, Event

ANSWERED = Answered("openai", 200)


def test_every_handler_gets_its_events_in_order() -> None:
    """Each event goes to all handlers of its kind, in the order of subscription, before the next event."""
    bus, handled = EventBus(), list[tuple[str, Event]]()
    bus.subscribe(dict.fromkeys(KINDS, lambda event: handled.append(("a", event))))
    bus.subscribe({Answered: lambda event: handled.append(("b", event))})
    other = Answered("openai", 503)
    bus.publish(ANSWERED)
    bus.publish(other)
    assert handled == [("a", ANSWERED), ("b", ANSWERED), ("a", other), ("b", other)]


def test_an_event_without_handlers_is_ignored() -> None:
    """Publishing without listeners does nothing."""
    EventBus().publish(ANSWERED)
