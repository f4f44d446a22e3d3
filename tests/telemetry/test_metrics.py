"""Every series of /metrics: there from the start, moved by what it is named after, by nothing else."""

from __future__ import annotations

import math
import platform
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

from aibridge_trio import __version__
from aibridge_trio.events import HOLD_OUTCOMES, PUSHBACK_CAUSES
from aibridge_trio.http.message import Reply, Request
from tests.support.known_callers import DEV, KNOWN, LIMITED, bearer
from tests.support.network import Handler, Network, Running

JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream")]
CHAT = "/openai/v1/chat/completions"
MESSAGES = "/anthropic/v1/messages"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
BUCKETS = [*map(str, BOUNDS), "+Inf"]
LAG_BUCKETS = [*map(str, (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)), "+Inf"]
CALL_BUCKETS = [*map(str, (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)), "+Inf"]
ROUTES = {
    "openai": [
        "/chat/completions",
        "/responses",
        "/completions",
        "/responses/compact",
        "/models",
        "/models/*",
        "/embeddings",
        "/moderations",
        "/responses/input_tokens",
        "/images/generations",
        "/images/edits",
        "/images/variations",
        "/audio/speech",
        "/audio/transcriptions",
        "/audio/translations",
        "/deployments/*/chat/completions",
        "/deployments/*/completions",
        "/deployments/*/embeddings",
        "/chat/completions/*",
        "/responses/*",
        "/images/*",
        "/audio/*",
        "/conversations",
        "/conversations/*",
        "/files",
        "/files/*",
        "/batches",
        "/batches/*",
        "/uploads",
        "/uploads/*",
        "/vector_stores",
        "/vector_stores/*",
    ],
    "anthropic": [
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/models",
        "/v1/models/*",
        "/api/event_logging/*",
        "/v1/messages/batches",
        "/v1/messages/batches/*",
        "/v1/files",
        "/v1/files/*",
        "/v1/skills",
        "/v1/skills/*",
    ],
    "copilot": [
        "/chat/completions",
        "/responses",
        "/v1/messages",
        "/embeddings",
        "/models",
        "/models/*",
        "/agents/*",
        "/mcp/*",
        "/.well-known/*",
    ],
}
REASONS = [
    "unknown_caller",
    "model_not_allowed",
    "capacity",
    "caller_capacity",
    "provider_capacity",
    "store_unavailable",
    "queue_full",
    "queue_timeout",
    "queue_deadline",
    "rate_limit",
    "circuit_open",
    "hold_timeout",
    "line_full",
    "cannot_hold",
    "credential_cooldown",
    "keys_resting",
    "buffer_full",
    "body_too_large",
    "forbidden_origin",
    "stored_reference",
    "not_found",
    "loop_detected",
    "method_not_allowed",
    "upgrade_refused",
    "bad_request",
    "upstream_unreachable",
    "upstream_timeout",
    "shutting_down",
    "internal_error",
    "token_limit",
    "budget_exhausted",
]
WOULD = [
    "capacity",
    "caller_capacity",
    "provider_capacity",
    "rate_limit",
    "circuit_open",
    "credential_cooldown",
    "hold_timeout",
]
PASSED_OVER = (
    *("circuit_open", "credential_cooldown", "keys_resting", "provider_capacity", "rate_limit", "token_limit"),
    *("line_full", "cannot_hold", "held", "refused", "429", "503", "529", "overload"),
)
# name → type, labels
LEARNED = ("bound", "window", "outage", "held", "held_callers", "resend_budget")
FAMILIES = {
    "aibridge_circuit_breaker_ramp_share": ("gauge", ["provider"]),
    "aibridge_circuit_breaker_scope_state": ("gauge", ["provider", "scope"]),
    "aibridge_circuit_breaker_scope_trips_total": ("counter", ["provider", "scope"]),
    "aibridge_circuit_breaker_scope_rejects_total": ("counter", ["provider", "scope"]),
    "aibridge_credentials_resting": ("gauge", ["provider"]),
    "aibridge_credential_cooldowns_total": ("counter", ["provider"]),
    "aibridge_keys": ("gauge", ["provider", "state"]),
    "aibridge_key_rests_total": ("counter", ["provider"]),
    **{f"aibridge_adaptive_{name}": ("gauge", ["provider"]) for name in LEARNED},
    "aibridge_adaptive_pace": ("gauge", ["provider", "quota"]),
    "aibridge_adaptive_pushbacks_total": ("counter", ["provider"]),
    "aibridge_adaptive_unfunded_total": ("counter", ["provider"]),
    "aibridge_adaptive_sent_again_total": ("counter", ["provider", "cause"]),
    "aibridge_adaptive_hold_seconds": ("histogram", ["provider", "outcome"]),
    "aibridge_would_reject_total": ("counter", ["reason"]),
    "aibridge_max_concurrency_per_caller": ("gauge", []),
    "aibridge_max_concurrency_per_provider": ("gauge", []),
    "aibridge_queue_size": ("gauge", []),
    "aibridge_queue_waiting": ("gauge", []),
    "aibridge_queue_wait_seconds": ("histogram", ["outcome"]),
    "aibridge_circuit_breaker_state": ("gauge", ["provider"]),
    "aibridge_circuit_breaker_trips_total": ("counter", ["provider"]),
    "aibridge_circuit_breaker_rejects_total": ("counter", ["provider"]),
    "aibridge_rejects_total": ("counter", ["reason"]),
    "aibridge_provider_rejects_total": ("counter", ["provider", "class", "reason"]),
    "aibridge_provider_requests_in_flight": ("gauge", ["provider"]),
    "aibridge_oldest_unanswered_seconds": ("gauge", ["provider"]),
    "aibridge_longest_silence_seconds": ("gauge", ["provider"]),
    "aibridge_circuit_breaker_forced": ("gauge", ["provider", "mode"]),
    "aibridge_quota_remaining": ("gauge", ["provider", "kind"]),
    "aibridge_quota_limit": ("gauge", ["provider", "kind"]),
    "aibridge_credit_exhausted_total": ("counter", ["provider"]),
    "aibridge_key_faults_total": ("counter", ["provider", "fault"]),
    "aibridge_sent_again_total": ("counter", ["provider", "cause"]),
    "aibridge_budget_tokens": ("gauge", ["class", "per"]),
    "aibridge_budget_spent_tokens": ("gauge", ["class", "per"]),
    "aibridge_budget_callers": ("gauge", ["class", "state"]),
    "aibridge_draining": ("gauge", []),
    "aibridge_config_hash": ("gauge", []),
    "aibridge_certificate_expires_timestamp_seconds": ("gauge", ["listener"]),
    "aibridge_loop_lag_seconds": ("histogram", []),
    "process_cpu_seconds_total": ("counter", []),
    "process_virtual_memory_bytes": ("gauge", []),
    "process_resident_memory_bytes": ("gauge", []),
    "process_open_fds": ("gauge", []),
    "process_max_fds": ("gauge", []),
    "process_start_time_seconds": ("gauge", []),
    "aibridge_requests_total": ("counter", ["provider", "route", "status"]),
    "aibridge_requests_in_flight": ("gauge", []),
    "aibridge_max_concurrency": ("gauge", []),
    "aibridge_request_duration_seconds": ("histogram", ["provider", "route"]),
    "aibridge_time_to_first_byte_seconds": ("histogram", ["provider", "route"]),
    "aibridge_caller_duration_seconds": ("histogram", ["provider", "route"]),
    "aibridge_upstream_responses_total": ("counter", ["provider", "status"]),
    "aibridge_upstream_errors_total": ("counter", ["provider", "phase"]),
    "aibridge_verdicts_total": ("counter", ["provider", "verdict"]),
    "aibridge_route_passed_over_total": ("counter", ["provider", "cause"]),
    "aibridge_tokens_total": ("counter", ["provider", "type"]),
    "aibridge_class_requests_total": ("counter", ["class", "status"]),
    "aibridge_class_tokens_total": ("counter", ["class", "type"]),
    "aibridge_rate_limit_evictions_total": ("counter", []),
    "aibridge_usage_limit": ("gauge", ["scope", "owner", "unit"]),
    "aibridge_store_degraded": ("gauge", []),
    "aibridge_store_replicas": ("gauge", []),
    "aibridge_store_failures_total": ("counter", []),
    "aibridge_store_call_seconds": ("histogram", []),
    "aibridge_usage_counted": ("gauge", ["scope", "owner", "unit"]),
    "aibridge_log_lines_dropped_total": ("counter", []),
    "aibridge_bugs_total": ("counter", []),
    "aibridge_otel_spans_total": ("counter", ["outcome"]),
    "aibridge_reloads_total": ("counter", ["outcome"]),
    "aibridge_connections": ("gauge", ["listener"]),
    "aibridge_connections_refused_total": ("counter", ["listener", "cause"]),
    "aibridge_admin_refused_total": ("counter", ["cause"]),
    "aibridge_build_info": ("gauge", ["version", "python"]),
}
# What moves by itself, or with each reject, or because a client connects.
OF_THEMSELVES = (
    *("aibridge_connections", "aibridge_provider_rejects_total"),
    *("aibridge_oldest_unanswered_seconds", "aibridge_longest_silence_seconds"),
)
Series = tuple[str, tuple[str, ...]]


def series(name: str, *labels: str) -> Series:
    """Name a series: without the prefix, with the values of its labels in the order of FAMILIES."""
    return (f"aibridge_{name}", labels)


async def scraped(bridge: Running) -> dict[Series, float]:
    """Return every sample of /metrics, by its series."""
    answer = await bridge.admin.get("/metrics")
    samples: dict[Series, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            base = sample.name
            for ending in ("_bucket", "_count", "_sum"):
                base = base.removesuffix(ending)
            names = FAMILIES[base][1]
            assert set(sample.labels) - {"le"} == set(names)
            labels = [sample.labels[name] for name in names]
            key = (sample.name, (*labels, *([sample.labels["le"]] if "le" in sample.labels else [])))
            assert key not in samples
            samples[key] = sample.value
    return samples


def moved(before: dict[Series, float], after: dict[Series, float]) -> dict[Series, float]:
    """Return what changed and by how much; of a histogram only its count."""
    return {
        key: after[key] - before.get(key, 0)
        for key in after
        if after[key] != before.get(key, 0)
        and not key[0].endswith(("_bucket", "_sum"))
        and key[0] not in OF_THEMSELVES
        and not key[0].startswith("process_")
    }


def saying(status: int, headers: list[tuple[bytes, bytes]], *pieces: bytes, pause: float = 0) -> Handler:
    """Answer with these pieces, that pause before each."""

    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.start(status, headers)
        for piece in pieces:
            await trio.sleep(pause)
            await reply.send(piece)
        await reply.end()

    return handler


async def endless(_: Request, reply: Reply) -> None:
    """Stream for ever."""
    await reply.start(200, SSE)
    while True:
        await reply.send(b'data: {"choices":[]}\n\n')
        await trio.sleep(1)


async def hang_up(stream: trio.abc.Stream) -> None:
    """Read a request and close."""
    await stream.receive_some()
    await stream.aclose()


# The exposition


async def test_the_exposition_is_what_scrapers_read(autojump_clock: MockClock, network: Network) -> None:
    """Prometheus' text format by its content type; each family once, with its type and help."""
    async with network.bridge() as bridge:
        answer = await bridge.admin.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    types = dict(line.split(" ")[2:4] for line in lines if line.startswith("# TYPE "))
    assert types == {name: kind for name, (kind, _) in FAMILIES.items()}
    helps = {line.split(" ", 3)[2]: line.split(" ", 3)[3] for line in lines if line.startswith("# HELP ")}
    assert helps.keys() == FAMILIES.keys()
    assert all(text.endswith(".") for text in helps.values())
    assert "_created" not in answer.text
    assert answer.text.endswith("\n")


async def test_every_child_is_there_from_the_start_at_0(autojump_clock: MockClock, network: Network) -> None:
    """A rate sees the first event of each provider, route, reason, phase, verdict and type."""
    providers = list(ROUTES)
    pairs = [(provider, route) for provider, routes in ROUTES.items() for route in routes]
    expected = {
        series("requests_in_flight"),
        series("max_concurrency"),
        series("max_concurrency_per_caller"),
        series("max_concurrency_per_provider"),
        series("queue_size"),
        series("queue_waiting"),
        series("rate_limit_evictions_total"),
        series("log_lines_dropped_total"),
        series("bugs_total"),
        *(series("otel_spans_total", outcome) for outcome in ("exported", "failed", "dropped")),
        *(
            series(f"store_{name}")
            for name in ("degraded", "failures_total", "call_seconds_sum", "call_seconds_count")
        ),
        *(series("store_call_seconds_bucket", bound) for bound in CALL_BUCKETS),
        *(series("connections", listener) for listener in ("callers", "admin")),
        *(
            series("connections_refused_total", listener, cause)
            for listener in ("callers", "admin")
            for cause in ("limit", "address", "descriptors")
        ),
        *(series("reloads_total", outcome) for outcome in ("applied", "rejected")),
        *(series("admin_refused_total", cause) for cause in ("host", "origin", "token")),
        *(series("rejects_total", reason) for reason in REASONS),
        *(series("would_reject_total", reason) for reason in WOULD),
        *(
            series("provider_rejects_total", provider, "none", reason)
            for provider in (*providers, "none")
            for reason in REASONS
        ),
        series("draining"),
        *(series(f"loop_lag_seconds_{part}") for part in ("count", "sum")),
        *(series("loop_lag_seconds_bucket", bound) for bound in LAG_BUCKETS),
    }
    for provider in providers:
        expected |= {series(f"circuit_breaker_{what}", provider) for what in ("state", "trips_total")}
        expected.add(series("circuit_breaker_rejects_total", provider))
        expected |= {series("circuit_breaker_forced", provider, mode) for mode in ("open", "close")}
        expected |= {series("sent_again_total", provider, cause) for cause in PUSHBACK_CAUSES}
        expected |= {
            series(name, provider)
            for name in (
                *("provider_requests_in_flight", "oldest_unanswered_seconds", "longest_silence_seconds"),
                "credit_exhausted_total",
            )
        }
        expected |= {series("upstream_errors_total", provider, phase) for phase in ("connect", "head", "stream")}
        expected |= {series("verdicts_total", provider, said) for said in ("success", "failure", "neutral")}
        expected |= {series("route_passed_over_total", provider, cause) for cause in PASSED_OVER}
        expected |= {
            series("tokens_total", provider, kind) for kind in ("input", "output", "cache_read", "cache_write")
        }
    for outcome in ("served", "timed_out", "pushed_out", "left"):
        expected |= {series(f"queue_wait_seconds_{part}", outcome) for part in ("count", "sum")}
        expected |= {series("queue_wait_seconds_bucket", outcome, bound) for bound in BUCKETS}
    for provider, route in pairs:
        for histogram in ("request_duration_seconds", "time_to_first_byte_seconds", "caller_duration_seconds"):
            expected |= {series(f"{histogram}_{part}", provider, route) for part in ("count", "sum")}
            expected |= {series(f"{histogram}_bucket", provider, route, bound) for bound in BUCKETS}
    async with network.bridge() as bridge:
        samples = await scraped(bridge)
    build = series("build_info", __version__, platform.python_version())
    assert samples.pop(build) == 1
    assert samples.pop(series("store_replicas")) == 1
    assert samples.pop(series("config_hash")) > 0
    of_kernel = {key[0] for key in samples if key[0].startswith("process_")}
    assert of_kernel == {name for name in FAMILIES if name.startswith("process_")}
    samples = {key: value for key, value in samples.items() if key[0] not in of_kernel}
    assert [samples.pop(series("circuit_breaker_ramp_share", provider)) for provider in providers] == [1, 1, 1]
    assert {value for key, value in samples.items() if key != series("connections", "admin")} == {0}
    by_status = ("aibridge_requests_total", "aibridge_upstream_responses_total")
    assert {key for key in samples if key[0] not in by_status} == expected
    likely = {"200", "400", "401", "403", "404", "429", "500", "502", "503", "504", "529"}
    for provider in providers:
        assert {key[1][1] for key in samples if key[0] == by_status[1] and key[1][0] == provider} >= likely
    ours = likely | {"405", "413", "426", "499"}
    for provider, route in [*pairs, *((provider, "other") for provider in (*providers, "none"))]:
        children = {key[1][2] for key in samples if key[0] == by_status[0] and key[1][:2] == (provider, route)}
        assert children >= ours
    assert {key[1][0] for key in samples if key[0] == by_status[0]} == {*providers, "none"}


async def test_two_bridges_share_no_series(autojump_clock: MockClock, network: Network) -> None:
    """The registry is the bridge's own: neither another bridge nor the interpreter is in it."""
    async with network.bridge() as bridge:
        await bridge.client.get("/")
    async with network.bridge() as bridge:
        assert await bridge.metric("requests_total", provider="none", route="other", status="200") == 0


# What moves which


@pytest.mark.parametrize(
    ("path", "host", "route"),
    [
        (CHAT, "openai", "/chat/completions"),
        ("/openai/v1/responses", "openai", "/responses"),
        (MESSAGES, "anthropic", "/v1/messages"),
        ("/copilot/chat/completions", "copilot", "/chat/completions"),
    ],
)
async def test_an_intercepted_answer_moves_these(
    autojump_clock: MockClock, network: Network, path: str, host: str, route: str
) -> None:
    """One request, one answer, one verdict, its tokens, both histograms; nothing else."""
    body = b'{"usage":{"input_tokens":9,"output_tokens":4,"cache_read_input_tokens":2}}'
    await network.answer(host, saying(200, JSON, body))
    async with network.bridge() as bridge:
        before = await scraped(bridge)
        await bridge.client.post(path, content=b"{}")
        assert moved(before, await scraped(bridge)) == {
            series("requests_total", host, route, "200"): 1,
            series("request_duration_seconds_count", host, route): 1,
            series("caller_duration_seconds_count", host, route): 1,
            series("time_to_first_byte_seconds_count", host, route): 1,
            series("upstream_responses_total", host, "200"): 1,
            series("verdicts_total", host, "success"): 1,
            series("tokens_total", host, "input"): 9,
            series("tokens_total", host, "output"): 4,
            series("tokens_total", host, "cache_read"): 2,
        }


async def test_a_passed_through_answer_moves_no_verdict_and_no_tokens(
    autojump_clock: MockClock, network: Network
) -> None:
    """It never votes, and is not read."""
    await network.answer("openai", saying(404, JSON, b'{"usage":{"input_tokens":9}}'))
    async with network.bridge() as bridge:
        before = await scraped(bridge)
        await bridge.client.get("/openai/v1/models/a-model-of-mine")
        assert moved(before, await scraped(bridge)) == {
            series("requests_total", "openai", "/models/*", "404"): 1,
            series("request_duration_seconds_count", "openai", "/models/*"): 1,
            series("caller_duration_seconds_count", "openai", "/models/*"): 1,
            series("time_to_first_byte_seconds_count", "openai", "/models/*"): 1,
            series("upstream_responses_total", "openai", "404"): 1,
        }


async def test_rejects_are_counted_by_provider_and_class(autojump_clock: MockClock, network: Network) -> None:
    """Of known callers; the class of others, and of callers without one, is `none`."""
    async with network.bridge(known_callers=KNOWN) as bridge:

        async def rejects(provider: str, class_name: str, reason: str) -> float:
            return await bridge.metric(
                "provider_rejects_total", **{"provider": provider, "class": class_name, "reason": reason}
            )

        for class_name in ("people", "machines", "none"):
            for reason in REASONS:
                assert await rejects("copilot", class_name, reason) == 0
        await bridge.client.post(CHAT, headers=bearer(DEV))
        assert await rejects("openai", "people", "upstream_unreachable") == 1
        await bridge.client.post(CHAT, headers=bearer(LIMITED), content=b'{"model":"gpt-5"}')
        assert await rejects("openai", "none", "upstream_unreachable") == 1
        await bridge.client.post(CHAT)
        assert await rejects("none", "none", "unknown_caller") == 1
        assert await bridge.metric("rejects_total", reason="upstream_unreachable") == 2


async def test_the_histograms_tell_the_first_body_byte_and_the_whole(
    autojump_clock: MockClock, network: Network
) -> None:
    """The head is no body byte; a duration lies in the buckets from its own upwards."""
    await network.answer("openai", saying(200, SSE, b"data: {}\n\n", b"data: {}\n\n", pause=2.0))
    async with network.bridge() as bridge:
        await bridge.client.post(CHAT)
        samples = await scraped(bridge)
    for name, seconds in (("time_to_first_byte_seconds", 2.0), ("request_duration_seconds", 4.0)):
        assert samples[series(f"{name}_sum", "openai", "/chat/completions")] == pytest.approx(seconds)
        for bound in BUCKETS:
            count = samples[series(f"{name}_bucket", "openai", "/chat/completions", bound)]
            assert count == (seconds <= float(bound))


async def test_an_answer_without_a_body_has_no_first_byte(autojump_clock: MockClock, network: Network) -> None:
    """What did not come is not timed."""
    await network.answer("openai", saying(204, []))
    async with network.bridge() as bridge:
        before = await scraped(bridge)
        await bridge.client.get("/openai/v1/models")
        changes = moved(before, await scraped(bridge))
    assert series("request_duration_seconds_count", "openai", "/models") in changes
    assert series("time_to_first_byte_seconds_count", "openai", "/models") not in changes


Act = Callable[[Network, Running], Awaitable[object]]


async def _rate(_: Network, bridge: Running) -> None:
    await bridge.client.get("/", headers={"authorization": "Bearer a"})
    await bridge.client.get("/openai/v1/models", headers={"authorization": "Bearer a"})


async def _forced(_: Network, bridge: Running) -> None:
    await bridge.admin.post("/breakers/anthropic", json={"mode": "open"})
    await bridge.client.post(MESSAGES)


async def _hung_up(network: Network, bridge: Running) -> None:
    network.raw("openai", hang_up)
    await bridge.client.post(CHAT)


async def _silent(network: Network, bridge: Running) -> None:
    network.blackholes.add("openai")
    await bridge.client.post(CHAT)


async def _headless(network: Network, bridge: Running) -> None:
    await network.answer("openai", lambda _request, _reply: trio.sleep_forever())
    await bridge.client.post(CHAT)


async def _broken(network: Network, bridge: Running) -> None:
    async def breaks(_: Request, reply: Reply) -> None:
        await reply.start(200, [(b"content-length", b"9")])

    await network.answer("openai", breaks)
    with pytest.raises(Exception, match="peer closed"):
        await bridge.client.post(CHAT)


async def _draining(_: Network, bridge: Running) -> None:
    bridge.bridge.lifecycle.phase = "stopping"
    await bridge.client.post(CHAT)


def fault(phase: str, status: int, reason: str, *, reached: bool) -> dict[Series, float]:
    """Return what a request moves whose provider did not answer."""
    moves: dict[Series, float] = {
        series("requests_total", "openai", "/chat/completions", str(status)): 1,
        series("rejects_total", reason): 1,
        series("upstream_errors_total", "openai", phase): 1,
        series("verdicts_total", "openai", "failure"): 1,
    }
    if reached:
        moves[series("request_duration_seconds_count", "openai", "/chat/completions")] = 1
        moves[series("caller_duration_seconds_count", "openai", "/chat/completions")] = 1
    return moves


@pytest.mark.parametrize(
    ("act", "moves"),
    [
        (
            lambda _, bridge: bridge.client.get("/nowhere"),
            {series("requests_total", "none", "other", "404"): 1, series("rejects_total", "not_found"): 1},
        ),
        (
            lambda _, bridge: bridge.client.head("/"),
            {series("requests_total", "none", "other", "200"): 1},
        ),
        (
            lambda _, bridge: bridge.client.get("/anthropic"),
            {series("requests_total", "anthropic", "other", "200"): 1},
        ),
        (
            lambda _, bridge: bridge.client.request("TRACE", CHAT),
            {
                series("requests_total", "none", "other", "405"): 1,
                series("rejects_total", "method_not_allowed"): 1,
            },
        ),
        (
            lambda _, bridge: bridge.client.get("/", headers={"upgrade": "websocket", "connection": "upgrade"}),
            {series("requests_total", "none", "other", "426"): 1, series("rejects_total", "upgrade_refused"): 1},
        ),
        (
            lambda _, bridge: bridge.client.get("/a//b"),
            {series("requests_total", "none", "other", "400"): 1, series("rejects_total", "bad_request"): 1},
        ),
        (
            lambda _, bridge: bridge.client.post(CHAT, content=b"x" * 101),
            {
                series("requests_total", "openai", "/chat/completions", "413"): 1,
                series("rejects_total", "body_too_large"): 1,
                series("verdicts_total", "openai", "neutral"): 1,
            },
        ),
        (
            _rate,
            {
                series("requests_total", "none", "other", "200"): 1,
                series("requests_total", "none", "other", "429"): 1,
                series("rejects_total", "rate_limit"): 1,
            },
        ),
        (
            _forced,
            {
                series("requests_total", "anthropic", "/v1/messages", "503"): 1,
                series("rejects_total", "circuit_open"): 1,
                series("circuit_breaker_rejects_total", "anthropic"): 1,
                series("circuit_breaker_state", "anthropic"): 1,
                series("circuit_breaker_forced", "anthropic", "open"): 1,
            },
        ),
        (
            lambda _, bridge: bridge.client.post(CHAT),
            fault("connect", 502, "upstream_unreachable", reached=False),
        ),
        (_silent, fault("connect", 504, "upstream_timeout", reached=False)),
        (_hung_up, fault("head", 502, "upstream_unreachable", reached=True)),
        (_headless, fault("head", 504, "upstream_timeout", reached=True)),
        (
            _broken,
            {
                series("requests_total", "openai", "/chat/completions", "200"): 1,
                series("upstream_responses_total", "openai", "200"): 1,
                series("upstream_errors_total", "openai", "stream"): 1,
                series("verdicts_total", "openai", "failure"): 1,
                series("request_duration_seconds_count", "openai", "/chat/completions"): 1,
                series("caller_duration_seconds_count", "openai", "/chat/completions"): 1,
            },
        ),
        (
            _draining,
            {
                series("requests_total", "none", "other", "503"): 1,
                series("rejects_total", "shutting_down"): 1,
                series("draining"): 1,
            },
        ),
    ],
)
async def test_each_end_of_a_request_moves_its_own_series(
    autojump_clock: MockClock, network: Network, act: Act, moves: dict[Series, float]
) -> None:
    """Every reason and every fault: exactly these series by exactly one, and no other."""
    options = {"max_body": 100, "rate_limit": 1, "max_concurrency": 1, "circuit_breaker": True}
    async with network.bridge(**options, drain_delay=10.0, first_byte_timeout=5.0, connect_timeout=5.0) as bridge:
        before = await scraped(bridge)
        await act(network, bridge)
        changes = moved(before, await scraped(bridge))
    assert changes == moves


async def test_a_full_bridge_moves_these(autojump_clock: MockClock, network: Network) -> None:
    """A running stream has a slot and perhaps a verdict, and no end yet; a rejected request is a reject."""
    await network.answer("copilot", endless)
    async with network.bridge(max_concurrency=1) as bridge, trio.open_nursery() as nursery:
        before = await scraped(bridge)
        nursery.start_soon(bridge.client.post, "/copilot/responses")
        await trio.sleep(0.5)
        async with network.client("bridge") as another:
            await another.get("/")
        assert moved(before, await scraped(bridge)) == {
            series("requests_in_flight"): 1,
            series("provider_requests_in_flight", "copilot"): 1,
            series("requests_total", "none", "other", "503"): 1,
            series("rejects_total", "capacity"): 1,
            series("upstream_responses_total", "copilot", "200"): 1,
            series("time_to_first_byte_seconds_count", "copilot", "/responses"): 1,
            series("verdicts_total", "copilot", "success"): 1,
        }
        nursery.cancel_scope.cancel()


async def test_a_caller_that_left_without_a_head_is_a_499(autojump_clock: MockClock, network: Network) -> None:
    """The request is counted although its caller got no answer."""
    await network.answer("openai", lambda _request, _reply: trio.sleep_forever())
    async with network.bridge() as bridge:
        before = await scraped(bridge)
        with trio.move_on_after(1):
            await bridge.client.post(CHAT)
        await trio.sleep(1)
        assert moved(before, await scraped(bridge)) == {
            series("requests_total", "openai", "/chat/completions", "499"): 1,
            series("request_duration_seconds_count", "openai", "/chat/completions"): 1,
            series("caller_duration_seconds_count", "openai", "/chat/completions"): 1,
            series("verdicts_total", "openai", "neutral"): 1,
        }


async def test_the_breakers_series_follow_it(autojump_clock: MockClock, network: Network) -> None:
    """State, trips and rejects per provider; the gauge is true without traffic; overrides are no trips."""
    async with network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=2) as bridge:

        async def told() -> tuple[float, float, float]:
            samples = await scraped(bridge)
            parts = ("state", "trips_total", "rejects_total")
            assert all(samples[series(f"circuit_breaker_{part}", "anthropic")] == 0 for part in parts)
            state, trips, rejects = (samples[series(f"circuit_breaker_{part}", "openai")] for part in parts)
            return state, trips, rejects

        await bridge.client.post(CHAT)
        assert await told() == (0, 0, 0)
        await bridge.client.post(CHAT)
        assert await told() == (1, 1, 0)
        await bridge.client.post(CHAT)
        await bridge.client.get("/openai/v1/models")
        assert await told() == (1, 1, 2)
        await trio.sleep(30.1)
        assert await told() == (2, 1, 2)
        await bridge.client.post(CHAT)
        assert await told() == (1, 2, 2)
        await bridge.admin.post("/breakers/openai", json={"mode": "close"})
        assert await told() == (0, 2, 2)
        await bridge.admin.post("/breakers/openai", json={"mode": "open"})
        assert await told() == (1, 2, 2)


async def test_every_child_of_the_adaptive_limiters_is_there_from_the_start(
    autojump_clock: MockClock, network: Network
) -> None:
    """Where they are on: counters at 0, and infinity for a limit that is not there."""
    expected = dict.fromkeys(("bound", "window"), math.inf) | dict.fromkeys(
        ("outage", "held", "held_callers", "pushbacks_total", "unfunded_total"), 0.0
    )
    async with network.bridge(adaptive=True) as bridge:
        text = (await bridge.admin.get("/metrics")).text
        samples = await scraped(bridge)
    assert 'aibridge_adaptive_bound{provider="openai"} +Inf' in text
    for provider in ROUTES:
        for name, value in expected.items():
            assert samples[series(f"adaptive_{name}", provider)] == value
        assert samples[series("adaptive_resend_budget", provider)] == 30
        for quota in ("requests", "tokens"):
            assert samples[series("adaptive_pace", provider, quota)] == math.inf
        for cause in PUSHBACK_CAUSES:
            assert samples[series("adaptive_sent_again_total", provider, cause)] == 0
        for outcome in HOLD_OUTCOMES:
            assert samples[series("adaptive_hold_seconds_count", provider, outcome)] == 0


async def test_the_adaptive_series_follow_the_limiter(autojump_clock: MockClock, network: Network) -> None:
    """An outage, the held request and its end, and each time that it was sent again."""
    async with network.bridge(adaptive=True) as bridge:
        with trio.move_on_after(90):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(bridge.client.post, MESSAGES)
                await trio.sleep(60)
                samples = await scraped(bridge)
                await trio.sleep_forever()
        assert samples[series("adaptive_outage", "anthropic")] == 1
        assert samples[series("adaptive_held", "anthropic")] == 1
        assert samples[series("adaptive_held_callers", "anthropic")] == 1
        again = samples[series("adaptive_sent_again_total", "anthropic", "refused")]
        assert again > 10
        assert samples[series("adaptive_hold_seconds_count", "anthropic", "sent")] == again
        assert samples[series("adaptive_pushbacks_total", "anthropic")] == again + 1
        samples = await scraped(bridge)
        assert samples[series("adaptive_hold_seconds_count", "anthropic", "left")] == 1
        assert samples[series("adaptive_held", "anthropic")] == 0
        assert samples[series("adaptive_pushbacks_total", "openai")] == 0


async def test_the_limits_are_told(autojump_clock: MockClock, network: Network) -> None:
    """Total slots, slots in use, and callers removed to bound memory."""
    async with network.bridge(max_concurrency=7, rate_limit=5) as bridge:
        rate = bridge.bridge.admission.limiter.rates._default
        assert rate
        rate._max_callers = 3
        assert await bridge.metric("max_concurrency") == 7
        for caller in range(5):
            await bridge.client.get("/", headers={"x-api-key": str(caller)})
        assert await bridge.metric("rate_limit_evictions_total") == 2
        assert await bridge.metric("requests_in_flight") == 0


async def test_a_providers_odd_status_is_counted_under_its_number(
    autojump_clock: MockClock, network: Network
) -> None:
    """A status of three digits is its own label; what is none is `other`, so labels stay few."""

    async def provider(stream: trio.abc.Stream) -> None:
        request = bytes(await stream.receive_some())
        status = request.partition(b"/models/")[2][:3]
        await stream.send_all(b"HTTP/1.1 %s X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await stream.aclose()

    network.raw("openai", provider)
    async with network.bridge() as bridge:
        before = await scraped(bridge)
        for status in (418, 599, 600, 999):
            assert (await bridge.client.get(f"/openai/v1/models/{status}")).status_code == status
        changes = moved(before, await scraped(bridge))
    labels = {key[1][1]: by for key, by in changes.items() if key[0] == "aibridge_upstream_responses_total"}
    assert labels == {"418": 1, "599": 1, "other": 2}


async def test_a_bug_is_counted_wherever_it_was(
    autojump_clock: MockClock, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a request, and on the operator's side, which has no rejects."""

    def broken(*_: object) -> None:
        raise RuntimeError("inner detail")

    async with network.bridge() as bridge:
        with monkeypatch.context() as patch:
            patch.setattr(bridge.bridge.status, "document", broken)
            assert (await bridge.admin.get("/status")).status_code == 500
        assert await bridge.metric("bugs_total") == 1


# Hostile callers


async def many(count: int) -> AsyncIterator[int]:
    """Count, letting others run."""
    for n in range(count):
        await trio.lowlevel.checkpoint()
        yield n


async def test_nothing_that_a_caller_sends_becomes_a_label(autojump_clock: MockClock, network: Network) -> None:
    """Odd methods, paths, models, ids, agents and credentials: the set of series stays what it was."""
    for host in ROUTES:
        await network.answer(host, saying(200, JSON, b"{}"))
    async with network.bridge(circuit_breaker=True, max_body=1000) as bridge:
        before = set(await scraped(bridge))
        async for n in many(30):
            odd = {
                "user-agent": f'evil"}} {n}\\n',
                "x-request-id": f'id"{n}',
                "authorization": f"Bearer key-{n}-0123456789",
                "x-evil": 'a="b"',
            }
            body = b'{"model":"model-%d\\"}"}' % n
            for method, path in (
                (f"ODD{n}", CHAT),
                ("POST", CHAT),
                ("POST", f"/openai/v1/chat/completions/{n}"),
                ("GET", f"/openai/v1/models/model-{n}%22%0a"),
                ("GET", f"/provider-{n}/v1/models"),
                ("POST", f"{MESSAGES}?beta={n}"),
                (f"X-{n}", f"/copilot/agents/{n}"),
                ("GET", f"/openai/v1/models/..{n}/../{n}"),
                ("POST", f"{CHAT}%0d%0a{n}"),
            ):
                await bridge.client.request(method, path, headers=odd, content=body)
        assert set(await scraped(bridge)) == before
