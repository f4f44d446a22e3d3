"""What all workers save together."""

from __future__ import annotations

from typing import Any

from aibridge_trio.workers.budgets import SummedBudgets
from aibridge_trio.workers.common_state import CommonState

NOW = 1_800_000_000.0


def saved(breaker: str, learned: int, at: float = NOW) -> dict[str, Any]:
    """What a worker would save."""
    return {"saved_at": at, "providers": {"p": {"breakers": {"": breaker}, "learned": {"bound": learned}}}}


class Workers:
    """Two workers, as far as they are asked."""

    def __init__(self, count: int = 2) -> None:
        self.answers: dict[int, dict[str, Any]] = {}
        self.state = CommonState(count, SummedBudgets(), self._ask, lambda: NOW)

    async def _ask(self) -> dict[int, dict[str, Any]]:
        return self.answers

    async def save(self) -> dict[str, Any]:
        """What is written."""
        return (await self.state.snapshot())()


async def test_each_worker_takes_over_its_own_part() -> None:
    """Breakers are the same in all: those of the last worker that reported."""
    workers = Workers()
    workers.answers = {1: saved("closed", 10), 2: saved("open", 20, NOW + 1)}
    document = await workers.save()
    assert document["saved_at"] == NOW + 1
    assert document["providers"] == {"p": {"breakers": {"": "open"}}}
    after = Workers()
    after.state.take(document, learned=True)
    for number, learned in ((1, 10), (2, 20)):
        breakers, own, _ = after.state.begins(number)
        assert breakers["providers"]["p"] == {"breakers": {"": "open"}}
        assert own["providers"]["p"] == {"learned": {"bound": learned}}


async def test_a_new_process_learns_of_breakers_from_the_others() -> None:
    """Once workers serve; what was saved at the start is out of date by then."""
    workers = Workers()
    workers.state.take(await _document(), learned=True)
    assert len(workers.state.begins(1)) == 3
    workers.state.served()
    assert ["breakers" in str(each) for each in workers.state.begins(1)] == [False, False]
    workers.state.heard(1, saved("closed", 33))
    assert workers.state.begins(1)[0]["providers"] == {"p": {"learned": {"bound": 33}}}


async def test_another_number_of_workers_begins_anew() -> None:
    """With what was learned, which is a part for each; not with breakers and budgets."""
    for count in (1, 3):
        workers = Workers(count)
        workers.state.take(await _document(), learned=True)
        breakers, budgets = workers.state.begins(1)
        assert breakers["providers"]
        assert budgets["budgets"] == {}


async def test_what_workers_said_last_is_saved() -> None:
    """They have ended by then, or do not answer; and until one reports, what was read stays."""
    workers = Workers()
    workers.state.take(await _document(), learned=True)
    workers.state.served()
    before = await _document()
    assert await workers.save() == before
    workers.state.heard(2, saved("half_open", 5, NOW + 9))
    document = await workers.save()
    assert document["providers"]["p"]["breakers"] == {"": "half_open"}
    assert [each["providers"]["p"]["learned"]["bound"] for each in document["workers"]] == [10, 5]


async def test_what_makes_no_sense_is_left_out() -> None:
    """A file may hold anything."""
    wrongs: list[dict[str, Any]] = [{"providers": 3}, {"workers": [1, {"saved_at": "x"}]}, {"workers": {}}]
    for wrong in wrongs:
        workers = Workers()
        workers.state.take({**await _document(), **wrong}, learned=True)
        assert all("saved_at" in each for each in workers.state.begins(1))


async def _document() -> dict[str, Any]:
    workers = Workers()
    workers.answers = {1: saved("closed", 10), 2: saved("open", 20)}
    return await workers.save()
