"""The breaker that replicas share: all know what one has learned, and probes are those of all."""

from __future__ import annotations

from aibridge_trio.core.breaker.shared_breaker import SharedBreaker
from aibridge_trio.simulate.policies import shared_circuit
from aibridge_trio.simulate.results.outcome import Outcome, Peaks
from aibridge_trio.simulate.run import Play
from aibridge_trio.simulate.scenario.demand import requests
from aibridge_trio.simulate.scenario.sharing import FleetSharing
from tests.support.simulated import parsed

OUTAGE = """
duration = "60s"
[[callers]]
count = 60
requests_per_minute = 60
patience = "10s"
client = "none"
[provider]
first_token = "200ms"
answer_tokens = 40
[[phases]]
from = "21s"
for = "8s"
fault = "503"
[settings]
circuit_breaker = true
circuit_breaker_cooldown = "2s"
circuit_breaker_growth = 1
"""


def play(sharing: FleetSharing) -> tuple[Outcome, Peaks]:
    """Play the outage."""
    given = parsed(OUTAGE)
    outcome = Play(given, requests(given, 1), "aibridge", given.settings, 1, sharing=sharing).run("x")
    assert outcome.peaks
    return outcome, outcome.peaks


def test_the_machine_is_the_products_own() -> None:
    """The same object."""
    assert vars(shared_circuit)["SharedBreaker"] is SharedBreaker


def test_all_know_within_a_hundred_milliseconds() -> None:
    """Of twenty replicas, each time that it opens; and no more than three probes run in all."""
    outcome, peaks = play(FleetSharing(20, store=True))
    assert peaks.known_after is not None
    assert peaks.known_after < 0.1
    assert 0 < peaks.probes <= 3
    alone, peaks_alone = play(FleetSharing(20))
    assert peaks_alone.known_after is not None
    assert peaks_alone.known_after > 0.1
    assert peaks_alone.probes > 3
    assert outcome.wasted < alone.wasted / 2


def test_twenty_replicas_do_as_well_as_one() -> None:
    """Trips count once; as many calls are wasted and answered, nearly."""
    one, _ = play(FleetSharing(1))
    twenty, _ = play(FleetSharing(20, store=True))
    assert abs(twenty.trips - one.trips) <= 1
    assert twenty.wasted <= one.wasted + 30
    assert twenty.share >= one.share - 0.03


def test_a_replica_that_is_cut_off_opens_by_itself_and_takes_over_what_all_have_later() -> None:
    """The outage lies in the third of the time in which half of them are: all answer again at the end."""
    outcome, peaks = play(FleetSharing(4, store=True, cut_off=0.5))
    assert peaks.known_after is not None
    assert peaks.probes <= 3 + 2 * 3
    assert outcome.recovery is not None
    assert outcome.recovery < 12
