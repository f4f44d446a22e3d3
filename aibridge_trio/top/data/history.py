"""The last minutes of status documents: rates over an interval, and spans for sparklines. Pure: time is passed in.

Counters start at 0 when the bridge restarts, and so do rates: they are never negative and count nothing twice.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aibridge_trio.top.data.document import Caller, Document
from aibridge_trio.top.data.rates import ProviderRates, QueueRates, per_second, provider_rates, queue_rates

# The time that sparklines show (seconds).
TRACE = 300.0
# The longest interval of rates (seconds). Documents are kept for as long at one per second, a little shorter if
# transitions send more.
LONGEST_INTERVAL = 240.0
_KEPT = int(LONGEST_INTERVAL)
_MAX_SPANS = 3000
# Shorter spans (seconds) are joined with the one before, unless that is long: a burst of documents neither
# displaces earlier spans nor looks like a peak.
_BRIEF, _LONG = 0.5, 2.0
# Rates over a shorter time are mostly noise (seconds).
_SHORTEST = 0.9
# Documents come a little early or late: this share of the interval may be missing.
_SLACK = 0.05
# The bridge's clock is mapped to ours by the quickest of so many documents.
_QUICKEST_OF = 60
# If the mapping moves by more than this (seconds), one of the machines was suspended.
_SLEPT = 5.0
# The least time between two documents (seconds).
_INSTANT = 1e-6
# A bridge that started more than this (seconds) before the last document is another bridge, not a restart.
_LATE = 2.0
# Callers in a document at most.
_MOST_CALLERS = 20
# The status of requests whose caller left before an answer.
_LEFT = "499"
# A caller with fewer requests in the interval is not called starved.
_FEW = 3


@dataclass(frozen=True, slots=True)
class Span:
    """Counts between two documents, from `start` to `end`: the bridge's times, mapped to this program's clock."""

    start: float
    end: float
    requests: int
    rejects: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that a frame shows of the bridge.

    Rates are per second over the last `over` seconds, or since the start of the bridge (`since_start`) before
    there is a second document. `received` is when the newest document came, on this program's clock. `refused` and
    `admin_refused` are connections, by cause. `left` is the rate of callers that left before an answer. `starved`
    is the caller with the largest share of rejects among its requests, and that share (0 to 1).
    """

    document: Document
    received: float
    over: float
    since_start: bool
    requests: float | None
    rejects: float | None
    reasons: Mapping[str, float | None]
    would_reject: Mapping[str, float | None]
    queue: QueueRates
    providers: tuple[ProviderRates, ...]
    callers: tuple[tuple[Caller, float | None], ...]
    spans: tuple[Span, ...]
    refused: Mapping[str, float | None]
    admin_refused: Mapping[str, float | None]
    left: float
    starved: tuple[str, float] | None


class History:
    """The documents of the last minutes, so many at most."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._documents: deque[Document] = deque(maxlen=min(kept, _KEPT))
        self._spans: deque[Span] = deque(maxlen=_MAX_SPANS)
        # The bridge's start on our clock, computed from each document; late documents give later values.
        self._origins: deque[float] = deque(maxlen=_QUICKEST_OF)
        self._received = 0.0
        # The time of the newest document on our clock: the end of the last span.
        self._true_at = 0.0

    def add(self, document: Document, at: float) -> bool:
        """Add the next document, received at `at`; returns whether it has a restart, an event or a drain."""
        last = self._documents[-1] if self._documents else None
        began = at - document.uptime
        if last is None or restarted(last, document):
            # For a bridge that ran before, the times of its counts are unknown.
            if last and began >= self._received - _LATE:
                self._note(_nothing_before(document), document, max(self._true_at, began), at)
            self._true_at = at
            self._documents.clear()
            self._origins.clear()
            happened = True
        else:
            origin = min(*self._origins, began)
            if origin < min(self._origins) - _SLEPT:
                self._spans.clear()
                self._true_at = origin + last.uptime
            start, self._true_at = self._true_at, min(at, max(self._true_at + _INSTANT, origin + document.uptime))
            self._note(last, document, start, self._true_at)
            happened = last.events != document.events or last.draining != document.draining
        self._origins.append(began)
        self._documents.append(document)
        self._received = at
        while self._spans and self._spans[0].end < at - TRACE:
            self._spans.popleft()
        return happened

    def picture(self, interval: float) -> Picture | None:
        """Return the newest document with its rates over `interval` seconds; None before the first."""
        if not self._documents:
            return None
        new = self._documents[-1]
        old = self._baseline(interval)
        base = old or _nothing_before(new)
        over = new.uptime - base.uptime
        before = {provider.name: provider for provider in base.providers}

        def rate(count: Callable[[Document], int]) -> float | None:
            return per_second(count(new) - count(base), over)

        return Picture(
            document=new,
            received=self._received,
            over=over,
            since_start=old is None,
            requests=rate(lambda each: each.requests),
            rejects=rate(lambda each: sum(each.rejects.values())),
            reasons=_by_reason(new.rejects, base.rejects, over),
            would_reject=_by_reason(new.would_reject, base.would_reject, over),
            queue=queue_rates(new.queue, base.queue, over),
            providers=tuple(provider_rates(each, before.get(each.name), over) for each in new.providers),
            callers=_caller_rates(new, base, over),
            spans=tuple(self._spans),
            refused=_by_reason(new.callers_connections.refused, base.callers_connections.refused, over),
            admin_refused=_by_reason(new.admin_connections.refused, base.admin_connections.refused, over),
            left=rate(lambda each: each.statuses.get(_LEFT, 0)) or 0.0,
            starved=_starved(new, base),
        )

    def _baseline(self, interval: float) -> Document | None:
        """The newest document that is at least an interval old, else the oldest usable one."""
        new = self._documents[-1]
        useful = [each for each in self._documents if new.uptime - each.uptime >= _SHORTEST]
        enough = [each for each in useful if new.uptime - each.uptime >= interval * (1 - _SLACK)]
        return enough[-1] if enough else useful[0] if useful else None

    def _note(self, old: Document, new: Document, start: float, end: float) -> None:
        requests = new.requests - old.requests
        rejects = max(0, sum(new.rejects.values()) - sum(old.rejects.values()))
        span = Span(start, end, requests, rejects)
        if self._spans and _joins(self._spans[-1], span):
            last = self._spans.pop()
            span = Span(last.start, end, last.requests + requests, last.rejects + rejects)
        self._spans.append(span)


def restarted(old: Document, new: Document) -> bool:
    """Tell whether the newer document comes from another process than the older one."""
    return new.started_at != old.started_at or new.uptime < old.uptime or new.requests < old.requests


def levels(
    spans: Sequence[Span], count: Callable[[Span], int], *, columns: int, now: float, minutes: float = TRACE
) -> list[float | None]:
    """Return rates of the last minutes in so many columns, the newest last; None where nothing is known.

    Columns begin at multiples of their width, so that the sparkline moves and does not flicker. Counts are spread
    evenly over their span.
    """
    width = minutes / columns
    last = math.floor(now / width)
    sums, covered = [0.0] * columns, [0.0] * columns
    for span in spans:
        length = span.end - span.start
        first = max(math.floor(span.start / width), last - columns + 1)
        for number in range(first, min(math.floor(span.end / width), last) + 1):
            part = min(span.end, (number + 1) * width) - max(span.start, number * width)
            if part > 0 and length > 0:
                sums[number - last + columns - 1] += count(span) * part / length
                covered[number - last + columns - 1] += part
    return [total / time if time else None for total, time in zip(sums, covered, strict=True)]


def _joins(last: Span, span: Span) -> bool:
    lasted = last.end - last.start
    return last.end == span.start and lasted < _LONG and min(lasted, span.end - span.start) < _BRIEF


def _nothing_before(document: Document) -> Document:
    """The document of the same process at its start, with counters at 0."""
    return Document(
        version=document.version,
        now=document.now - document.uptime,
        started_at=document.started_at,
        uptime=0.0,
        draining=False,
        limit=document.limit,
        in_flight=0,
        rate_limit=document.rate_limit,
        active_callers=0,
        own_rates=document.own_rates,
        requests=0,
        rejects={},
        providers=(),
        callers=(),
        events=(),
    )


def _by_reason(new: Mapping[str, int], base: Mapping[str, int], over: float) -> dict[str, float | None]:
    return {reason: per_second(count - base.get(reason, 0), over) for reason, count in new.items()}


def _caller_rates(new: Document, base: Document, over: float) -> tuple[tuple[Caller, float | None], ...]:
    """Callers, the busiest of the interval first. Callers with the same hint are ambiguous and have no rate."""
    before = {caller.hint: caller.requests for caller in base.callers}
    hints = [
        *Counter(each.hint for each in new.callers).items(),
        *Counter(each.hint for each in base.callers).items(),
    ]
    ambiguous = {hint for hint, times in hints if times > 1}

    def rate(caller: Caller) -> float | None:
        # The document names only the busiest: a caller that is new in it may have been there before.
        if caller.hint in ambiguous or (caller.hint not in before and len(base.callers) >= _MOST_CALLERS):
            return None
        gained = caller.requests - before.get(caller.hint, 0)
        # A caller that was evicted and came back is counted from 0 again.
        return per_second(gained if gained >= 0 else caller.requests, over)

    rated = [(caller, rate(caller)) for caller in new.callers]
    return tuple(sorted(rated, key=lambda each: (each[1] or 0.0, each[0].requests), reverse=True))


def _starved(new: Document, base: Document) -> tuple[str, float] | None:
    """The caller with the largest share of rejects; ambiguous and new callers are left out."""
    hints = Counter(each.hint for document in (new, base) for each in document.callers)
    before = {each.hint: each for each in base.callers if hints[each.hint] == 2}  # noqa: PLR2004 - once in each
    shares = [
        ((each.rejects - before[each.hint].rejects) / asked, each.hint)
        for each in new.callers
        if each.hint in before and (asked := each.requests - before[each.hint].requests) >= _FEW
    ]
    share, hint = max(shares, default=(0.0, ""))
    return (hint, min(1.0, share)) if share > 0 else None
