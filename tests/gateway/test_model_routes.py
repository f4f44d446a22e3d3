"""Which providers take a model, and which of them takes a request now."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.config.provider_tables import RouteTable
from aibridge_trio.errors import CircuitOpen, ProviderAtCapacity, Reject
from aibridge_trio.gateway.model_routes import ModelRoutes, Standing, choose, soonest, waits_for_share

WAITS = st.none() | st.floats(0.001, 600.0)
REJECTS = st.none() | st.builds(lambda wait: CircuitOpen("p", "failures", wait), WAITS)
STANDINGS = st.lists(
    st.builds(Standing, reject=REJECTS, full=st.booleans(), at_once=st.booleans(), turn=st.floats(0, 100)),
    max_size=6,
)


def test_an_exact_name_comes_before_the_longest_prefix() -> None:
    """As with the models of a breaker's scopes."""
    tables = [RouteTable(model=model, providers=(model,)) for model in ("gpt*", "gpt-5*", "gpt-5-mini", "*")]
    routes = ModelRoutes(tables)
    found = [routes.find(model) for model in ("gpt-5-mini", "gpt-5", "gpt-4", "qwen", "")]
    assert found == [tables[2], tables[1], tables[0], tables[3], tables[3]]
    assert list(routes.names()) == [("gpt-5-mini", tables[2])]
    assert ModelRoutes([tables[2]]).find("gpt-5-mini2") is None
    assert not ModelRoutes()


@given(STANDINGS)
def test_the_first_that_takes_a_request_at_once_gets_it(standings: list[Standing]) -> None:
    """Whatever the others would do with it."""
    taking = [number for number, each in enumerate(standings) if each.takes]
    if taking:
        assert choose(standings) == taking[0]


@given(STANDINGS)
def test_without_one_it_is_held_where_its_turn_comes_soonest(standings: list[Standing]) -> None:
    """Only a provider that neither rejects the request nor is full can hold it; of equal ones the first."""
    found = choose(standings)
    could = [number for number, each in enumerate(standings) if each.reject is None and not each.full]
    assert (found is None) == (not could)
    if found is not None and not standings[found].takes:
        assert found == min(could, key=lambda number: (standings[number].turn, number))


@given(STANDINGS)
def test_it_waits_for_a_share_only_where_nothing_else_is_missing(standings: list[Standing]) -> None:
    """Every provider that no rule chooses is full or rejects: a request is never left without an answer."""
    waiting = waits_for_share(standings)
    assert all(standings[number].full and standings[number].reject is None for number in waiting)
    assert waiting == sorted(waiting)
    if choose(standings) is None and not waiting:
        assert all(each.reject for each in standings)


@given(st.lists(WAITS, min_size=1))
def test_the_soonest_reject_has_the_shortest_wait(waits: list[float | None]) -> None:
    """One without a wait is the last choice."""
    rejects: list[Reject] = [CircuitOpen("p", "failures", wait) for wait in waits]
    found = soonest(rejects)
    shortest = min(math.inf if wait is None else wait for wait in waits)
    assert (math.inf if found.wait is None else found.wait) == shortest
    assert soonest([ProviderAtCapacity("a"), *rejects]).wait in (1.0, found.wait)
