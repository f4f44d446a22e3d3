"""The callers of an incident: those of `aibridge demo`, whose requests go through a gateway."""

from __future__ import annotations

import trio

from aibridge_trio.demo import callers
from aibridge_trio.demo.callers import OK, Arrival, Result
from aibridge_trio.simulate.world.clients import BROKEN, Headers
from bench.goodput.incidents import CALLERS, PATIENCE, Incident
from bench.scorecard.caller import Broken, Way, calling, question

# The caller whose credential all requests have that go to the provider without a gateway: its central key.
CENTRAL = "central"


def arrivals(incident: Incident, seed: int) -> list[Arrival]:
    """Return the requests of an incident: for a seed always the same."""
    return callers.arrivals(incident.rate, incident.seconds, CALLERS, seed)


async def ask(way: Way, arrival: Arrival, *, central: bool) -> Result:
    """Send a request, and again as its client does; the caller leaves if its first token does not come in time.

    `central` is that all requests have one credential.
    """
    asked = way.request(CENTRAL if central else f"caller-{arrival.caller}", question(stream=True))

    async def send(result: Result) -> tuple[int, Headers]:
        try:
            async with calling(way.port) as call:
                await call.send(asked)
                status, headers = await call.head()
                while piece := await call.more():
                    if status == OK:
                        result.feed(piece)
        except (Broken, OSError, trio.BrokenResourceError):
            return BROKEN, ()
        return status, [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]

    return await callers.ask(send, arrival, PATIENCE)
