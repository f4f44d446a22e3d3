"""What happens, as frozen events: tuples where there is one for each request, because they are made fastest.

The gateway, the admin API and the bridge publish events and know no listener; counters, logs and status subscribe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from aibridge_trio.core.breaker.breaker import Mode, State
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.usage import Usage
from aibridge_trio.core.key_pool import KeyState
from aibridge_trio.errors import Phase
from aibridge_trio.errors.bug import place_of
from aibridge_trio.process.audit import Audited
from aibridge_trio.sharing.change import StoreChanged

# How a wait in the queue ends: with a turn, at its deadline, pushed out by another caller, or the caller left.
Outcome = Literal["served", "timed_out", "pushed_out", "left"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
# How a wait in an adaptive limiter's line ends.
HoldOutcome = Literal["sent", "timed_out", "stopped", "rejected", "left"]
HOLD_OUTCOMES: tuple[HoldOutcome, ...] = get_args(HoldOutcome)
# Why a request was sent again: no connection, a status, or an overload event before a stream's content.
PushbackCause = Literal["refused", "429", "503", "529", "overload"]
PUSHBACK_CAUSES: tuple[PushbackCause, ...] = get_args(PushbackCause)
Limitation = Literal["unlimited", "limited", "outage"]  # what an adaptive limiter has learned
AdminRefusal = Literal["host", "origin", "token"]
ADMIN_REFUSALS: tuple[str, ...] = get_args(AdminRefusal)


class Started(NamedTuple):
    """A request has passed the limits; a check of its body or the breaker may still reject it."""

    provider: str
    caller: Caller


class Answered(NamedTuple):
    """The head of a provider's answer has arrived."""

    provider: str
    status: int


class FirstByte(NamedTuple):
    """The first byte of an answer's body has arrived, after `seconds` at the provider; `at`: see `Finished`."""

    provider: str
    route: str
    seconds: float
    at: float


@dataclass(frozen=True, slots=True)
class Faulted:
    """A provider could not be reached, timed out or broke off; `phase` says where."""

    provider: str
    phase: Phase


class Judged(NamedTuple):
    """An answer or a fault was judged as evidence of its provider's health."""

    provider: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Transitioned:
    """A breaker changed its state. `scope` is the part of the provider that it is for, None for the whole."""

    provider: str
    source: State
    target: State
    because: str
    trip: bool
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Overridden:
    """An operator at `peer` (None: a unix socket) changed a breaker's mode for so many `seconds` (None: no end).

    `reason` is text, "" without one. `ended`: an override was over by itself.
    """

    provider: str
    mode: Mode
    peer: str | None = None
    reason: str = ""
    seconds: float | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class AdminRefused:
    """The admin listener refused a request because of its `Host`, origin or token; `peer` is its address."""

    cause: AdminRefusal
    peer: str | None


@dataclass(frozen=True, slots=True)
class Waited:
    """A request's wait in the queue has ended, after `seconds`."""

    provider: str
    seconds: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Held:
    """A request's wait for what its provider takes has ended, after `seconds`; it may be held again."""

    provider: str
    seconds: float
    outcome: HoldOutcome


@dataclass(frozen=True, slots=True)
class SentAgain:
    """A request that its provider had pushed back is sent once more."""

    provider: str
    cause: PushbackCause


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A request of a model route goes past this provider, or leaves it after a `Started` (`started`)."""

    provider: str
    caller: Caller
    cause: str
    started: bool


@dataclass(frozen=True, slots=True)
class LimitChanged:
    """What a provider's adaptive limiter has learned limits its requests, or no longer does; `because` is text."""

    provider: str
    source: Limitation
    target: Limitation
    because: str


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """A provider's key, named by its `label`, is in a new state; it rests for `seconds`. `because` is text."""

    provider: str
    label: str
    state: KeyState
    because: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class WouldReject:
    """A protection in shadow would have rejected a request."""

    provider: str
    reason: str


@dataclass(frozen=True, slots=True)
class LifecycleChanged:
    """The bridge started, began to drain or stopped; `detail` is text for people."""

    what: Literal["start", "drain", "stop"]
    detail: str


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The configuration was reread for `by`, a signal or an operator's address; a `mistake` changed nothing."""

    by: str
    changes: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    mistake: str | None = None


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug of the bridge, contained to one request or connection. `where` names places in code, no values."""

    where: str

    @classmethod
    def of(cls, error: BaseException) -> Bug:
        """Return the event for an exception."""
        return cls(place_of(error))


class Step(NamedTuple):
    """What became of one attempt or wait, `at` seconds after the request's head; `detail` has no secrets."""

    at: float
    what: Literal["passed_over", "held", "sent_again", "other_key", "fault"]
    provider: str
    detail: str


class Finished(NamedTuple):
    """One request is over. Durations in seconds, sizes in bytes.

    `duration` and `first_byte` are the time at the provider: from the beginning of the attempt to connect (or to
    use a kept connection) to the end of the answer and to the first byte of its body. Waits for pieces of the
    caller's body before the answer's head are not in them. `duration` is None for a request that did not go
    upstream. `queued` is the wait in the bridge's queue, `total` the time from the request's head to the end of
    its answer, `held` how long it was held in all, `sent_again` how often it was sent again; `duration`,
    `first_byte` and `verdict` are those of its last attempt.

    `status` is what the caller got, 499 if it got no head (it left, or the bridge ended). `started` is whether a
    `Started` was published, `reached_upstream` whether there was a connection to the provider. `broken` is an
    answer that began and did not end cleanly, `left` one that ended because its caller left. `scope` is the part
    of the provider whose breaker admitted the request, `would_reject` the reject reasons of protections in
    shadow, `cause` why the provider gave no answer or not all of it. `path` is the printable beginning of a path
    that was not found. `passed_over` names the providers of its model route that it went past, with the causes.
    `at` is the clock's time. `model` is what the request asks for, or what its answer names. `attempts` is how
    often it was sent, `error_code` of the provider's last error. `message` is a reject's text, `wait` the seconds
    after which it asks to come back. `steps` are what came before the end, the first ones.
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
    held: float = 0.0
    sent_again: int = 0
    passed_over: tuple[str, ...] = ()
    at: float = 0.0
    model: str | None = None
    attempts: int = 0
    error_code: str | None = None
    message: str | None = None
    wait: float | None = None
    steps: tuple[Step, ...] = ()


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
    | Held
    | SentAgain
    | PassedOver
    | LimitChanged
    | KeyChanged
    | StoreChanged
    | WouldReject
    | LifecycleChanged
    | Reloaded
    | Audited
    | Bug
    | Finished
)
KINDS: tuple[type[Event], ...] = get_args(Event)
Publish = Callable[[Event], None]
OnShadowReject = Callable[[str], None]  # called with the reason of a protection in shadow
Handlers = Mapping[type[Event], Callable[[Any], None]]


def ignore(_: object) -> None:
    """Do nothing: a `Publish` or an `OnShadowReject` without listeners."""
