"""When the bridge says that an adaptive limiter begins or ends to limit."""

from __future__ import annotations

import math

import trio
import trio.testing
from trio.testing import MockClock

from aibridge_trio.core.adaptive.entry import Pushback
from aibridge_trio.events import Event, LimitChanged
from aibridge_trio.gateway.adaptive_line import AdaptiveLine, LineEntry
from aibridge_trio.gateway.buffering import BufferMemory
from aibridge_trio.gateway.limit_changes import LimitChanges
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.providers.quota_headers import QUOTAS
from tests.support.handlers import MESSAGES, failing, ok
from tests.support.network import Network


class Going(LineEntry):
    """A request for which the bridge has all it needs."""

    __slots__ = ()

    def may_go(self) -> bool:
        """Return True."""
        return True


def a_line(provider: str = "openai") -> AdaptiveLine:
    """Return a line on the virtual clock."""
    return AdaptiveLine(provider, trio.current_time, BufferMemory(0), trio.current_time, quotas=QUOTAS[provider])


def push_back(line: AdaptiveLine, pushback: Pushback) -> None:
    """Let a request be pushed back that is not sent again."""
    entry = Going("a", deadline=-math.inf)
    assert line.limiter.enter(entry, trio.current_time())
    line.limiter.pushed_back(entry, pushback, trio.current_time())


def answer(line: AdaptiveLine) -> None:
    """Let a request be answered."""
    entry = Going("a")
    assert line.limiter.enter(entry, trio.current_time())
    line.limiter.accepted(entry, trio.current_time())
    line.limiter.leave(entry, trio.current_time())


async def outage(line: AdaptiveLine) -> None:
    """Let nothing but pushbacks come until the limiter takes it for an outage."""
    while not line.limiter.governor.outage:
        push_back(line, Pushback("529"))
        await trio.sleep(0.1)


async def test_an_outage_begins_and_ends(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """With what was learned, in words; of the provider whose it is."""
    told: list[Event] = []
    sick, well = a_line("anthropic"), a_line("openai")
    nursery.start_soon(LimitChanges([well, sick], told.append).run)
    await outage(sick)
    await trio.sleep(1)
    [began] = told
    assert isinstance(began, LimitChanged)
    assert (began.provider, began.source, began.target) == ("anthropic", "unlimited", "outage")
    assert began.because.startswith("outage, canary ")
    assert "529 at 1, " in began.because
    await trio.sleep(20)
    answer(sick)
    await trio.sleep(2)
    [_, ended] = told
    assert ended == LimitChanged("anthropic", "outage", "unlimited", "outage over")


async def test_a_pace_is_published_when_it_is_learned(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Once, though it changes all the time; and when it is forgotten."""
    told: list[Event] = []
    line = a_line()
    nursery.start_soon(LimitChanges([line], told.append).run)
    push_back(line, Pushback("429", quota=True, retry_after=1.0))
    await trio.sleep(30)
    [event] = told
    assert isinstance(event, LimitChanged)
    assert (event.source, event.target) == ("unlimited", "limited")
    assert event.because == "paced at 1/s, quota, 429 at 1, 1 s ago"
    await trio.sleep(600)
    answer(line)
    await trio.sleep(2)
    assert told[1:] == [LimitChanged("openai", "limited", "unlimited", "no limit any more")]


async def test_a_provider_that_comes_and_goes_causes_few_events(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """One in ten seconds, and the last state is published."""
    told: list[Event] = []
    line = a_line()
    nursery.start_soon(LimitChanges([line], told.append).run)
    began = trio.current_time()
    while trio.current_time() < began + 60:
        await outage(line)
        await trio.sleep(5)
        answer(line)
        await trio.sleep(0.3)
    await trio.sleep(11)
    assert 2 <= len(told) <= 8
    assert isinstance(told[-1], LimitChanged)
    assert told[-1].target == "unlimited"


async def test_without_lines_no_timer_runs(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Without --adaptive nothing is looked at; a reload that switches it on brings lines."""
    told: list[Event] = []
    changes = LimitChanges([], told.append)
    nursery.start_soon(changes.run)
    await trio.testing.wait_all_tasks_blocked()
    assert trio.lowlevel.current_statistics().seconds_to_next_deadline == math.inf
    line = a_line()
    changes.apply([line])
    await outage(line)
    await trio.sleep(1)
    assert [type(event) for event in told] == [LimitChanged]


async def test_a_bridge_says_what_it_learns(autojump_clock: MockClock, network: Network) -> None:
    """In its events, whose last one is the end of the outage."""

    async def ill_for_a_while(request: Request, reply: Reply) -> None:
        await (ok if trio.current_time() > began + 20 else failing(529))(request, reply)

    began = trio.current_time()
    await network.answer("anthropic", ill_for_a_while)
    async with network.bridge(adaptive=True) as bridge:
        assert (await bridge.client.post(MESSAGES, content=b"{}")).status_code == 200
        await trio.sleep(12)
        events = [(event.provider, event.target) for event in bridge.published(LimitChanged)]
        assert events[0] == ("anthropic", "outage")
        assert events[-1] == ("anthropic", "unlimited")
        shown = [event for event in (await bridge.status())["events"] if event["kind"] == "adaptive"]
        assert [(event["provider"], event["to"]) for event in shown] == events
