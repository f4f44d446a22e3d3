"""The callers: each request is tried as its client's SDK tries, until it is answered, given up, or too late.

What the clients do is the simulator's data (`aibridge_trio/simulate/world/clients.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

import trio

from aibridge_trio.simulate.world.clients import BROKEN, CLIENTS, Client, Headers
from bench.goodput.incidents import CALLERS, PATIENCE, Incident
from bench.scorecard.caller import Broken, Way, calling, question

# The clients, caller by caller in turn.
MIX = tuple(CLIENTS[name] for name in ("openai-python", "codex", "claude-code"))
# The caller whose credential all requests have that go to the provider without a gateway: its central key.
CENTRAL = "central"
_OK = 200
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

    def first_token(self) -> None:
        """Note the first token; from now on the caller reads on."""
        if self.wait is None:
            self.wait = trio.current_time() - self.began
            self.patience.deadline = trio.current_time() + _LONGEST_ANSWER


def arrivals(incident: Incident, seed: int) -> list[Arrival]:
    """Return the requests of an incident, at random times (Poisson): for a seed always the same."""
    random = Random(seed)
    found: list[Arrival] = []
    at = random.expovariate(incident.rate)
    while at < incident.seconds:
        found.append(Arrival(at, random.randrange(CALLERS), random.getrandbits(32)))
        at += random.expovariate(incident.rate)
    return found


async def ask(way: Way, arrival: Arrival, *, central: bool) -> Result:
    """Send a request, and again as its client does; the caller leaves if its first token does not come in time.

    `central` is that all requests have one credential.
    """
    random = Random(arrival.seed)
    asked = way.request(CENTRAL if central else f"caller-{arrival.caller}", question(stream=True))
    retries = restarts = 0
    with trio.CancelScope(deadline=trio.current_time() + PATIENCE) as patience:
        result = Result(trio.current_time(), patience)
        while True:
            status, headers = await _try(way, asked, result)
            if result.answered:
                break
            delay = arrival.client.retry_delay(status, headers, retries, random.random())
            retries += 1
            if delay is None:
                delay = arrival.client.restart_delay(status, headers, restarts, random.random())
                retries, restarts = 0, restarts + 1
            if delay is None:
                break
            await trio.sleep(delay)
    return result


async def _try(way: Way, asked: bytes, result: Result) -> tuple[int, Headers]:
    """Send it once; return status and headers of the answer, and BROKEN for a 200 that is not whole."""
    seen = bytearray()
    try:
        async with calling(way.port) as call:
            await call.send(asked)
            status, named = await call.head()
            headers = [(name.encode(), value.encode("latin-1")) for name, value in named.items()]
            while piece := await call.more():
                seen += piece
                if status == _OK and _FIRST_TOKEN.search(seen):
                    result.first_token()
    except (Broken, OSError, trio.BrokenResourceError):
        return BROKEN, ()
    if status != _OK:
        return status, headers
    result.answered = _FIRST_TOKEN.search(seen) is not None and _END in seen
    return BROKEN, ()
