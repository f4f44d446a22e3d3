"""SMG, before one worker that speaks OpenAI: its admission queue, its breaker per worker, no retries."""

from __future__ import annotations

import json

from bench.compare.peers import Launch, Place, smg
from bench.scorecard.caller import CALLERS, key
from bench.scorecard.gateways import Gateway
from bench.scorecard.scene import Metrics
from bench.scorecard.terms import Setup, Terms

_TENANTS = "tenants.yaml"


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
            *_options(place, setup, terms),
        )
        # JSON is YAML.
        return Launch(argv, files={_TENANTS: json.dumps(_tenants(terms))} if setup is Setup.CALLERS else {})

    return Gateway(peer=peer, launch=launch, metrics=_metrics)


def _tenants(terms: Terms) -> object:
    return {"default_policy": {"requests_per_minute": terms.rate, "tokens_per_minute": 1_000_000}}


def _options(place: Place, setup: Setup, terms: Terms) -> tuple[str, ...]:
    breaker = (
        *("--cb-timeout-duration-secs", f"{max(1, round(terms.cooldown))}"),
        *("--cb-success-threshold", str(terms.probes)),
    )
    match setup:
        case Setup.FULL:
            return ("--max-concurrent-requests", str(terms.limit), "--queue-size", "0")
        case Setup.CALLERS:
            # Each key is a tenant. That HTTP providers are left out, as is documented, is asked all the same.
            keys = [word for name in CALLERS for word in ("--tenant-api-key", f"{name}:{key(name)}")]
            limits = ("--tenant-rate-limit-enabled", "--tenant-rate-limit-config", str(place.folder / _TENANTS))
            return (*keys, *limits)
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
