"""The real Prometheus scrapes bridges through incidents: each alert fires, with its labels, and resolves.

Minutes are seconds here: rules look back 8 s, and conditions last 1 s (tests/packaging/test_alerts.py has the
recorded time of the real ones).
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trustme

from aibridge_trio.config.caller_tokens import token_hash
from tests.support.alert_rules import ROOT
from tests.support.known_callers import DEV, bearer
from tests.support.processes import Bridge, Provider, a_bridge, a_provider, until
from tests.support.prometheus import WINDOW, Prometheus, prometheus
from tests.support.shells import needed

pytestmark = pytest.mark.real
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "aibridge.json").read_text())
WITHIN = 60.0
BODY = {"model": "m", "input": "hello", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 9}
GOOD, BAD = "aibridge", "aibridge-bad"

# Each has an endpoint of its own, so that one mock can fail for each in its own way.
PROVIDERS = """
[providers.revoked]
dialect = "openai"
base_url = "{url}/v1"
key_env = "KEY_OF_TEST"
[providers.broke]
dialect = "openai"
base_url = "{url}/v1"
key_env = "KEY_OF_TEST"
[providers.hangs]
dialect = "openai"
base_url = "{url}/v1"
key = "none"
[providers.down]
dialect = "anthropic"
base_url = "{url}"
key = "none"
"""
CALLERS = f"""
[classes.people]
token_rate_limit = "100000000/m"
total_token_rate_limit = "100000000/m"
budget = {{ tokens = 100000000, per = "day" }}
[[callers]]
name = "dev"
class = "people"
token_sha256 = "{token_hash(DEV.encode())}"
"""
INCIDENT = (
    {"status": 401, "path": "/responses"},
    {"error": "insufficient_quota", "path": "/chat/completions"},
    {"delay": 50, "path": "/embeddings"},
    {"status": 503, "path": "/messages"},
)
EXPECTED = {
    (BAD, "AIBridgeProviderRefusesKey", "revoked"),
    (BAD, "AIBridgeKeyOut", "revoked"),
    (BAD, "AIBridgeProviderOutOfCredit", "broke"),
    (BAD, "AIBridgeProviderHangs", "hangs"),
    (BAD, "AIBridgeProviderOut", "down"),
    (BAD, "AIBridgeProviderBrownout", "down"),
    (BAD, "AIBridgeCallersTurnedAway", "circuit_open"),
    (BAD, "AIBridgeCallersTurnedAway", "queue_full"),
    (BAD, "AIBridgeNearlyFull"),
    (BAD, "AIBridgeQueueGrows"),
    (BAD, "AIBridgeCertificateEnds", "callers"),
    (BAD, "AIBridgeStoreDegraded"),
    (BAD, "AIBridgeReplicasDiffer"),
    (BAD, "AIBridgeReloadRejected"),
    (BAD, "AIBridgeAdminRefused", "host"),
}
# What fires with them, by the same incidents, if the machine is fast or slow enough.
BESIDE = {
    (BAD, "AIBridgeProviderRejectsAll", "down"),
    (BAD, "AIBridgeProviderHangs", "openai"),
    (BAD, "AIBridgeLoopLags"),
    (BAD, "AIBridgeCallersTurnedAway", "upstream_timeout"),
    (BAD, "AIBridgeCallersTurnedAway", "queue_deadline"),
    (GOOD, "AIBridgeLoopLags"),  # a busy machine is no good day for it
}
# What ends with its own test's other bridge, or never: the store of this one is nowhere.
LASTING = {(BAD, "AIBridgeStoreDegraded"), (BAD, "AIBridgeReplicasDiffer")}


@contextmanager
def calling(*calls: Callable[[], object], pause: float = 0.1) -> Iterator[None]:
    """Make each call again and again, each in a thread, until the end."""
    over = threading.Event()

    def repeat(call: Callable[[], object]) -> None:
        while not over.wait(pause):
            with suppress(httpx.HTTPError):  # it hung, or its connection was cut
                call()

    threads = [threading.Thread(target=repeat, args=(call,)) for call in calls]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in threads:
            each.join()


def posting(
    bridge: Bridge, path: str, timeout: float = 5.0, headers: Mapping[str, str] | None = None
) -> Callable[[], object]:
    """Return a call of a bridge."""
    return lambda: bridge.caller.post(path, json=BODY, headers=headers, timeout=timeout)


def certificate(folder: Path, days: float) -> None:
    """Write a certificate that ends after so many days, and its key."""
    ends = datetime.now(UTC) + timedelta(days=days)
    issued = trustme.CA().issue_cert("127.0.0.1", not_after=ends)
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "chain.pem").write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))


def filled(expr: str) -> str:
    """Return a panel's query as Grafana sends it."""
    return re.sub(r"\$(job|instance|provider)\b", ".*", expr).replace("$__rate_interval", WINDOW)


def of_panels() -> list[tuple[str, str]]:
    """Return each panel's title with each of its queries."""
    shown = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    return [(panel["title"], target["expr"]) for panel in shown for target in panel["targets"]]


def recorded(prometheus: Prometheus) -> list[dict[str, object]]:
    """Return what each panel would draw of the last minute: its title, unit and lines."""
    now = time.time()  # noqa: TID251 - Prometheus's clock
    span = {"start": str(now - 60), "end": str(now), "step": "2"}
    panels: list[dict[str, object]] = []
    for panel in DASHBOARD["panels"]:
        lines: dict[str, list[list[float]]] = {}
        for target in panel.get("targets", ()):
            for each in prometheus.query(filled(target["expr"]), "query_range", **span):
                name = target["legendFormat"]
                for label, value in each["metric"].items():
                    name = name.replace(f"{{{{{label}}}}}", value)
                lines[name] = [[round(at - now + 60), float(f"{float(of):.4g}")] for at, of in each["values"]]
        if lines:
            unit = panel["fieldConfig"]["defaults"]["unit"]
            panels.append({"title": panel["title"], "unit": unit, "lines": lines})
    return panels


def where(bridge: Bridge) -> str:
    """Return what Prometheus scrapes."""
    return bridge.admin_url.removeprefix("http://")


class Scene:
    """Two bridges that meet incidents, one that has a good day, and Prometheus."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.mock: Provider = stack.enter_context(a_provider())
        self.fine: Provider = stack.enter_context(a_provider())
        config, callers = folder / "bad.toml", folder / "good.toml"
        config.write_text(PROVIDERS.format(url=self.mock.url))
        callers.write_text(CALLERS)
        certificate(folder, days=3)
        breaker = ("--circuit-breaker", "--circuit-breaker-cooldown", "2s", "--circuit-breaker-max-cooldown", "2s")
        slowly = ("--circuit-breaker-failure-threshold", "15")  # so that a brownout shows before it opens
        self.bad: Bridge = stack.enter_context(
            a_bridge(
                "--config", str(config), *breaker, *slowly, provider=self.mock, KEY_OF_TEST="sk-test-0123456789"
            )
        )
        self.narrow: Bridge = stack.enter_context(
            a_bridge(
                *("--tls-cert", str(folder / "chain.pem"), "--tls-key", str(folder / "key.pem")),
                *("--max-concurrency", "2", "--queue-size", "3", "--store", "redis://127.0.0.1:1"),
                provider=self.mock,
            )
        )
        self.fine.change(requests_per_minute=6000, tokens_per_minute=6_000_000)
        self.good: Bridge = stack.enter_context(
            a_bridge(
                *("--config", str(callers), "--adaptive", "--queue-size", "10", "--max-concurrency", "100"),
                *(*breaker, "--max-concurrency-per-provider", "50"),
                provider=self.fine,
                OPENAI_API_KEY="sk-of-the-good-bridge-0123",
            )
        )
        targets = {GOOD: [where(self.good)], BAD: [where(self.bad), where(self.narrow)]}
        self.prometheus: Prometheus = stack.enter_context(prometheus(targets, AIBridgeProviderHangs="2"))
        seen = 'count(count_over_time(aibridge_reloads_total{outcome="rejected"}[1m]) >= 2) == 3'
        until(lambda: self.prometheus.query(seen), "two scrapes of each", within=WITHIN)
        stack.enter_context(calling(*self.ordinary(), pause=0.2))

    def ordinary(self) -> Iterator[Callable[[], object]]:
        """Yield what callers do on a good day: some of it is wrong."""
        token = bearer(DEV)
        yield posting(self.good, "/openai/v1/chat/completions", headers=token)
        yield posting(self.good, "/openai/v1/nothing", headers=token)
        yield lambda: self.good.caller.post("/openai/v1/chat/completions", content=b"{", headers=token)
        yield lambda: self.good.caller.post("/openai/v1/chat/completions", json=BODY)

    def incidents(self) -> Sequence[Callable[[], object]]:
        """Return the calls that meet them, and what an operator gets wrong."""
        bad = [
            posting(self.bad, f"/{path}")
            for path in ("revoked/v1/responses", "broke/v1/chat/completions", "down/v1/messages")
        ]
        hangs = [posting(self.bad, "/hangs/v1/embeddings", timeout=6.0)] * 3
        narrow = [posting(self.narrow, "/openai/v1/embeddings", timeout=6.0)] * 7
        wrong = [lambda: self.bad.admin.get("/status", headers={"host": "elsewhere.example"})]
        return (*bad, *hangs, *narrow, *wrong)

    def firing(self, wanted: set[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
        """Wait until these alerts fire; return after how many seconds each did."""
        began, since = time.perf_counter(), dict[tuple[str, ...], float]()

        def all_fire() -> bool:
            for each in self.prometheus.firing():
                since.setdefault(each, time.perf_counter() - began)
            time.sleep(0.2)
            return wanted <= since.keys()

        try:
            until(all_fire, "all alerts", within=WITHIN)
        except AssertionError:
            pytest.fail(f"did not fire: {wanted - since.keys()}")
        return since

    def heal(self) -> None:
        """End all incidents."""
        self.mock.unscript()
        certificate(self.folder, days=90)
        (self.folder / "bad.toml").write_text(PROVIDERS.format(url=self.mock.url))
        for bridge in (self.bad, self.narrow):
            assert bridge.admin.post("/reload").is_success


@pytest.mark.timeout(300)  # five processes, on a machine that may be busy
def test_alerts_fire_and_resolve_and_panels_have_data(tmp_path: Path) -> None:
    """None of them on a good day, which goes on beside the incidents."""
    needed("prometheus")
    with ExitStack() as stack:
        scene = Scene(tmp_path, stack)
        scene.mock.script(*({**each, "times": 10_000} for each in INCIDENT))
        with calling(*scene.incidents()):
            (tmp_path / "bad.toml").write_text("max_concurrency = many\n")
            assert scene.bad.admin.post("/reload").status_code == 422
            since = scene.firing(EXPECTED)
            assert since.keys() <= EXPECTED | BESIDE
            print({" ".join(each): round(after, 1) for each, after in since.items()})  # noqa: T201 - with -s
            for title, expr in of_panels():
                assert scene.prometheus.query(filled(expr)), f"{title}: {expr}"
            scene.heal()
        with calling(*scene.incidents()[:3]):  # requests that are answered again, for the breaker to close

            def resolved() -> bool:
                time.sleep(0.2)
                return scene.prometheus.firing() <= LASTING | BESIDE

            until(resolved, f"an end of {scene.prometheus.firing()}", within=WITHIN)
        assert scene.prometheus.ever(GOOD, 300) <= BESIDE
        if file := os.environ.get("DASHBOARD_RECORDING"):  # see tools/dashboard
            Path(file).write_text(json.dumps(recorded(scene.prometheus)) + "\n")
        for query in re.findall(r"^\| `(?:aibridge|process)_\w+` .* \| `([^`]+)` \|$", REFERENCE, re.MULTILINE):
            scene.prometheus.query(query)


def test_every_query_of_the_dashboard_reads_metrics_that_exist() -> None:
    """Each name is in the reference, and each panel has a query."""
    for _, expr in of_panels():
        for name in re.findall(r"\b(?:aibridge|process)_\w+", expr):
            assert f"| `{name.removesuffix('_bucket')}` |" in REFERENCE, name
    titles = [panel["title"] for panel in DASHBOARD["panels"]]
    assert len(set(titles)) == len(titles) > 30
