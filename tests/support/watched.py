"""Streams of status documents, and histories of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from aibridge_trio.top.data.document import Breaker, Document, Provider
from aibridge_trio.top.data.history import History, Picture

INF = math.inf

CLOSED = Breaker(
    enabled=True,
    state="closed",
    mode="auto",
    since=0.0,
    left=None,
    failures=0,
    threshold=5,
    probes=0,
    max_probes=3,
    trips=0,
    rejects=0,
    verdicts={},
)


def a_provider(requests: int) -> Provider:
    """A provider, all of whose counters follow from one number."""
    return Provider(
        name="openai",
        in_flight=0,
        breaker=replace(CLOSED, rejects=requests // 5),
        responses={"200": requests - requests // 7, "429": requests // 7},
        errors={},
        first_bytes={0.1: requests // 2, 1.0: requests - requests // 10, INF: requests},
        tokens={"input": 3 * requests, "output": 2 * requests},
    )


def said(uptime: float, requests: int = 0, rejects: int = 0, *, started_at: float = 1000.0) -> Document:
    """What a bridge of one provider says; a third of the rejects is for the rate."""
    return Document(
        version="0.2.0",
        now=started_at + uptime,
        started_at=started_at,
        uptime=uptime,
        draining=False,
        limit=0,
        in_flight=0,
        rate_limit=0,
        own_rates=False,
        active_callers=0,
        requests=requests,
        rejects={"capacity": rejects - rejects // 3, "rate_limit": rejects // 3},
        providers=(a_provider(requests),),
        callers=(),
        events=(),
    )


def watched(*documents: Document) -> History:
    """A history of documents that came when the bridge's own clock says."""
    history = History()
    for document in documents:
        history.add(document, document.uptime)
    return history


def pictured(history: History, interval: float = 10.0) -> Picture:
    """The picture, where there is one."""
    picture = history.picture(interval)
    assert picture is not None
    return picture


@dataclass(frozen=True)
class Step:
    """What happens until the next document: time, requests and rejects, its delay, and perhaps a new process."""

    after: float
    requests: int
    rejects: int
    delay: float
    # At which part of the time a new process takes the old one's place.
    restart: float | None


STEPS = st.lists(
    st.builds(
        Step,
        # Transitions come at once, documents every second, and a connection may be lost for a minute.
        after=st.sampled_from([0.0, 0.001, 0.004, 0.3, 1.0, 1.0, 1.0, 1.0, 2.0, 20.0]),
        requests=st.integers(0, 30),
        rejects=st.integers(0, 9),
        delay=st.sampled_from([0.0, 0.0, 0.02, 0.4]),
        restart=st.sampled_from([None, None, None, None, None, 0.0, 0.5, 0.9]),
    ),
    min_size=1,
    max_size=60,
)


class World:
    """Bridges one after the other, all their documents, and what really happened."""

    def __init__(self, *, tells_start: bool) -> None:
        self.history = History()
        self.tells_start = tells_start
        self.time = 5000.0
        self.began = 4990.0
        self.at = self.time
        # The documents of the process that lives, and what was seen of all processes since the first document.
        self.documents = [self.document(100, 10)]
        self.requests = self.rejects = 0
        self.history.add(self.documents[0], self.at)

    def document(self, requests: int, rejects: int) -> Document:
        """What the process that lives says now."""
        started_at = self.began if self.tells_start else 0.0
        return said(round(self.time - self.began, 3), requests, rejects, started_at=started_at)

    def go(self, step: Step) -> None:
        """Let time pass until the next document has come."""
        last, began = self.documents[-1], self.time
        self.time = round(self.time + step.after, 3)
        # One comes after the other, if only by so much.
        self.at = max(self.at + 1e-6, self.time + step.delay)
        # No bridge is gone and back within milliseconds.
        if step.restart is not None and step.after >= 0.3:
            self.began = round(began + step.restart * step.after, 3)
            document = self.document(step.requests, step.rejects)
            # An older bridge that has run for longer, and done more, than the one before is not told apart.
            if self.tells_start or document.uptime < last.uptime or step.requests < last.requests:
                self.documents = [document]
                self.history.add(document, self.at)
                self.requests += step.requests
                self.rejects += step.rejects
                return
            self.began = self.time - last.uptime - step.after
        document = self.document(last.requests + step.requests, sum(last.rejects.values()) + step.rejects)
        self.documents.append(document)
        self.history.add(document, self.at)
        self.requests += step.requests
        self.rejects += step.rejects


def played(steps: list[Step], *, tells_start: bool) -> World:
    """A world in which all this has happened."""
    world = World(tells_start=tells_start)
    for step in steps:
        world.go(step)
    return world
