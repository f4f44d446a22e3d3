"""What a limiter has learned, and why, as text for people: the same in log lines and in the dashboard."""

from __future__ import annotations

import math
from collections.abc import Iterator

from aibridge_trio.core.adaptive.governor import GovernorStats
from aibridge_trio.core.adaptive.limiter import AdaptiveStats

# From this share on pushbacks that do not depend on load are worth a word: the learned share is never below 0.05.
_NOTABLE = 0.1
# Seconds are shown up to here, then minutes; a pace has a fraction below this number.
_SECONDS, _WHOLE = 100, 10
# Shorter pauses are those of a pace (seconds).
_PAUSE = 1.0
# Texts for causes of pushbacks that are no statuses.
_CAUSES = {"refused": "no connection", "overload": "overload event"}


def limits(stats: AdaptiveStats, age: float = 0.0) -> str:
    """Return what limits requests and the last pushback; "" if nothing does. The stats are `age` seconds old.

    For example `41 in flight learned, 529 at 42, 3 s ago`.
    """
    governor = stats.governor
    found = [*_limits(governor, age)]
    if stats.paced_keys:
        found.append(f"{stats.paced_keys} own key{'s' if stats.paced_keys > 1 else ''} paced")
    if found and governor.cause is not None:
        cause = _CAUSES.get(governor.cause, governor.cause)
        found.append(f"{cause} at {governor.cause_level}, {_span(governor.ago + age)} ago")
    return ", ".join(found)


def line(stats: AdaptiveStats) -> str:
    """Return how many requests are held, and of how many callers; "" if none is."""
    if not stats.held:
        return ""
    return f"{stats.held:,} held of {stats.callers:,} caller{'s' if stats.callers != 1 else ''}"


def _limits(governor: GovernorStats, age: float) -> Iterator[str]:
    resumes_in = governor.resumes_in - age
    if governor.outage:
        canary = f"in {_span(math.ceil(resumes_in))}" if resumes_in > 0 else "sent" if governor.starts else "next"
        yield f"outage, canary {canary}"
    elif resumes_in >= _PAUSE:
        yield f"next start in {_span(math.ceil(resumes_in))}"
    if governor.bound < math.inf:
        yield f"{governor.bound:.0f} in flight learned"
    if governor.pace < math.inf:
        yield f"paced at {_rate(governor.pace)}{' tokens' if governor.by_tokens else ''}/s, quota"
    if not governor.outage and governor.starts >= governor.window:
        yield f"{int(governor.window)} may start at once"
    if governor.active and governor.background >= _NOTABLE:
        yield f"{100 * governor.background:.0f}% pushed back at any load"


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= _WHOLE else f"{per_second:.2g}"


def _span(seconds: float) -> str:
    return f"{int(seconds)} s" if seconds < _SECONDS else f"{int(seconds / 60)} min"
