"""What the house tells: frozen records, told to whoever listens.

The story publishes them and knows no listener; metrics, logs and status listen and know no story.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from errno import errorcode
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from aibridge_trio.core.breaker.breaker import Mode, State
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.usage import Usage
from aibridge_trio.errors import Phase

# How a wait in the queue ends.
Outcome = Literal["served", "timed_out", "pushed_out", "left"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
AdminRefusal = Literal["host", "origin", "token"]
# So many places of a bug are told, the innermost: endless recursion has a thousand.
_DEEPEST = 30
ADMIN_REFUSALS: tuple[str, ...] = get_args(AdminRefusal)


@dataclass(frozen=True, slots=True)
class Started:
    """A request of a known caller goes to a known provider."""

    provider: str
    caller: Caller


@dataclass(frozen=True, slots=True)
class Answered:
    """A provider's head has come."""

    provider: str
    status: int


@dataclass(frozen=True, slots=True)
class FirstByte:
    """The first byte of a provider's body has come, after so many `seconds` at the provider (see `Finished`)."""

    provider: str
    route: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Faulted:
    """A provider could not be reached, or broke off."""

    provider: str
    phase: Phase


@dataclass(frozen=True, slots=True)
class Judged:
    """A request has said something of its provider's health."""

    provider: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Transitioned:
    """A breaker changed its state; `scope` is what of its provider it is for, None for all."""

    provider: str
    source: State
    target: State
    because: str
    trip: bool
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Overridden:
    """An operator changed a breaker's mode; `peer` is the address that the order came from, if it has one."""

    provider: str
    mode: Mode
    peer: str | None = None


@dataclass(frozen=True, slots=True)
class AdminRefused:
    """The admin listener refused a request for its `Host`, origin or token; `peer` is where it came from."""

    cause: AdminRefusal
    peer: str | None


@dataclass(frozen=True, slots=True)
class Waited:
    """A request's wait in the queue is over, after so many `seconds`."""

    provider: str
    seconds: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class WouldReject:
    """A protection in shadow would have rejected a request."""

    provider: str
    reason: str


@dataclass(frozen=True, slots=True)
class LifecycleChanged:
    """The bridge itself: `what` happened, `detail` for people."""

    what: Literal["start", "drain", "stop"]
    detail: str


@dataclass(frozen=True, slots=True)
class Bug:
    """Something of ours went wrong, contained to one request or connection. `where` has no values in it."""

    where: str

    @classmethod
    def of(cls, error: BaseException) -> Bug:
        """Tell type and place of an exception; its message stays out, because it may quote what callers sent."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        # extract_tb() would read the source files from the disk, on the event loop.
        frames = list(traceback.walk_tb(error.__traceback__))[-_DEEPEST:]
        codes = [(frame.f_code, line) for frame, line in reversed(frames)]
        places = " < ".join(f"{Path(code.co_filename).name}:{line} {code.co_name}" for code, line in codes)
        name = type(error).__name__
        if isinstance(error, OSError) and error.errno is not None:
            name += f" {errorcode.get(error.errno, error.errno)}"
        return cls(f"{name} at {places}")


class Finished(NamedTuple):
    """One request, from the door to the ledger. Durations in seconds, sizes in bytes.

    `duration` and `first_byte` are time at the provider: from the beginning of the attempt to connect (or to use a
    kept connection), without the waits for pieces of the caller's body before the answer's head, to the end of
    the provider's answer and to the first byte of its body. `duration` is None for a request that was not sent up.
    `queued` is the wait in the bridge's queue, `total` the time from the request's head to the end of its
    answer, as the caller sees it.

    `status` is what the caller got, 499 if it got no head (it left, or the bridge ended). `started` tells
    whether a `Started` came before, `reached_upstream` whether a connection to the provider stood. `broken` is an
    answer that began and did not come to its end, `left` that it was the caller who left. `scope` is the breaker's
    that it fell under, `would_reject` the reasons for which protections in shadow would have rejected it, `cause`
    why the provider gave no answer, or not all of it.
    `path` is, of what was not found, printable and cut.
    """

    request_id: str
    provider: str
    route: str
    method: str
    status: int
    reject: str | None
    verdict: Verdict | None
    broken: bool
    duration: float | None
    first_byte: float | None
    queued: float
    total: float
    bytes_in: int
    bytes_out: int
    caller: Caller | None
    user_agent: str
    started: bool
    reached_upstream: bool
    usage: Usage
    left: bool = False
    scope: str | None = None
    would_reject: tuple[str, ...] = ()
    cause: str | None = None
    path: str | None = None


Event = (
    Started
    | Answered
    | FirstByte
    | Faulted
    | Judged
    | Transitioned
    | Overridden
    | AdminRefused
    | Waited
    | WouldReject
    | LifecycleChanged
    | Bug
    | Finished
)
KINDS: tuple[type[Event], ...] = get_args(Event)
Publish = Callable[[Event], None]
# Called with the reason for which a protection in shadow would have rejected a request.
OnShadowReject = Callable[[str], None]
# One listener's handlers, by the kind of event that each is called for.
Handlers = Mapping[type[Event], Callable[[Any], None]]


def ignore(_: object) -> None:
    """Do nothing: a `Publish` or an `OnShadowReject` without listeners."""


class EventBus:
    """Calls every handler of an event's kind, in the order of subscription."""

    def __init__(self) -> None:
        self._handlers: dict[type[Event], list[Callable[[Any], None]]] = {kind: [] for kind in KINDS}

    def subscribe(self, handlers: Handlers) -> None:
        """Add a listener's handlers; they must neither block nor raise."""
        for kind, handler in handlers.items():
            self._handlers[kind].append(handler)

    def publish(self, event: Event) -> None:
        """Call the handlers of this event's kind."""
        for handler in self._handlers[type(event)]:
            handler(event)
