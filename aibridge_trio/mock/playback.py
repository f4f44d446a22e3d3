"""Sends a response: paced, and broken where a script says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aibridge_trio.http.headers import Headers
    from aibridge_trio.http.message import Reply
    from aibridge_trio.mock.turn import Event

# Events that are due at the same time are sent together up to this size (bytes): a send costs more than an event.
_BATCH_SIZE = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A head and the events of a body, after `wait` seconds.

    `pace` is in words per second, 0 for none; `apart` sends each event as a piece of its own. The `fault` occurs
    after `after` events: "truncate", "stall", or "error_event", which sends `error` and ends cleanly. A "reset"
    occurs before the head.
    """

    status: int
    headers: Headers
    events: Iterable[Event]
    wait: float = 0.0
    pace: float = 0.0
    fault: str | None = None
    after: int = 1
    error: bytes = b""
    apart: bool = False
    cost: int = 0


async def play(
    reply: Reply, answer: Answer, *, settle: Callable[[], None], reset: Callable[[], None] | None
) -> None:
    """Send a response; `settle` is called when it is left incomplete on purpose."""
    await trio.sleep(answer.wait)
    if answer.fault == "reset":
        settle()
        if reset:
            reset()
        return
    await reply.start(answer.status, answer.headers)
    await _send_events(reply, answer)
    match answer.fault:
        case "truncate":
            settle()
            return
        case "stall":
            await trio.sleep_forever()
        case "error_event":
            await reply.send(answer.error)
    await reply.end()


async def _send_events(reply: Reply, answer: Answer) -> None:
    """Send the events up to the fault, each when the words before it have been written."""
    started = trio.current_time()
    words = 0
    together = bytearray()

    async def flush() -> None:
        if together:
            piece = bytes(together)
            together.clear()
            await reply.send(piece)

    for n, event in enumerate(answer.events):
        if answer.fault and n == answer.after:
            break
        due = started + words / answer.pace if answer.pace else started
        if due > trio.current_time():
            await flush()
            await trio.sleep_until(due)
        together += event.data
        words += event.words
        if answer.apart or len(together) >= _BATCH_SIZE:
            await flush()
    await flush()
