"""What a governor saves for a restart, so that a bridge that comes back in an outage does not begin by hammering.

Saved is what was learned: the outage and its next canary, the bound, the window, the paces. Not saved is what is
at the provider, because it ends with the process; nor the outcomes that are evidence for a bound to come, nor what
headers told of quotas, which the next answer tells again; nor the quotas of callers' own keys, because the hashes
that name them have a new secret in each process.
"""

from __future__ import annotations

from aibridge_trio.core.adaptive.governor import Governor
from aibridge_trio.core.snapshots import Saved, number, restore, save

# A governor forgets what it has learned so many seconds after the last pushback.
_OUT_OF_DATE = 600.0
_NUMBERS = ("outage", "window", "_bound_before", "_pause", "_round_trips", "_last_level")
_TIMES = ("resumes_at", "_sent_at", "_outage_at", "_heard_at", "_last_at", "_told_at")


def snapshot_of(governor: Governor, now: float) -> Saved | None:
    """Return what a governor has learned, None for nothing."""
    if not governor.active:
        return None
    return {
        **save(governor, _NUMBERS, _TIMES, now),
        "background": governor.evidence.background,
        "bound": governor.bound.snapshot(now),
        "quotas": governor.quotas.snapshot(now),
    }


def restore_governor(governor: Governor, saved: Saved, now: float, elapsed: float) -> None:
    """Let a new governor take over what was saved `elapsed` seconds ago; what is out of date it ignores.

    Out of date is what had its last pushback ten minutes ago. Raises ValueError for what is no snapshot.
    """
    ages = [number(saved, name) for name in ("last_at", "told_at") if saved.get(name) is not None]
    if not ages or min(ages) + elapsed > _OUT_OF_DATE:
        return
    at = now - elapsed
    restore(governor, saved, _NUMBERS, _TIMES, at)
    governor.evidence.restore(saved.get("background"))
    governor.bound.restore_snapshot(saved.get("bound"), at)
    governor.quotas.restore(saved.get("quotas"), at)
    governor.active = True
