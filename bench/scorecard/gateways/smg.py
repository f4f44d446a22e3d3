"""SMG, before one worker that speaks OpenAI: its admission queue, its breaker per worker, no retries."""

from __future__ import annotations

from bench.peers import Launch, Place, smg
from bench.scorecard.gateways import Gateway
from bench.scorecard.scene import Metrics
from bench.scorecard.terms import Setup, Terms


def gateway() -> Gateway | None:
    """Return SMG, if it is installed."""
    peer = smg.peer()
    if peer is None:
        return None
    program = peer.executable

    def launch(place: Place, setup: Setup, terms: Terms) -> Launch:
        argv = (
            *(program, "launch", "--host", "127.0.0.1", "--port", str(place.port), "--backend", "openai"),
            *("--worker-urls", f"http://127.0.0.1:{place.provider}"),
            *("--prometheus-host", "127.0.0.1", "--prometheus-port", str(place.admin)),
            *("--disable-retries", "--disable-health-check", "--shutdown-grace-period-secs", "30"),
            *_options(setup, terms),
        )
        return Launch(argv)

    return Gateway(
        peer=peer,
        launch=launch,
        metrics=_metrics,
        lacks={5: "limit per caller before an HTTP provider (its tenant limits are for gRPC workers)"},
    )


def _options(setup: Setup, terms: Terms) -> tuple[str, ...]:
    breaker = (
        *("--cb-timeout-duration-secs", f"{max(1, round(terms.cooldown))}"),
        *("--cb-success-threshold", str(terms.probes)),
    )
    match setup:
        case Setup.FULL:
            return ("--max-concurrent-requests", str(terms.limit), "--queue-size", "0")
        case Setup.BREAKER:
            return (*breaker, "--cb-failure-threshold", str(terms.threshold))
        case Setup.TOLD:
            return (*breaker, "--cb-failure-threshold", "1")
        case Setup.FAIR:
            return ("--max-concurrent-requests", str(terms.slots), "--queue-size", "1000")
    return ()


def _metrics(place: Place) -> Metrics:
    return Metrics(
        place.admin,
        "/metrics",
        state=r"smg_worker_cb_state\b",
        # What it has answered by itself, because no worker was to be had.
        rejects=r'smg_http_responses_total\{.*error_code="(no_available_workers|service_unavailable)"',
    )
