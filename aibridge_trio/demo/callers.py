"""Callers: each request is tried as its client's SDK tries, until it is answered, given up, or its caller leaves.

What the clients do is the simulator's data. How a request is sent is a parameter: the demo and bench/goodput have
the same callers.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

import trio

from aibridge_trio.simulate.world.clients import BROKEN, CLIENTS, Client, Headers

# The clients, caller by caller in turn.
MIX = tuple(CLIENTS[name] for name in ("openai-python", "codex", "claude-code"))
OK = 200
_FIRST_TOKEN = re.compile(rb'"content":\s*"[^"]')
_END = b"data: [DONE]"
# Seconds that an answer may take once it has begun.
_LONGEST_ANSWER = 30.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request: when it comes (seconds), whose it is, and the seed of its client's random waits."""

    at: float
    caller: int
    seed: int

    @property
    def client(self) -> Client:
        """The client that sends it."""
        return MIX[self.caller % len(MIX)]


@dataclass(slots=True)
class Result:
    """What became of a request: how long its first token took (seconds, None without one), whether it is whole."""

    began: float
    patience: trio.CancelScope
    wait: float | None = None
    answered: bool = False
    _body: bytearray = field(default_factory=bytearray)

    def feed(self, piece: bytes) -> None:
        """Take a piece of a 200; from its first token on the caller reads on, however long it has waited."""
        self._body += piece
        if self.wait is None and _FIRST_TOKEN.search(self._body):
            self.wait = trio.current_time() - self.began
            self.patience.deadline = trio.current_time() + _LONGEST_ANSWER

    def end(self) -> bool:
        """Return whether the body that was fed is whole; the next one begins anew."""
        whole = _FIRST_TOKEN.search(self._body) is not None and _END in self._body
        self._body.clear()
        return whole


# Sends a request once, and feeds the body of a 200 to the result; returns status and headers, BROKEN for an answer
# that breaks off or does not come.
Send = Callable[[Result], Awaitable[tuple[int, Headers]]]


def arrivals(rate: float, seconds: float, callers: int, seed: int) -> list[Arrival]:
    """Return requests of so many callers, at `rate` per second and random times (Poisson): the same for a seed."""
    random = Random(seed)  # noqa: S311 - a load, no secret
    found: list[Arrival] = []
    at = random.expovariate(rate)
    while at < seconds:
        found.append(Arrival(at, random.randrange(callers), random.getrandbits(32)))
        at += random.expovariate(rate)
    return found


async def ask(send: Send, arrival: Arrival, patience: float) -> Result:
    """Send a request, and again as its client does; its caller leaves if no token comes in `patience` seconds."""
    random = Random(arrival.seed)  # noqa: S311 - a load, no secret
    retries = restarts = 0
    began = trio.current_time()
    with trio.CancelScope(deadline=began + patience) as scope:
        result = Result(began, scope)
        while True:
            status, headers = await send(result)
            result.answered = result.end() and status == OK
            if result.answered:
                break
            if status == OK:
                status, headers = BROKEN, ()
            delay = arrival.client.retry_delay(status, headers, retries, random.random())
            retries += 1
            if delay is None:
                delay = arrival.client.restart_delay(status, headers, restarts, random.random())
                retries, restarts = 0, restarts + 1
            if delay is None:
                break
            await trio.sleep(delay)
    return result
