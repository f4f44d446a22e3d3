"""The place of a request in its trace: W3C Trace Context (https://www.w3.org/TR/trace-context/). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

TRACEPARENT, TRACESTATE = b"traceparent", b"tracestate"
_TRACE_BYTES, _SPAN_BYTES = 16, 8
_SAMPLED, _RANDOM = 0x01, 0x02
# A version above 00 may have more behind a dash.
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
# Characters of a trace state that are kept, as the standard demands at least.
_LONGEST_STATE = 512
_STATE = re.compile(rb"[ -~\t]*")
_OPTIONAL_SPACE = b" \t"
# A ratio is compared with the low 56 bits of the trace id, as OpenTelemetry does since they are sure to be random.
_RATIO_BITS = 56

NewId = Callable[[int], bytes]


class TraceContext(NamedTuple):
    """Ids in bytes: of the trace, of the request's span, and of its parent (b"" without one).

    `state` is the caller's `tracestate`, "" without one or with one that is too long or malformed.
    """

    trace_id: bytes
    span_id: bytes
    parent: bytes
    flags: int
    state: str = ""

    @property
    def sampled(self) -> bool:
        """Whether the request is recorded."""
        return bool(self.flags & _SAMPLED)

    @property
    def traceparent(self) -> bytes:
        """The header that makes the request's span the parent of what the provider records."""
        return b"00-%s-%s-%02x" % (self.trace_id.hex().encode(), self.span_id.hex().encode(), self.flags)


def continued(parents: Sequence[bytes], states: Sequence[bytes], new_id: NewId) -> TraceContext | None:
    """Return the context of a request with these headers; None if none of them says to which trace it belongs."""
    if len(parents) != 1 or not (match := _PARENT.fullmatch(parents[0].strip(_OPTIONAL_SPACE))):
        return None
    version, trace_id, parent, flags, more = match.groups()
    if version == b"ff" or (version == b"00" and more) or not trace_id.strip(b"0") or not parent.strip(b"0"):
        return None
    kept = int(flags, 16) & (_SAMPLED | _RANDOM)
    state = b",".join(states)
    readable = len(state) <= _LONGEST_STATE and _STATE.fullmatch(state)
    return TraceContext(
        bytes.fromhex(trace_id.decode()),
        new_id(_SPAN_BYTES),
        bytes.fromhex(parent.decode()),
        kept,
        state.decode() if readable else "",
    )


def begun(ratio: float, new_id: NewId) -> TraceContext:
    """Return the context of a request that begins its trace; so many of them are sampled."""
    trace_id = new_id(_TRACE_BYTES)
    number = int.from_bytes(trace_id) & ((1 << _RATIO_BITS) - 1)
    sampled = number >= round((1 - ratio) * (1 << _RATIO_BITS))
    return TraceContext(trace_id, new_id(_SPAN_BYTES), b"", _RANDOM | (_SAMPLED if sampled else 0))
