"""The breaker: what opens it, who gets through, how it closes, what it tells."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from statistics import median

import trio

from bench.scorecard.asking import question
from bench.scorecard.caller import Answer
from bench.scorecard.provider import ALWAYS
from bench.scorecard.scene import No, Scene, milliseconds, told
from bench.scorecard.terms import Setup, Terms

_OK, _BAD = 200, 400
_MANY = 20
_CALLS_PER_REQUEST = 1.1
_TICK = 0.1
_READ = 4096
# After the cooldown, for clocks that are looked at now and then.
_GRACE = 0.5


def _grace(terms: Terms) -> float:
    return terms.cooldown * 1.1 + min(_GRACE, terms.cooldown)


@question(6, "<= 1.1 upstream calls per request in a total outage", Setup.BREAKER)
async def no_retries(scene: Scene) -> str:
    """The provider answers 503 and breaks connections in turn: of twenty requests none makes two calls.

    That the breaker spares it most of them is another question's matter.
    """
    outage: list[dict[str, object]] = [{"status": 503}, {"fault": "reset"}]
    await scene.provider.script(*outage * _MANY * 5)
    calls = [0]
    for _ in range(_MANY):
        answer = await scene.ask()
        if answer.status == _OK:
            raise No("served while the provider serves no request")
        calls.append(await scene.provider.calls())
    reached = sum(after > before for before, after in pairwise(calls))
    evidence = f"{calls[-1]} calls by the {reached} of {_MANY} requests that reached it"
    if not 0 < calls[-1] <= _CALLS_PER_REQUEST * reached:
        raise No(evidence)
    return evidence


@question(7, "none while open", Setup.BREAKER)
async def none_while_open(scene: Scene) -> str:
    """Once it is open, none of twenty requests reaches the provider."""
    failures = await scene.opened()
    before = await scene.provider.calls()
    began = trio.current_time()
    for _ in range(_MANY):
        await scene.ask()
        if trio.current_time() > began + scene.terms.cooldown / 2:
            break  # a slow gateway must not be asked until it may probe
    calls = await scene.provider.calls() - before
    evidence = f"open after {failures} × 503, then {calls} of {_MANY} requests reached the provider"
    if calls:
        raise No(evidence)
    return evidence


@question(8, "probes capped", Setup.BREAKER)
async def probes_capped(scene: Scene) -> str:
    """After the cooldown twenty come at once, and the provider is slow: no more than three reach it."""
    await scene.opened()
    await scene.provider.forget()
    await scene.provider.script({"delay": min(1.0, scene.terms.patience / 3), "times": ALWAYS})
    await trio.sleep(_grace(scene.terms))
    before = await scene.provider.calls()
    async with trio.open_nursery() as nursery:
        for _ in range(_MANY):
            nursery.start_soon(scene.ask)
    calls = await scene.provider.calls() - before
    evidence = f"{calls} of {_MANY} at once reached the provider after the cooldown"
    if not 1 <= calls <= scene.terms.probes:
        raise No(evidence)
    return evidence


@question(9, "400s don't trip", Setup.BREAKER)
async def bad_requests_do_not_trip(scene: Scene) -> str:
    """Twenty answers of 400 later a request is served; 503s open the breaker, so there is one."""
    await scene.provider.script({"status": _BAD, "times": ALWAYS})
    for number in range(_MANY):
        reached, answer = await scene.reached()
        if not reached:
            raise No(f"after {number} × 400 no request reaches the provider: {answer}")
    await scene.provider.forget()
    answer = await scene.ask()
    if answer.status != _OK:
        raise No(f"after {_MANY} × 400 answered with {answer}")
    failures = await scene.opened()
    return f"served after {_MANY} × 400, open after {failures} × 503"


@question(10, "overload event inside a 200 does trip", Setup.BREAKER)
async def overload_event_trips(scene: Scene) -> str:
    """Streams that begin with 200 and then say `server_is_overloaded` open it."""
    event = {"fault": "error_event", "after": 3, "error": "server_is_overloaded"}
    failures = await scene.fails_until_refused(event, stream=True)
    if failures is None:
        raise No(f"after {2 * scene.terms.threshold} of them the next request reached the provider")
    return f"open after {failures} streams that said so"


@question(11, "refused connections do trip", Setup.BREAKER)
async def refused_connections_trip(scene: Scene) -> str:
    """The provider's port is closed, then it answers again: the next request is not let through."""
    await trio.to_thread.run_sync(scene.provider.stop)
    try:
        answers = [await scene.ask() for _ in range(2 * scene.terms.threshold)]
        reached, last = await _provider_is_reached(scene)
    finally:
        await scene.provider.start()
    failures = f"{len(answers)} refused connections (answered with {answers[0]})"
    if reached:
        raise No(f"after {failures} the next request went to the provider")
    return f"after {failures} not let through: {last}"


async def _provider_is_reached(scene: Scene) -> tuple[bool, Answer]:
    """Listen where the provider was, which is quicker than its start; tell whether anything is posted there."""
    spoken = False

    async def hear(stream: trio.SocketStream) -> None:
        nonlocal spoken
        spoken = (await stream.receive_some(_READ)).startswith(b"POST") or spoken
        await stream.aclose()

    [listener] = await trio.open_tcp_listeners(scene.provider.port, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, hear, [listener]))
        answer = await scene.ask()
        nursery.cancel_scope.cancel()
    return spoken, answer


@question(12, "upstream 429 + Retry-After 30 answered in < 50 ms with it", Setup.TOLD)
async def told_by_the_provider(scene: Scene) -> str:
    """One 429 says 30 s: the gateway answers the next five by itself, at once, with what is left of that time."""
    terms = scene.terms
    await scene.provider.script({"status": 429, "headers": {"retry-after": str(terms.told)}})
    await scene.ask()
    asked = [await scene.reached() for _ in range(5)]
    if through := sum(reached for reached, _ in asked):
        raise No(f"{through} of 5 requests after it reached the provider")
    answers = [answer for _, answer in asked]
    took, wait = median(each.seconds for each in answers), told(answers[-1])
    said = "no time to come back" if wait is None else f"come back in {wait:g} s"
    evidence = f"{answers[0].status} in {milliseconds(took)}, {said}"
    # What has passed meanwhile is less; and jitter lengthens some waits a little.
    if wait is None or not terms.told * 0.8 <= wait <= terms.told * 1.3 or took >= terms.at_once:
        raise No(evidence)
    return evidence


@question(17, "served again by the first probe after the provider's return", Setup.BREAKER)
async def served_again(scene: Scene) -> str:
    """The provider is back while it is open: the first request let through after the cooldown is served."""
    await scene.opened()
    await scene.provider.forget()
    began = trio.current_time()
    while trio.current_time() < began + _grace(scene.terms) + scene.terms.cooldown:
        reached, answer = await scene.reached()
        took = f"{trio.current_time() - began:.1f} s after the provider's return"
        if reached and answer.status == _OK:
            return f"served by the first request let through, {took}"
        if reached or answer.status == _OK:
            raise No(f"the first request let through was answered with {answer}, {took}")
        await trio.sleep(_TICK)
    raise No(f"no request let through, {took}; the cooldown is {scene.terms.cooldown:g} s")


@question(20, "breaker state and rejects in metrics", Setup.BREAKER)
async def metrics_tell(scene: Scene) -> str:
    """When it opens a metric of its state changes, and each request that it refuses is counted."""
    await scene.ask()
    state_before, _ = await scene.samples()
    await scene.opened()
    _, count_before = await scene.samples()
    for _ in range(5):
        await scene.ask()
    state_after, count_after = await scene.samples()
    changed = [name for name, value in state_after.items() if state_before.get(name, 0) != value]
    if not changed:
        raise No("no metric of its state has changed")
    if count_after - count_before < 5:  # noqa: PLR2004 - that many were asked
        raise No(f"{changed[0]} tells; of 5 refusals {count_after - count_before:g} were counted")
    name = changed[0].partition("{")[0]
    return f"{name} {state_before.get(changed[0], 0):g} → {state_after[changed[0]]:g}, 5 refusals counted"
