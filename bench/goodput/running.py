"""One incident through one gateway: the same requests at the same times, and what came of them."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from aibridge_trio.demo.callers import Arrival, Result
from bench.goodput.callers import arrivals, ask
from bench.goodput.incidents import PATIENCE, Incident
from bench.scorecard.caller import Way
from bench.scorecard.gateways import Gateway
from bench.scorecard.provider import Provider
from bench.scorecard.running import started
from bench.scorecard.terms import Setup, Terms

# The first answer of a gateway may take as long as the provider's, and longer if it learns by then.
_TERMS = Terms(patience=PATIENCE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many requests were answered, by how many calls to the provider; the waits of the answered (seconds)."""

    requests: int
    answered: int
    calls: int
    waits: tuple[float, ...]

    @property
    def share(self) -> float:
        """The share of the requests that were answered."""
        return self.answered / self.requests

    @property
    def wasted(self) -> float:
        """The share of the calls to the provider that gave no caller an answer."""
        return 1 - self.answered / self.calls if self.calls else 0.0

    @property
    def p99(self) -> float | None:
        """The 99th percentile of the wait for the first token, of the answered (seconds); None if none was."""
        ordered = sorted(self.waits)
        return ordered[max(0, math.ceil(0.99 * len(ordered)) - 1)] if ordered else None


@asynccontextmanager
async def _way(gateway: Gateway | None, provider: Provider) -> AsyncIterator[Way]:
    if gateway is None:
        yield Way(provider.port, "/v1/chat/completions")
    else:
        async with started(gateway, Setup.GOODPUT, _TERMS, provider) as gate:
            yield gate.way


async def through(gateway: Gateway | None, incident: Incident, provider: Provider, seed: int) -> Outcome:
    """Run one incident through a gateway, or without one; return the outcome.

    Raises `Failed` if the gateway does not start.
    """
    await provider.change(incident.start)
    await provider.fresh()
    async with _way(gateway, provider) as way:
        # The first answer is not of the incident. A change of the quota fills it again.
        await provider.fresh()
        await provider.change({"requests_per_minute": 0})
        await provider.change(incident.start)
        results = await _load(way, incident, provider, seed, central=gateway is None)
        calls = await provider.calls()
    answered = [each for each in results if each.answered]
    return Outcome(
        len(results), len(answered), calls, tuple(each.wait for each in answered if each.wait is not None)
    )


async def _load(way: Way, incident: Incident, provider: Provider, seed: int, *, central: bool) -> Sequence[Result]:
    """Send the requests and change the provider, each at its time; return when all requests have ended."""
    began = trio.current_time()
    results: list[Result] = []

    async def change() -> None:
        for at, options in incident.changes:
            await trio.sleep_until(began + at)
            await provider.change(options)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(change)

        async def one(arrival: Arrival) -> None:
            results.append(await ask(way, arrival, central=central))

        for arrival in arrivals(incident, seed):
            await trio.sleep_until(began + arrival.at)
            nursery.start_soon(one, arrival)
    return results
