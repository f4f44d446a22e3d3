"""A replica's link to the store, in virtual time."""

from __future__ import annotations

from typing import Any

from aibridge_trio.core.sharing.needs import Ask, Away, Denied, Granted, Holding, Leave
from aibridge_trio.simulate.policies.store_link import StoreLink
from aibridge_trio.simulate.scenario.sharing import FleetSharing
from aibridge_trio.simulate.world.engine import Engine
from aibridge_trio.simulate.world.store import Store, Way

ASK = Ask((Holding("slots", 1),))
LEAVE = Leave((("slots", 1),))


class Lab:
    """A store, and links to it."""

    def __init__(self, runs: float = 30.0) -> None:
        self.clock = Engine()
        self.store = Store(self.clock)
        self._runs = runs

    def link(self, name: str, cut: tuple[float, float] | None = None, round_trip: float = 0.001) -> StoreLink:
        """Return another link."""
        way = Way(self.store, self.clock, FleetSharing(round_trip=round_trip), seed=name, cut=cut)
        return StoreLink(self.clock, way, name, self._runs)

    def ask(self, link: StoreLink, when: float, answers: list[tuple[float, Any]]) -> None:
        """Ask at a time; note when which answer came."""

        def do(_: None) -> None:
            link.ask(ASK, lambda answer: answers.append((self.clock.now, answer)))

        self.clock.at(when, do)


def test_two_replicas_share_one_slot() -> None:
    """What one gives back the other can have; each answer takes a round trip."""
    lab, answers = Lab(), list[tuple[float, Any]]()
    one, other = lab.link("one"), lab.link("other")
    lab.ask(one, 1.0, answers)
    lab.ask(other, 1.1, answers)
    lab.clock.at(1.2, lambda _: one.leave(LEAVE))
    lab.ask(other, 1.3, answers)
    lab.clock.at(1.4, lambda _: other.leave(LEAVE))
    lab.clock.run()
    assert [type(answer) for _, answer in answers] == [Granted, Denied, Granted]
    assert 1.0005 <= answers[0][0] <= 1.0015
    assert (one.session.replicas(lab.clock.now), one.session.held, other.session.held) == (2, {}, {})


def test_a_link_that_is_cut_answers_in_time_and_comes_back_by_itself() -> None:
    """`Away` after 50 ms, then at once; what went on without the store is counted once it is back."""
    lab, answers = Lab(), list[tuple[float, Any]]()
    changes: list[tuple[float, bool]] = []
    link, other = lab.link("one", cut=(5.0, 10.0)), lab.link("other")
    link.on_change = lambda: changes.append((lab.clock.now, link.session.away))
    lab.ask(link, 5.0, answers)
    lab.ask(link, 5.06, answers)
    lab.clock.at(5.06, lambda _: link.hold(ASK))
    lab.ask(other, 15.0, answers)
    lab.clock.at(16.0, lambda _: link.leave(LEAVE))
    lab.ask(other, 17.0, answers)
    lab.clock.at(18.0, lambda _: other.leave(LEAVE))
    lab.clock.run()
    assert [type(answer) for _, answer in answers] == [Away, Away, Denied, Granted]
    assert 5.0499 < answers[0][0] < 5.0501
    assert answers[1][0] == 5.06
    away = [when for when, is_away in changes if is_away]
    back = next(when for when, is_away in changes if when > 10.0 and not is_away)
    assert 5.0 < away[0] < 5.06
    assert 10.0 < back < 10.4


def test_a_store_that_is_always_too_slow_is_never_asked() -> None:
    """A round trip of 200 ms is too long for 50 ms."""
    lab, answers = Lab(), list[tuple[float, Any]]()
    link = lab.link("one", round_trip=0.2)
    lab.ask(link, 4.0, answers)
    lab.clock.run()
    assert answers == [(4.0, Away())]


def test_a_dropped_query_holds_nothing() -> None:
    """What is granted to a request that has ended is given back."""
    lab, answers = Lab(), list[tuple[float, Any]]()
    one, other = lab.link("one"), lab.link("other")
    lab.clock.at(1.0, lambda _: one.drop(one.ask(ASK, lambda _: answers.append((0.0, None)))))
    lab.ask(other, 1.1, answers)
    lab.clock.at(1.2, lambda _: other.leave(LEAVE))
    lab.clock.run()
    assert [type(answer) for _, answer in answers] == [Granted]
