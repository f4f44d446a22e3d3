"""On which terms gateways are asked: how they are configured, and how patient the questions are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Setup(Enum):
    """What a gateway is configured for; each question names the one it needs."""

    PLAIN = auto()  # nothing in the way
    FULL = auto()  # `limit` requests at once
    CALLERS = auto()  # `rate` requests a caller: a second, or a minute where it can't be had by the second
    BREAKER = auto()  # open for `cooldown` after `threshold` failures, then `probes` at once
    TOLD = auto()  # the same, open at the first failure, and for as long as the provider says
    FAIR = auto()  # `slots` requests at once, of which no caller shall keep the others out
    GOODPUT = auto()  # a provider with a capacity and a central key, for bench/goodput; no question is about it


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Counts, and seconds. Adapters configure by the first part, questions measure by the second."""

    limit: int = 4
    rate: int = 5
    threshold: int = 5
    cooldown: float = 2.0
    probes: int = 3
    told: int = 30
    slots: int = 12
    share: int = 3

    at_once: float = 0.05  # a reject
    back: float = 1.0  # a slot, after its caller has left
    stall: float = 75.0  # how long a reader may stall and keep its slot
    patience: float = 10.0  # with one answer
    deadline: float = 60.0  # of a question
    greed: int = 100  # requests that the greedy caller has waiting at any time
    polite: int = 9  # callers with one request at a time
    pause: float = 4.0  # before the greedy caller replaces one that was turned away
    work: float = 0.3  # that the provider takes for an answer, in the question of fairness
    fair_for: float = 8.0
    fair_wait: float = 1.5  # how long a polite caller may be kept waiting


# A reject says one of these.
REJECTED = (429, 503, 529)
