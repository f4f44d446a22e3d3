"""This machine's clock against the providers' clocks. Pure.

A clock that is wrong makes certificates look invalid, and moves the ends of budgets.
"""

from __future__ import annotations

from collections.abc import Collection

from aibridge_trio.doctor.finding import Finding

# Differences (seconds) that are a warning, and an error. A Date header has whole seconds, and may be cached.
_NOTABLE, _WRONG = 10.0, 60.0


def examine(offsets: Collection[float]) -> Finding:
    """Return the finding; `offsets` are this clock minus each provider's, in seconds.

    The smallest counts: a provider's clock may be wrong too, but hardly in the same way as ours.
    """
    if not offsets:
        return Finding("warning", "clock", "", "not compared, because no provider has sent its time")
    offset = min(offsets, key=abs)
    if abs(offset) <= _NOTABLE:
        return Finding("ok", "clock", "", f"within {_NOTABLE:.0f} s of the providers' clocks")
    side = "ahead of" if offset > 0 else "behind"
    return Finding(
        "error" if abs(offset) >= _WRONG else "warning",
        "clock",
        "",
        f"{abs(offset):.0f} s {side} the providers' clocks",
        "let NTP set it (timedatectl)",
    )
