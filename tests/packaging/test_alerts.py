"""The alerts of deploy/prometheus, by promtool in recorded time: each fires when it should, and resolves."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.alert_rules import FILE, ROOT, Rule, rules
from tests.support.shells import needed

REFERENCE = (ROOT / "docs" / "reference.md").read_text()
RUNBOOK = (ROOT / "docs" / "operate" / "alert-runbook.md").read_text()
RULES = {rule.name: rule for rule in rules()}
OPENAI = 'provider="openai"'


class Case(NamedTuple):
    """Series of an incident and its end; at the minute `fires` the alert is there, at `over` it is not."""

    alert: str
    series: dict[str, str]
    fires: int
    over: int
    labels: dict[str, str]
    instance: bool = False  # the alert names one


def counted(name: str, labels: str = "", *, rate: int = 10, minutes: int = 20) -> dict[str, str]:
    """A counter that grows for some minutes."""
    return {f"{name}{{{labels}}}": f"0+{rate}x{minutes} {rate * minutes}x90"}


def once(name: str, labels: str = "") -> dict[str, str]:
    """A counter that counts one event after three minutes."""
    return {f"{name}{{{labels}}}": "0x3 1x120"}


def steady(name: str, labels: str = "", rate: int = 20) -> dict[str, str]:
    """A counter that always grows."""
    return {f"{name}{{{labels}}}": f"0+{rate}x120"}


def valued(name: str, labels: str, bad: float, good: float, minutes: int = 20) -> dict[str, str]:
    """A gauge that is bad for some minutes."""
    return {f"{name}{{{labels}}}": f"{bad}x{minutes} {good}x90"}


PROVIDER = {"provider": "openai"}
CASES = (
    Case(
        "AIBridgeProviderOut",
        {
            f"aibridge_circuit_breaker_state{{{OPENAI}}}": "0x4 1x2 2x1 1x6 2x1 0x60",
            'aibridge_circuit_breaker_state{provider="forced"}': "1x60",
            'aibridge_circuit_breaker_forced{provider="forced",mode="open"}': "1x60",
            'aibridge_circuit_breaker_state{provider="healthy"}': "0x60",
        },
        12,
        40,
        PROVIDER,
    ),
    Case("AIBridgeProviderOutage", valued("aibridge_adaptive_outage", OPENAI, 1, 0), 10, 30, PROVIDER),
    Case(
        "AIBridgeProviderRefusesKey",
        {
            **counted("aibridge_upstream_responses_total", f'{OPENAI},status="401"'),
            **counted("aibridge_upstream_responses_total", 'provider="healthy",status="401"'),
            **steady("aibridge_upstream_responses_total", 'provider="healthy",status="200"'),
        },
        10,
        40,
        PROVIDER,
    ),
    Case("AIBridgeProviderOutOfCredit", once("aibridge_credit_exhausted_total", OPENAI), 5, 20, PROVIDER),
    Case(
        "AIBridgeProviderOutOfCredit",
        once("aibridge_key_faults_total", f'{OPENAI},fault="spent"'),
        5,
        20,
        PROVIDER,
    ),
    Case(
        "AIBridgeProviderRejectsAll",
        counted("aibridge_upstream_responses_total", f'{OPENAI},status="400"'),
        15,
        40,
        PROVIDER,
    ),
    Case(
        "AIBridgeProviderHangs",
        {
            f"aibridge_oldest_unanswered_seconds{{{OPENAI}}}": "0+60x20 0x40",
            f"aibridge_provider_requests_in_flight{{{OPENAI}}}": "3x20 0x40",
            **steady("aibridge_upstream_responses_total", f'{OPENAI},status="200"', rate=0),
            # One request that thinks for long, while others are answered.
            'aibridge_oldest_unanswered_seconds{provider="thinks"}': "0+60x20 0x40",
            'aibridge_provider_requests_in_flight{provider="thinks"}': "3x60",
            **steady("aibridge_upstream_responses_total", 'provider="thinks",status="200"'),
        },
        6,
        30,
        PROVIDER,
    ),
    Case(
        "AIBridgeProviderBrownout",
        {
            **counted("aibridge_verdicts_total", f'{OPENAI},verdict="failure"'),
            **steady("aibridge_verdicts_total", f'{OPENAI},verdict="success"'),
            **counted("aibridge_verdicts_total", 'provider="healthy",verdict="failure"', rate=1),
            **steady("aibridge_verdicts_total", 'provider="healthy",verdict="success"'),
        },
        15,
        40,
        PROVIDER,
    ),
    Case(
        "AIBridgeOverrideStands",
        valued("aibridge_circuit_breaker_forced", f'{OPENAI},mode="close"', 1, 0, minutes=400),
        370,
        420,
        {**PROVIDER, "mode": "close"},
    ),
    Case(
        "AIBridgeCallersTurnedAway",
        {
            **counted("aibridge_rejects_total", 'reason="capacity"'),
            **counted("aibridge_rejects_total", 'reason="rate_limit"'),
            **steady("aibridge_requests_total"),
        },
        15,
        40,
        {"reason": "capacity"},
    ),
    Case(
        "AIBridgeCallersOverTheirLimits",
        counted("aibridge_provider_rejects_total", f'{OPENAI},class="people",reason="rate_limit"', minutes=40),
        35,
        80,
        {"class": "people", "reason": "rate_limit"},
    ),
    Case(
        "AIBridgeUnknownCallers", counted("aibridge_rejects_total", 'reason="unknown_caller"', rate=20), 8, 40, {}
    ),
    Case(
        "AIBridgeBudgetBurns",
        {
            **valued("aibridge_budget_spent_tokens", 'class="people",per="day"', 95, 5),
            **valued("aibridge_budget_tokens", 'class="people",per="day"', 100, 100),
            **valued("aibridge_budget_spent_tokens", 'class="none",per="day"', 0, 0),
            **valued("aibridge_budget_tokens", 'class="none",per="day"', 0, 0),
        },
        10,
        40,
        {"class": "people", "per": "day"},
    ),
    Case(
        "AIBridgeBudgetSpent",
        valued("aibridge_budget_callers", 'class="people",state="spent"', 1, 0),
        10,
        40,
        {"class": "people"},
    ),
    Case(
        "AIBridgeNearlyFull",
        {**valued("aibridge_requests_in_flight", "", 9, 2), **valued("aibridge_max_concurrency", "", 10, 10)},
        10,
        40,
        {},
        instance=True,
    ),
    Case(
        "AIBridgeProviderNearlyFull",
        {
            **valued("aibridge_provider_requests_in_flight", OPENAI, 9, 2),
            **valued("aibridge_max_concurrency_per_provider", "", 10, 10),
        },
        10,
        40,
        PROVIDER,
        instance=True,
    ),
    Case(
        "AIBridgeQuotaNearlySpent",
        {
            **valued("aibridge_quota_remaining", f'{OPENAI},kind="tokens"', 5, 90),
            **valued("aibridge_quota_limit", f'{OPENAI},kind="tokens"', 100, 100),
        },
        10,
        40,
        {**PROVIDER, "kind": "tokens"},
    ),
    Case(
        "AIBridgeUsageNearlySpent",
        {
            **valued("aibridge_usage_counted", 'scope="class",owner="people",unit="tokens"', 95, 5),
            **valued("aibridge_usage_limit", 'scope="class",owner="people",unit="tokens"', 100, 100),
        },
        10,
        40,
        {"scope": "class", "owner": "people", "unit": "tokens"},
    ),
    Case(
        "AIBridgeQueueGrows",
        {**valued("aibridge_queue_waiting", "", 60, 0), **valued("aibridge_queue_size", "", 100, 100)},
        10,
        40,
        {},
        instance=True,
    ),
    Case(
        "AIBridgeLoopLags",
        {
            'aibridge_loop_lag_seconds_bucket{le="0.25"}': "0+30x120",
            'aibridge_loop_lag_seconds_bucket{le="0.5"}': "0+60x20 1230+30x90",
            'aibridge_loop_lag_seconds_bucket{le="+Inf"}': "0+60x20 1230+30x90",
        },
        15,
        40,
        {},
        instance=True,
    ),
    Case(
        "AIBridgeDescriptorsNearlySpent",
        {**valued("process_open_fds", "", 900, 100), **valued("process_max_fds", "", 1000, 1000)},
        10,
        40,
        {},
        instance=True,
    ),
    Case(
        "AIBridgeConnectionsRefused",
        counted("aibridge_connections_refused_total", 'listener="callers",cause="limit"'),
        10,
        40,
        {"listener": "callers", "cause": "limit"},
    ),
    Case("AIBridgeDown", {"up{}": "1x2 0x10 1x40"}, 8, 30, {}, instance=True),
    Case("AIBridgeDrainsTooLong", valued("aibridge_draining", "", 1, 0), 18, 40, {}, instance=True),
    Case("AIBridgeKeyOut", valued("aibridge_keys", f'{OPENAI},state="out"', 1, 0), 2, 40, PROVIDER),
    Case(
        "AIBridgeKeysResting",
        {
            **valued("aibridge_keys", f'{OPENAI},state="resting"', 2, 1),
            **valued("aibridge_keys", f'{OPENAI},state="ready"', 0, 1),
        },
        10,
        40,
        PROVIDER,
    ),
    Case("AIBridgeStoreDegraded", valued("aibridge_store_degraded", "", 1, 0), 10, 40, {}, instance=True),
    Case(
        "AIBridgeReplicasDiffer",
        {'aibridge_config_hash{instance="a"}': "7x60", 'aibridge_config_hash{instance="b"}': "8x20 7x40"},
        18,
        40,
        {},
    ),
    Case(
        "AIBridgeReplicasDiffer",
        {'aibridge_build_info{instance="a",version="1"}': "1x60", 'aibridge_build_info{version="2"}': "1x20 _x40"},
        18,
        40,
        {},
    ),
    Case("AIBridgeReloadRejected", once("aibridge_reloads_total", 'outcome="rejected"'), 5, 40, {}, instance=True),
    Case("AIBridgeLogLinesDropped", once("aibridge_log_lines_dropped_total"), 5, 40, {}, instance=True),
    Case(
        "AIBridgeCertificateEnds",
        valued("aibridge_certificate_expires_timestamp_seconds", 'listener="callers"', 86400 * 10, 86400 * 90),
        5,
        40,
        {"listener": "callers"},
        instance=True,
    ),
    Case(
        "AIBridgeAdminRefused",
        counted("aibridge_admin_refused_total", 'cause="token"'),
        10,
        40,
        {"cause": "token"},
    ),
    Case("AIBridgeBug", once("aibridge_bugs_total"), 5, 90, {}, instance=True),
)


def whole(series: str) -> str:
    """Return a series with the labels that every scrape adds."""
    name, _, labels = series.rstrip("}").partition("{")
    parts = [labels, 'job="aibridge"', *([] if "instance=" in labels else ['instance="bridge:4002"'])]
    return f"{name}{{{','.join(filter(None, parts))}}}"


def expected(case: Case) -> dict[str, object]:
    """Return the alert as promtool wants it described."""
    rule = RULES[case.alert]
    labels = {"job": "aibridge", **case.labels, **({"instance": "bridge:4002"} if case.instance else {})}
    return {"exp_labels": {"severity": rule.severity, **labels}, "exp_annotations": rule.annotations(labels)}


def test_each_alert_fires_and_resolves(tmp_path: Path) -> None:
    """With exactly its labels and annotations, and not for what is well beside it."""
    described = [
        {
            "interval": "1m",
            "input_series": [{"series": whole(name), "values": values} for name, values in case.series.items()],
            "alert_rule_test": [
                {"alertname": case.alert, "eval_time": f"{case.fires}m", "exp_alerts": [expected(case)]},
                {"alertname": case.alert, "eval_time": f"{case.over}m", "exp_alerts": []},
            ],
        }
        for case in CASES
    ]
    file = tmp_path / "tests.json"
    file.write_text(json.dumps({"rule_files": [str(FILE)], "evaluation_interval": "1m", "tests": described}))
    done = subprocess.run(
        [needed("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {case.alert for case in CASES} == RULES.keys()


def test_promtool_takes_every_query_of_the_reference(tmp_path: Path) -> None:
    """The rules, and the query of each metric."""
    queries = re.findall(r"^\| `(?:aibridge|process)_\w+` .* \| `([^`]+)` \|$", REFERENCE, re.MULTILINE)
    assert len(queries) > 60
    of_reference = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "reference", "rules": of_reference}]}))
    done = subprocess.run(
        [needed("promtool"), "check", "rules", str(FILE), str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_each_alert_has_its_section_in_the_runbook(rule: Rule) -> None:
    """The link leads to it, and it says when the alert fires, where to look and what to do."""
    assert rule.runbook.endswith(f"docs/operate/alert-runbook.md#{rule.name.lower()}")
    section = RUNBOOK.partition(f"\n## {rule.name}\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\* \*\*(.*?)\*\*: ", section, re.MULTILINE) == ["Fires", "Look at", "Do"]
    assert rule.severity in {"info", "warning", "critical"}


def test_the_runbook_has_no_other_sections() -> None:
    """An alert that is gone has none."""
    assert re.findall(r"^## (.*)$", RUNBOOK, re.MULTILINE) == [*RULES]


def test_rules_read_metrics_that_exist() -> None:
    """Each name is in the reference."""
    for rule in RULES.values():
        for name in re.findall(r"\b(?:aibridge|process)_\w+", rule.expr):
            assert f"| `{name.removesuffix('_bucket')}` |" in REFERENCE, name
