"""What is predicted is what the real program does."""

from __future__ import annotations

import random
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from trio.testing import MockClock

from aibridge_trio.config.units import Secret
from aibridge_trio.core.breaker import breaker
from aibridge_trio.core.breaker.cooldown import Cooldown
from aibridge_trio.gateway import adaptive_line
from tests.support import real_play, simulated
from tests.support.network import Network
from tests.support.simulated import parsed

SETTINGS = """
[settings]
max_concurrency = {slots}
circuit_breaker = true
circuit_breaker_cooldown = "10s"
circuit_breaker_failure_threshold = {threshold}
"""
OUTAGE = """
duration = "3m"
[[callers]]
count = 15
client = "openai-python"
requests_per_minute = 12
patience = "40s"
[[callers]]
count = 5
client = "claude-code"
requests_per_minute = 12
patience = "1m"
[provider]
slots = 60
answer_tokens = 100
[[phases]]
from = "60s"
for = "25s"
fault = "503"
cuts = true
"""
BROWNOUT = """
duration = "3m"
[[callers]]
count = 20
client = "anthropic-python"
requests_per_minute = 15
patience = "30s"
[provider]
slots = 40
when_full = "529"
answer_tokens = 150
[[phases]]
from = "60s"
for = "30s"
slots = 6
[[crowds]]
from = "120s"
for = "30s"
times = 4
"""
OVERLOADED = """
duration = "4m"
[[callers]]
count = 20
client = "codex"
requests_per_minute = 8
patience = "40s"
[provider]
answer_tokens = 300
[[phases]]
from = "60s"
for = "45s"
fault = "overloaded"
share = 0.6
"""
CROWD = """
duration = "2m"
[[callers]]
count = 20
client = "openai-python"
requests_per_minute = 6
patience = "20s"
[[callers]]
count = 1
client = "none"
requests_per_minute = 120
patience = "20s"
[[crowds]]
from = "50s"
for = "30s"
times = 4
[provider]
slots = 22
when_full = "529"
[[phases]]
from = "90s"
for = "10s"
fault = "529"
cuts = true
"""
WITH_QUEUE = """
queue_size = 20
queue_timeout = "8s"
max_concurrency_per_caller = 6
"""


def same_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what the bridge leaves to chance come out alike here and there, and the same every time."""

    def cooldown(base: float, longest: float, growth: float, stretch: float, _: Callable[[], float]) -> Cooldown:
        return Cooldown(base, longest, growth, stretch, lambda: 0.5)

    monkeypatch.setattr(breaker, "Cooldown", cooldown)
    monkeypatch.setattr(random, "random", Random(1).random)
    monkeypatch.setattr(adaptive_line, "random", Random(1).random)


@pytest.mark.parametrize(
    ("scenario", "slots", "threshold"),
    [
        pytest.param(OUTAGE, 50, 5, id="outage"),
        pytest.param(BROWNOUT, 30, 20, id="brownout"),
        pytest.param(OVERLOADED, 100, 20, id="overloaded"),
        pytest.param(CROWD, 20, 10, id="queue"),
    ],
)
async def test_the_program_does_what_was_predicted(
    autojump_clock: MockClock,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    slots: int,
    threshold: int,
) -> None:
    """Same demand, same provider: goodput and wasted calls are within a tenth, and so are all calls and tries."""
    same_chance(monkeypatch)
    queue = WITH_QUEUE if scenario is CROWD else ""
    given = parsed(scenario + SETTINGS.format(slots=slots, threshold=threshold) + queue)
    predicted = simulated.play(given)
    real = await real_play.play(network, given, 1)
    assert real.served + real.gave_up + real.left == real.wanted == predicted.wanted
    for name in ("served", "calls", "tries"):
        assert getattr(real, name) == pytest.approx(getattr(predicted, name), rel=0.1), name
    assert predicted.wasted > 10
    assert real.wasted == pytest.approx(predicted.wasted, rel=0.1, abs=2)


# Without a number set: what the provider takes is learned.
FEW_SLOTS = """
duration = "2m"
[[callers]]
count = 20
client = "anthropic-python"
requests_per_minute = 15
patience = "30s"
[provider]
slots = 40
when_full = "529"
answer_tokens = 150
[[phases]]
from = "40s"
for = "30s"
slots = 6
"""
HALF_OVERLOADED = """
duration = "90s"
[[callers]]
count = 20
client = "codex"
requests_per_minute = 8
patience = "40s"
[provider]
answer_tokens = 150
[[phases]]
from = "30s"
for = "25s"
fault = "overloaded"
share = 0.5
"""
CENTRAL_QUOTA = """
duration = "3m"
[[callers]]
count = 10
client = "openai-python"
requests_per_minute = 12
patience = "30s"
[provider]
requests_per_minute = 90
answer_tokens = 100
"""
OWN_QUOTA = """
duration = "3m"
[[callers]]
count = 10
client = "openai-python"
requests_per_minute = 12
patience = "30s"
[[callers]]
count = 2
client = "none"
requests_per_minute = 40
patience = "20s"
[provider]
requests_per_minute = 15
keys = "own"
answer_tokens = 100
"""
CENTRAL_KEY = {"openai_api_key": Secret("sk-central")}


@pytest.mark.parametrize(
    ("scenario", "options"),
    [
        pytest.param(OUTAGE, {}, id="outage"),
        pytest.param(FEW_SLOTS, {}, id="brownout"),
        pytest.param(HALF_OVERLOADED, {}, id="half-overloaded"),
        pytest.param(CENTRAL_QUOTA, CENTRAL_KEY, id="central-quota"),
        pytest.param(OWN_QUOTA, {}, id="own-quota"),
    ],
)
async def test_what_is_learned_is_what_was_predicted(
    autojump_clock: MockClock,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    options: dict[str, Any],
) -> None:
    """Same demand, same provider, `adaptive` alone: goodput and calls are within a tenth."""
    same_chance(monkeypatch)
    given = parsed(scenario)
    predicted = simulated.play(given, "adaptive")
    real = await real_play.play(network, given, 1, adaptive=True, **options)
    assert real.served + real.gave_up + real.left == real.wanted == predicted.wanted
    for name in ("served", "calls", "tries"):
        assert getattr(real, name) == pytest.approx(getattr(predicted, name), rel=0.1), name
    assert predicted.wasted > 10
