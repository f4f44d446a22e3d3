"""The gateways of the scorecard: the bridge, and every other one that is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.compare.process import Failed
from bench.scorecard.gateways import Cast, Gateway, aibridge, envoy, litellm, portkey, runs, smg

# In the order of the card's columns.
KNOWN: Mapping[str, Callable[[], Gateway | None]] = {
    "aibridge": aibridge.gateway,
    "envoy": envoy.gateway,
    "smg": smg.gateway,
    "litellm": litellm.gateway,
    "portkey": portkey.gateway,
}


def choose(wanted: Sequence[str], bridge: str | None) -> Cast:
    """Return those who are wanted; `bridge` is another executable in place of this checkout's."""
    if bridge and not runs(bridge):
        raise Failed(f"no aibridge at {bridge}")
    found = {
        name: aibridge.gateway(bridge) if bridge and name == "aibridge" else KNOWN[name]()
        for name in KNOWN
        if name in wanted
    }
    return Cast([each for each in found.values() if each], [name for name in found if not found[name]])
