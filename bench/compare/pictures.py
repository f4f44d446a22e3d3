"""The pictures beside the page of results."""

from __future__ import annotations

from collections.abc import Iterator

from bench.compare.plot import bars, lines
from bench.compare.report import Run
from bench.compare.scenarios.overload import LOADS, UNLOADED


def pictures(run: Run) -> Iterator[tuple[str, str]]:
    """Yield the name and the SVG of each picture for which something was measured."""
    for file, title, quantity, unit in (
        ("requests.svg", "Requests a second on one core, 32 in flight (logarithmic)", "requests_per_s@32", "/s"),
        ("events.svg", "CPU per relayed event, 50 streams × 40/s (logarithmic)", "cpu_us_per_event@50", "µs"),
    ):
        values = {
            peer: value
            for peer in run.readings.peers(quantity)
            if peer != "straight" and (value := run.readings.median(peer, quantity))
        }
        if len(values) > 1:
            yield (
                file,
                bars(title, dict(sorted(values.items(), key=lambda each: each[1])), unit=unit, own=run.bridges),
            )
    loads = (UNLOADED, *LOADS)
    series = {
        name: [
            (load, value)
            for load in loads
            if (value := run.readings.median(peer, f"load_goodput@{load}")) is not None
        ]
        for name, peer in (("AI Bridge", run.bridges[0]), ("straight", "straight"))
    }
    if all(len(line) > 1 for line in series.values()):
        title = "Served in time, of what the provider can do, by offered load"
        yield "overload.svg", lines(title, series, across="times what the provider can do (logarithmic)")
