"""AI Bridge: each protection by its flags."""

from __future__ import annotations

from dataclasses import replace

from bench.compare.cast import own
from bench.compare.peers import Launch, Place, aibridge, said
from bench.scorecard.gateways import CENTRAL_KEY, Gateway
from bench.scorecard.scene import Metrics
from bench.scorecard.terms import Setup, Terms


def gateway(executable: str | None = None, *, name: str = "aibridge", goodput: tuple[str, ...] = ()) -> Gateway:
    """Return the bridge, this checkout's unless another is named; `goodput` are its flags for that setup."""
    program = executable or own()
    known = said(program, "serve", "--help")

    def launch(place: Place, setup: Setup, terms: Terms) -> Launch:
        options = goodput if setup is Setup.GOODPUT else _options(setup, terms, known)
        launched = aibridge.peer(program, options=options).launch(program, place)
        central = {"OPENAI_API_KEY": CENTRAL_KEY} if setup is Setup.GOODPUT else {}
        return replace(launched, environment={**launched.environment, **central})

    return Gateway(peer=aibridge.peer(program, name), launch=launch, metrics=_metrics)


def _options(setup: Setup, terms: Terms, known: str) -> tuple[str, ...]:
    breaker = (
        "--circuit-breaker",
        *("--circuit-breaker-cooldown", f"{terms.cooldown:g}s"),
        *("--circuit-breaker-half-open-max-requests", str(terms.probes)),
    )
    match setup:
        case Setup.FULL:
            return ("--max-concurrency", str(terms.limit))
        case Setup.CALLERS:
            return ("--rate-limit", str(terms.rate))
        case Setup.BREAKER:
            return (*breaker, "--circuit-breaker-failure-threshold", str(terms.threshold))
        case Setup.TOLD:
            return (*breaker, "--circuit-breaker-failure-threshold", "1")
        case Setup.FAIR:
            return ("--max-concurrency", str(terms.slots), *_share(terms, known))
    return ()


def _share(terms: Terms, known: str) -> tuple[str, ...]:
    """Return what keeps the greedy from taking all: its own limit, in a version that has one, else its rate."""
    queue = ("--queue-size", str(terms.greed + terms.polite)) if "--queue-size" in known else ()
    if "--max-concurrency-per-caller" in known:
        return (*queue, "--max-concurrency-per-caller", str(terms.share))
    return queue or ("--rate-limit", str(terms.share))


def _metrics(place: Place) -> Metrics:
    return Metrics(
        place.admin,
        "/metrics",
        state=r"aibridge_circuit_breaker_state\b",
        rejects=r"aibridge_circuit_breaker_rejects_total\b",
    )
