from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio import errors
from aibridge_trio.errors import Phase, Reject


def headers(reject: Reject, jitter: float = 0.0) -> dict[bytes, bytes]:
    """Return the reject's headers by name."""
    pairs = reject.headers(jitter)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@given(st.text(), st.sampled_from(errors.PHASES))
def test_the_detail_of_a_fault_is_printable_and_bounded(detail: str, phase: Phase) -> None:
    """Whatever a peer caused, a fault is one line of at most 200 characters after its cause."""
    fault = errors.UpstreamFault(phase, detail)
    assert fault.detail.isprintable()
    assert len(fault.detail) <= 200
    assert str(fault) == (f"{fault.cause}: {fault.detail}" if detail else fault.cause)


def test_a_fault_is_a_break_and_counts_unless_said_otherwise() -> None:
    """By default a fault is no timeout, is not neutral, and no bound ended it."""
    fault = errors.UpstreamFault("head", "reset")
    assert (fault.timeout, fault.neutral, fault.bound) == (False, False, None)
    slow = errors.UpstreamFault("head", "slow", timeout=True, neutral=True, bound=2.5)
    assert (slow.timeout, slow.neutral, slow.bound) == (True, True, 2.5)


@pytest.mark.parametrize(
    ("wait", "jitter", "milliseconds", "seconds"),
    [
        (1.0, 0.0, 1000, 1),
        (1.0, 0.2, 1200, 2),
        (0.0004, 0.0, 1, 1),
        (0.25, 0.0, 250, 1),
        (1.0005, 0.0, 1001, 2),
        (25.5, 0.125, 28688, 29),
        (30.0, 0.0, 30000, 30),
    ],
)
def test_waits(wait: float, jitter: float, milliseconds: int, seconds: int) -> None:
    """Milliseconds and seconds are the jittered wait rounded up, and seconds are never zero."""
    sent = headers(errors.RateLimited(wait), jitter)
    assert (int(sent[b"retry-after-ms"]), int(sent[b"retry-after"])) == (milliseconds, seconds)


@given(st.floats(0.0001, 10_000), st.floats(0, 0.2))
@example(60.0, 0.0)
@example(50.0, 0.2)
def test_waits_are_never_too_short(wait: float, jitter: float) -> None:
    """A client that waits as the headers say is never too early, nor more than a fifth and one unit too late."""
    sent = headers(errors.CircuitOpen("openai", "overload", wait), jitter)
    milliseconds, seconds = int(sent[b"retry-after-ms"]), int(sent[b"retry-after"])
    assert wait * (1 + jitter) <= milliseconds / 1000 + 1e-9
    assert milliseconds / 1000 <= wait * 1.2 + 0.001 + 1e-9
    assert seconds >= 1
    assert seconds == max(1, math.ceil(milliseconds / 1000)) or seconds == math.ceil(wait * (1 + jitter))


@pytest.mark.parametrize(
    ("wait", "jitter", "forbidden"),
    [(59.0, 0.0, False), (60.0, 0.0, False), (60.5, 0.0, True), (55.0, 0.2, True), (3600.0, 0.0, True)],
)
def test_sdks_do_not_sleep_for_minutes(wait: float, jitter: float, forbidden: bool) -> None:
    """`x-should-retry: false` is sent for waits above 60 s, and only for those."""
    sent = headers(errors.CircuitOpen("openai", "overload", wait), jitter)
    assert sent.get(b"x-should-retry") == (b"false" if forbidden else None)


def test_all_errors_have_one_base_class() -> None:
    """All errors have one base class, and each reject has an error status."""
    for kind in (errors.UsageError, errors.CommandError, errors.UpstreamFault, errors.Reject):
        assert issubclass(kind, errors.BridgeError)
    assert all(400 <= kind.status <= 599 for kind in Reject.__subclasses__())
