"""Turns: everyone does the same work in each round, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from time import sleep
from typing import Protocol, TypeVar

from bench.compare.process import Failed
from bench.compare.readings import Reading

# From here on others use so much of a core that it is better to wait, or to measure again.
_DISTURBED = 0.1
_ATTEMPTS = 3
# Seconds for which one looks what others do.
_GLANCE = 0.1
# The quantity of the readings that tell how much of a core others have used.
DISTURBANCE = "disturbance"


class Named(Protocol):
    """A target of measurements that take turns."""

    @property
    def name(self) -> str: ...


class Referee(Protocol):
    """Sees other load on the machine and reports failures; `patience` is how long to wait or repeat (seconds)."""

    patience: float

    def watch(self) -> Callable[[], tuple[float, float]]:
        """Begin to watch; the result tells the seconds since, and how many cores others have used."""

    def note(self, who: str, what: str) -> None:
        """Remember that something did not work."""


T = TypeVar("T", bound=Named)


def in_turns(
    everyone: Iterable[T], rounds: int, work: Callable[[T, int], Iterator[Reading]], referee: Referee
) -> Iterator[Reading]:
    """Yield what `work` measures of each in each round.

    While there is patience, others on the machine are waited for, and a disturbed measurement is repeated; the
    least disturbed one counts. A target that fails is reported, and left out from then on.
    """
    fit = list(everyone)
    for number in range(rounds):
        for each in tuple(fit):
            try:
                yield from _least_disturbed(each, number, work, referee)
            except Failed as failed:
                fit.remove(each)
                referee.note(each.name, str(failed))


def _wait(referee: Referee) -> None:
    foreign = _DISTURBED
    while referee.patience > 0 and foreign >= _DISTURBED:
        watch = referee.watch()
        sleep(_GLANCE)
        seconds, foreign = watch()
        if foreign >= _DISTURBED:
            referee.patience -= seconds


def _least_disturbed(
    each: T, number: int, work: Callable[[T, int], Iterator[Reading]], referee: Referee
) -> list[Reading]:
    best: tuple[float, list[Reading]] | None = None
    for _ in range(_ATTEMPTS):
        _wait(referee)
        watch = referee.watch()
        found = list(work(each, number))
        seconds, foreign = watch()
        if best is None or foreign < best[0]:
            best = foreign, found
        if foreign < _DISTURBED or referee.patience <= 0:
            break
        referee.patience -= seconds
    assert best is not None
    return [*best[1], Reading(each.name, DISTURBANCE, best[0], number)]
