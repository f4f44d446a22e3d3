"""What samples at rest say: what has leaked, what drifts, and whether that is near zero. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import median

# The first part of a run, in which tables that are bounded by number fill and the allocator finds its size.
WARM_UP = 0.2
# Slopes are reported per so many requests.
PER = 100_000


@dataclass(frozen=True, slots=True)
class Sample:
    """The bridge at one rest. `held` counts slots, permits and queued requests, by place."""

    requests: int
    seconds: float
    resident: int  # KiB
    descriptors: int
    tcp: int
    threads: int
    tasks: int
    objects: int
    blocks: int
    garbage: int
    held: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Drifting:
    """What may vary a little: it drifts if it grows by more than `bound` per 100,000 requests.

    `grain` is what it varies by without any requests: a growth that is less, over all that was seen, is none. So a
    short run, whose slope is drawn out long, says no more than it knows.
    """

    what: str
    unit: str
    of: Callable[[Sample], float]
    bound: float
    grain: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the verdict."""

    text: str
    bad: bool


DRIFTING = (
    # The allocator finds its size slowly: what is large at once is at once more, now and then, and leaves holes.
    # That was 1 to 2 MiB within the first 20,000 requests and some 1 MiB in the 80,000 behind. What is small and
    # stays is seen below; this is for what is large. 3 MiB are 31 bytes a request.
    Drifting("resident memory", "KiB", lambda sample: sample.resident, bound=3072, grain=3072),
    # Behind the warm-up their number at rests was the same, or the same but for four. 200 are what fifty events
    # told and some callers' keys that rest may come to; a leak in one of 500 requests is more.
    Drifting("objects", "", lambda sample: sample.objects, bound=200, grain=200),
    # What the collector does not see, bytes and strings and numbers. 200 to 400 were taken per 100,000 requests,
    # and 1,000 at first: each of several hundred counters is a block as soon as it is greater than 256.
    Drifting("memory blocks", "", lambda sample: sample.blocks, bound=2000, grain=2000),
)
# At rest there are no more of these than before the first request.
EXACT: Mapping[str, Callable[[Sample], int]] = {
    "descriptors": lambda sample: sample.descriptors,
    "TCP connections": lambda sample: sample.tcp,
    "threads": lambda sample: sample.threads,
    "Trio tasks": lambda sample: sample.tasks,
}


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes between all pairs (Theil and Sen): no single outlier moves it."""
    slopes = [(y - b) / (x - a) for (a, b), (x, y) in combinations(points, 2) if x != a]
    return median(slopes) if slopes else 0.0


def settled(samples: Sequence[Sample]) -> list[Sample]:
    """Return those behind the warm-up."""
    begin = WARM_UP * samples[-1].requests
    return [sample for sample in samples if sample.requests >= begin]


def judge(samples: Sequence[Sample]) -> list[Finding]:
    """Judge a run by its samples, of which the first was taken before the first request."""
    return [*_leaks(samples), *(_drift(each, settled(samples)) for each in DRIFTING)]


def leaked(samples: Sequence[Sample]) -> bool:
    """Tell whether something was left that no further request can make good."""
    return any(finding.bad for finding in _leaks(samples))


def grown(samples: Sequence[Sample], most: int = 8) -> list[tuple[str, int]]:
    """Return the kinds of objects of which there are more at the end, those that grew most first.

    More than behind the warm-up, if there was anything behind it.
    """
    first, last = settled(samples)[0], samples[-1]
    if first is last:
        first = samples[0]
    growth = [(kind, count - first.kinds.get(kind, 0)) for kind, count in last.kinds.items()]
    return sorted((each for each in growth if each[1] > 0), key=lambda each: -each[1])[:most]


def _leaks(samples: Sequence[Sample]) -> Iterator[Finding]:
    for what, of in EXACT.items():
        first, most = of(samples[0]), max(map(of, samples))
        if most > first:
            yield Finding(f"{what}: {first} at the start, {most} at rest: leaked", bad=True)
        else:
            yield Finding(f"{what}: {first} at the start, never more at rest", bad=False)
    held = [(place, number, sample) for sample in samples for place, number in sample.held.items()]
    for place, number, sample in held:
        yield Finding(f"{place}: {number} at rest after {sample.requests:,} requests: leaked", bad=True)
    if not held:
        yield Finding("slots, permits, places in queues: 0 at each rest", bad=False)


def _drift(each: Drifting, samples: Sequence[Sample]) -> Finding:
    by = slope([(sample.requests, each.of(sample)) for sample in samples])
    seen = by * (samples[-1].requests - samples[0].requests)
    bad = by * PER > each.bound and seen > each.grain
    unit = f" {each.unit}" if each.unit else ""
    return Finding(
        f"{each.what}: {by * PER:+,.0f}{unit} per {PER:,} requests (bound {each.bound:,.0f}), "
        f"{seen:+,.0f} seen (grain {each.grain:,.0f}): {'drifts' if bad else 'near zero'}",
        bad=bad,
    )
