"""The place of a request in its trace."""

from __future__ import annotations

import os

import pytest

from aibridge_trio.telemetry.tracing.context import begun, continued

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01".encode()


def test_a_callers_trace_goes_on() -> None:
    """With its id, its flag and its state; the caller's span is the parent, and ours goes up."""
    context = continued([GOOD], [b"a=1", b"b=2"], lambda count: b"\x07" * count)
    assert context
    assert (context.trace_id.hex(), context.parent.hex(), context.state) == (TRACE, PARENT, "a=1,b=2")
    assert context.sampled
    assert context.traceparent.decode() == f"00-{TRACE}-{'07' * 8}-01"


@pytest.mark.parametrize(
    ("flags", "sampled", "up"), [("00", False, "00"), ("02", False, "02"), ("ff", True, "03")]
)
def test_the_callers_flag_decides(flags: str, sampled: bool, up: str) -> None:
    """Whether the trace is sampled; flags that are not known are not passed on."""
    context = continued([f"00-{TRACE}-{PARENT}-{flags}".encode()], [], os.urandom)
    assert context
    assert (context.sampled, context.traceparent[-2:].decode()) == (sampled, up)


def test_a_later_version_is_read() -> None:
    """As far as it is known."""
    context = continued([b"cc-" + GOOD[3:] + b"-more"], [], os.urandom)
    assert context
    assert context.traceparent.startswith(b"00-" + TRACE.encode())


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [GOOD, GOOD],
        [b""],
        [GOOD + b"-more"],
        [GOOD.upper()],
        [b"ff" + GOOD[2:]],
        [b"cc" + GOOD[2:] + b"x"],
        [f"00-{'0' * 32}-{PARENT}-01".encode()],
        [f"00-{TRACE}-{'0' * 16}-01".encode()],
        [GOOD + b"\n"],
        [b"\xff" * 55],
    ],
)
def test_what_is_not_a_traceparent_is_ignored(headers: list[bytes]) -> None:
    """As if there were none."""
    assert continued(headers, [b"a=1"], os.urandom) is None


@pytest.mark.parametrize("state", [b"a=" + b"x" * 511, b"a=\xff", b"a=\x00"])
def test_a_trace_state_that_cannot_be_kept_is_left_out(state: bytes) -> None:
    """It is not ours to shorten or to mend; the trace goes on."""
    context = continued([GOOD], [state], os.urandom)
    assert context
    assert not context.state


def test_so_many_of_the_own_traces_are_sampled() -> None:
    """None, all, or the share of ids."""
    ids = [begun(ratio, os.urandom) for ratio in (0.0, 1.0) for _ in range(50)]
    assert [each.sampled for each in ids] == [False] * 50 + [True] * 50
    assert all(not each.parent and len(each.trace_id) == 16 for each in ids)
    assert begun(0.25, lambda count: b"\xff" * count).sampled
    assert not begun(0.25, lambda count: b"\xbf" * count).sampled
    assert begun(0.25, lambda count: b"\xc0" + b"\xc0" * (count - 1)).sampled
