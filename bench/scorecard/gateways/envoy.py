"""Envoy: circuit breakers, outlier detection, local rate limits; `Retry-After` by its own replies' mapper."""

from __future__ import annotations

import json
import math

from bench.compare.peers import Launch, Place, envoy
from bench.scorecard.gateways import CENTRAL_KEY, Gateway
from bench.scorecard.scene import Metrics
from bench.scorecard.terms import Setup, Terms

_V3 = "type.googleapis.com/envoy.extensions"
# Connections buffer little, so that a reader who stalls is soon felt; then so long until its stream is idle.
_BUFFER = 32 * 1024
_IDLE = "60s"


def gateway() -> Gateway | None:
    """Return Envoy, if it is installed."""
    peer = envoy.peer()
    if peer is None:
        return None
    program = peer.executable

    def launch(place: Place, setup: Setup, terms: Terms) -> Launch:
        config = str(place.folder / "envoy.json")
        argv = (program, "-c", config, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error")
        return Launch(argv, files={"envoy.json": json.dumps(_config(place, setup, terms), indent=1)})

    return Gateway(peer=peer, launch=launch, metrics=_metrics)


def _metrics(place: Place) -> Metrics:
    return Metrics(
        place.admin,
        "/stats/prometheus",
        state=r"envoy_cluster_outlier_detection_ejections_active\b",
        rejects=r"envoy_cluster_upstream_cx_none_healthy\b",
    )


def _address(port: int) -> object:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _config(place: Place, setup: Setup, terms: Terms) -> object:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "provider", "timeout": "0s"}}
    caller = {"request_headers": {"header_name": "authorization", "descriptor_key": "caller"}}
    limited: dict[str, object] = {"rate_limits": [{"actions": [caller]}]}
    if setup is Setup.GOODPUT:
        key = {"header": {"key": "authorization", "value": f"Bearer {CENTRAL_KEY}"}}
        limited = {"request_headers_to_add": [{**key, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]}
    host = {"name": "all", "domains": ["*"], "routes": [route], **limited}
    # UO: its circuit breaker is full; UH: its outlier detection has ejected the only host.
    waits = {"UO": 1, "UH": math.ceil(terms.cooldown)}
    router = {"name": "router", "typed_config": {"@type": f"{_V3}.filters.http.router.v3.Router"}}
    manager = {
        "@type": f"{_V3}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "callers",
        "codec_type": "HTTP1",
        "stream_idle_timeout": _IDLE,
        "http_filters": [*_rate_limit(setup, terms), *_adaptive(setup), router],
        "route_config": {"virtual_hosts": [host]},
        "local_reply_config": {"mappers": [_says(flag, wait) for flag, wait in waits.items()]},
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {
        "name": "callers",
        "address": _address(place.port),
        "per_connection_buffer_limit_bytes": _BUFFER,
        "filter_chains": [{"filters": filters}],
    }
    admin = {"address": _address(place.admin)}
    return {
        "admin": admin,
        "static_resources": {"listeners": [listener], "clusters": [_cluster(place, setup, terms)]},
    }


def _says(flag: str, seconds: int) -> object:
    return {
        "filter": {"response_flag_filter": {"flags": [flag]}},
        "headers_to_add": [{"header": {"key": "retry-after", "value": str(seconds)}}],
    }


def _rate_limit(setup: Setup, terms: Terms) -> list[object]:
    """Return the filter with a bucket per caller, by a descriptor whose value is left open."""
    rate = {Setup.CALLERS: terms.rate, Setup.FAIR: terms.share}.get(setup)
    if rate is None:
        return []
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    bucket = {"max_tokens": rate, "tokens_per_fill": rate, "fill_interval": "1s"}
    plenty = {"max_tokens": 100_000, "tokens_per_fill": 100_000, "fill_interval": "1s"}
    config = {
        "@type": f"{_V3}.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "callers",
        "filter_enabled": always,
        "filter_enforced": always,
        "token_bucket": plenty,
        "descriptors": [{"entries": [{"key": "caller"}], "token_bucket": bucket}],
        "max_dynamic_descriptors": 1000,
        "response_headers_to_add": [{"header": {"key": "retry-after", "value": "1"}}],
    }
    return [{"name": "envoy.filters.http.local_ratelimit", "typed_config": config}]


def _adaptive(setup: Setup) -> list[object]:
    """Return admission control and adaptive concurrency, as Envoy's documents configure them.

    https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/admission_control_filter and
    …/adaptive_concurrency_filter. Both learn within seconds here: the incidents last seconds, not minutes.
    """
    if setup is not Setup.GOODPUT:
        return []
    admission = {
        "@type": f"{_V3}.filters.http.admission_control.v3.AdmissionControl",
        "enabled": {"default_value": True, "runtime_key": "admission_control.enabled"},
        "sampling_window": "10s",
        "sr_threshold": {"default_value": {"value": 95}, "runtime_key": "admission_control.sr_threshold"},
        "aggression": {"default_value": 1.5, "runtime_key": "admission_control.aggression"},
        "success_criteria": {"http_criteria": {"http_success_status": [{"start": 100, "end": 400}]}},
    }
    gradient = {
        "sample_aggregate_percentile": {"value": 90},
        "concurrency_limit_params": {"concurrency_update_interval": "0.1s"},
        "min_rtt_calc_params": {"jitter": {"value": 10}, "interval": "60s", "request_count": 10},
    }
    concurrency = {
        "@type": f"{_V3}.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency",
        "gradient_controller_config": gradient,
        "enabled": {"default_value": True, "runtime_key": "adaptive_concurrency.enabled"},
    }
    return [
        {"name": "envoy.filters.http.admission_control", "typed_config": admission},
        {"name": "envoy.filters.http.adaptive_concurrency", "typed_config": concurrency},
    ]


def _cluster(place: Place, setup: Setup, terms: Terms) -> object:
    most = {Setup.FULL: terms.limit, Setup.FAIR: terms.slots}.get(setup, 100_000)
    limits = {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": most}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(place.provider)}}]}]
    options: dict[str, object] = {
        "@type": f"{_V3}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
    }
    cluster: dict[str, object] = {
        "name": "provider",
        "type": "STATIC",
        "connect_timeout": "10s",
        "per_connection_buffer_limit_bytes": _BUFFER,
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": "provider", "endpoints": endpoints},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    }
    if setup in (Setup.BREAKER, Setup.TOLD):
        failures = 1 if setup is Setup.TOLD else terms.threshold
        cluster["outlier_detection"] = {
            "consecutive_5xx": failures,
            "consecutive_gateway_failure": failures,
            "enforcing_consecutive_gateway_failure": 100,
            "interval": "0.1s",
            "base_ejection_time": f"{terms.cooldown:g}s",
            "max_ejection_percent": 100,
        }
        # Its only host may be ejected.
        cluster["common_lb_config"] = {"healthy_panic_threshold": {"value": 0}}
        # A 429 is no 5xx, and counts all the same.
        options["outlier_detection"] = {"error_matcher": {"or_match": {"rules": [_status("429"), _status("5")]}}}
    return cluster


def _status(prefix: str) -> object:
    status = {"name": ":status", "string_match": {"prefix": prefix}}
    return {"http_response_headers_match": {"headers": [status]}}
