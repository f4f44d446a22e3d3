"""The lines on the whole bridge: requests, rejects, requests in flight, the queue. Pure."""

from __future__ import annotations

from aibridge_trio.config.units import show_duration
from aibridge_trio.top.data.document import Document, Queue
from aibridge_trio.top.data.history import TRACE, Picture, levels
from aibridge_trio.top.data.rates import QueueRates
from aibridge_trio.top.screen.text import (
    BOLD,
    DIM,
    GREEN,
    PLAIN,
    YELLOW,
    Line,
    bar,
    count,
    latency,
    length,
    rate,
    sparkline,
)
from aibridge_trio.top.view import ROOMY

# More columns would be shorter than three seconds each, which flickers.
_LONGEST_TRACE = 100
# On narrower screens lines are cut at the right (cells).
_USUAL = 80
# The cells of a meter.
_BAR = 20


def totals(picture: Picture, width: int, now: float) -> list[Line]:
    """Return requests and rejects with sparklines, the concurrency as a bar, the rate limit, the queue if any."""
    document = picture.document
    room = min(max(5, width - 47), _LONGEST_TRACE)
    minutes = f"{TRACE / 60:.0f} min"
    lines: list[Line] = []
    for name, per_second, total, pick, style in (
        ("requests", picture.requests, document.requests, lambda each: each.requests, PLAIN),
        ("rejects", picture.rejects, sum(document.rejects.values()), lambda each: each.rejects, YELLOW),
    ):
        values = levels(picture.spans, pick, columns=room, now=now)
        peak = max((value for value in values if value), default=None)
        lines.append(
            [
                (f"{name:<10}", BOLD),
                (f"{rate(per_second):>6}/s", style if per_second else DIM),
                (f"{count(total):>8} ", PLAIN),
                (sparkline(values), style if peak else DIM),
                (f" {minutes}, peak {rate(peak)}/s", DIM),
            ]
        )
    lines.append(_in_flight(document, width))
    if document.queue.size:
        lines.append(_queue(document.queue, picture.queue, width))
    return lines


def _in_flight(document: Document, width: int) -> Line:
    limit = document.limit
    full = bool(limit) and document.in_flight >= limit
    of = f"{document.in_flight} of {limit}" if limit else f"{document.in_flight}, no limit"
    gauge = bar(document.in_flight, limit, _BAR) if limit else ""
    rate_limit = f"{document.rate_limit}/s a caller" if document.rate_limit else "off"
    if document.own_rates:
        rate_limit = f"{rate_limit}, or its own" if document.rate_limit else "each caller's own"
    limited = document.rate_limit or document.own_rates
    active = f", {document.active_callers} active" if limited else ""
    # On narrower screens they are in the tables of callers and providers.
    each = (("a caller", document.per_caller), ("a provider", document.per_provider))
    limits = "".join(f", {most} {whose}" for whose, most in each if most) if width >= ROOMY else ""
    line: Line = [
        (f"{'in flight':<10}", BOLD),
        (f"{gauge} " if limit else "", f"bold {YELLOW}" if full else GREEN),
        (of, f"bold {YELLOW}" if full else PLAIN),
        (limits, DIM),
        ("   rate limit ", BOLD),
        (rate_limit, PLAIN),
        (active, DIM),
    ]
    # A cut number would be misread; drop whole parts instead.
    for spare in ((limits, DIM), (f"{gauge} ", f"bold {YELLOW}" if full else GREEN), (active, DIM)):
        line = line if length(line) <= max(width, _USUAL) else [cell for cell in line if cell != spare]
    return line


def _queue(queue: Queue, rates: QueueRates, width: int) -> Line:
    """The queue: requests that wait, wait times, and the pace at which slots become free."""
    full = queue.waiting >= queue.size
    style = f"bold {YELLOW}" if full else YELLOW if queue.waiting else DIM
    line: Line = [
        (f"{'queue':<10}", BOLD),
        (f"{bar(queue.waiting, queue.size, _BAR)} ", f"bold {YELLOW}" if full else GREEN),
        (f"{count(queue.waiting)} of {count(queue.size)}", style),
        ("  wait ", BOLD),
        (f"p50 {latency(rates.p50)} p99 {latency(rates.p99)}", PLAIN if rates.p50 is not None else DIM),
        ("  pace ", BOLD),
        (f"{rate(queue.pace)}/s", PLAIN if queue.pace else DIM),
    ]
    if length(line) > max(width, _USUAL):
        del line[1]
    callers = "1 caller waits" if queue.callers == 1 else f"{count(queue.callers)} callers wait"
    for more in (f"  {callers}", f", at most {show_duration(queue.timeout)}"):
        if width < ROOMY or length([*line, (more, DIM)]) > width:
            break
        line.append((more, DIM))
    return line
