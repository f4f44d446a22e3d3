"""What is published about one request: events as they happen, and `Finished` at its end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aibridge_trio.config.caller_tokens import contains_token
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.usage import NO_USAGE
from aibridge_trio.errors import NotFound, Reject, UpstreamFault
from aibridge_trio.events import (
    Answered,
    Bug,
    Faulted,
    Finished,
    FirstByte,
    Held,
    HoldOutcome,
    PassedOver,
    Publish,
    PushbackCause,
    SentAgain,
    Started,
    Step,
    WouldReject,
)
from aibridge_trio.gateway.attempt import Attempt
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import Reply, Request

if TYPE_CHECKING:
    from aibridge_trio.gateway.bill import Bill

# Characters of a User-Agent that are kept: clients put product and version first.
_USER_AGENT_SHOWN = 64
_METHOD_SHOWN = 16
_MOST_STEPS = 32
_PATH_SHOWN = 128
_MESSAGE_SHOWN = 400
_LONGEST_LENGTH = 18  # digits
_AGENTS_KEPT = 1024
_ID_BYTES = 12
_IDS = 256  # that are made at once
# The status of a caller that got no head, as in nginx: "client closed request".
_NO_ANSWER = 499


class Record:
    """Collects what is known about one request, and publishes it. Times come from `clock`, in seconds."""

    # What is not known yet.
    reached_upstream = False
    may_be_served = False  # a provider has it, or had it last and did not refuse it
    caller: Caller | None = None
    provider = "none"
    route = "other"
    usage = NO_USAGE
    output = 0  # tokens of the answer, estimated where they are not reported
    provider_status: int | None = None  # of its latest answer
    agent: str | None = None  # what is shown of the client's name, if that is known
    bill: Bill | None = None  # what it is charged with, while it is
    attempt: Attempt | None = None
    reject: Reject | None = None
    model: str | None = None  # that it asks for, if its body was read first; else that its answer names
    error_code: str | None = None  # of the provider's latest answer
    attempts = 0  # how often it was sent to a provider
    scope: str | None = None
    complete = False
    finished = False  # the last event of a stream is sent: its caller has its answer
    _started = False
    _queue_seconds = 0.0
    _held_seconds = 0.0
    _sent_again = 0
    _upstream_began: float | None = None
    _upstream_ended: float | None = None
    # Seconds spent waiting for the caller's body: before the request went upstream, and from then until the head.
    _body_wait_before = 0.0
    _body_wait_upstream: float | None = None
    _first_byte: float | None = None
    _would_reject: tuple[str, ...] = ()
    _cause: str | None = None
    _passed_over: tuple[str, ...] = ()
    _steps: tuple[Step, ...] = ()

    def __init__(self, request: Request, reply: Reply, clock: Callable[[], float], publish: Publish) -> None:
        self._request = request
        self._reply = reply
        self._clock = clock
        self._publish = publish
        self.began = clock()
        self.token_headers: h.Headers = []
        given = request.header_values(b"x-request-id")
        self.request_id = (_given_id(given) if given else None) or (_ids or _more_ids()).pop()

    def started(self, caller: Caller) -> None:
        """Publish that the request goes to its provider."""
        self._started = True
        self._publish(Started(self.provider, caller))

    def passed_over(self, provider: str, caller: Caller, cause: str) -> None:
        """Publish that the request goes to another provider of its model route than this one."""
        self.came_back()
        self._step("passed_over", provider, cause)
        self._passed_over += (f"{provider}:{cause}",)
        self._publish(PassedOver(provider, caller, cause, self._started and provider == self.provider))
        if provider == self.provider:
            self._started = False

    @contextmanager
    def queued(self) -> Iterator[None]:
        """Count the time inside this context as a wait in the queue."""
        began = self._clock()
        try:
            yield
        finally:
            self._queue_seconds += self._clock() - began

    def went_upstream(self, now: float) -> None:
        """Begin the time at the provider, at `now`: next the request connects, or takes a kept connection.

        A request that is sent again begins anew.
        """
        self._upstream_ended = self._body_wait_upstream = self._first_byte = self._cause = None
        self.provider_status = self.error_code = None
        self.attempts += 1
        self.may_be_served = False
        self._upstream_began = now
        body = self._request.body
        self._body_wait_before = body.waited(now) if body.has_waited else 0.0

    def left_upstream(self) -> None:
        """End the time at the provider; a second call changes nothing."""
        if self._upstream_ended is None and self._upstream_began is not None:
            self._upstream_ended = self._clock()

    def came_back(self) -> None:
        """Note that the provider has refused the request, or never got it: it may be sent once more."""
        self.may_be_served = False
        self.left_upstream()

    def connected(self) -> None:
        """Note that there is a connection to the provider."""
        self.reached_upstream = self.may_be_served = True

    def answered(self, status: int) -> None:
        """Publish the status of the provider's answer."""
        self.provider_status = status
        body = self._request.body
        waited = body.waited(self._clock()) if body.has_waited else 0.0
        self._body_wait_upstream = waited - self._body_wait_before
        self._publish(Answered(self.provider, status))

    def first_byte(self) -> None:
        """Publish the time to the first byte of the answer's body."""
        now = self._clock()
        seconds = now - (self._upstream_began or 0.0) - (self._body_wait_upstream or 0.0)
        self._first_byte = max(0.0, seconds)
        self._publish(FirstByte(self.provider, self.route, self._first_byte, now))

    def faulted(self, fault: UpstreamFault) -> None:
        """Publish where the provider's side failed, and keep why."""
        self._cause = str(fault)
        self._step("fault", self.provider, self._cause)
        self._publish(Faulted(self.provider, fault.phase))

    def was_held(self, seconds: float, outcome: HoldOutcome) -> None:
        """Publish that the request was held."""
        self._held_seconds += seconds
        self._step("held", self.provider, f"{seconds:.3g} s, {outcome}")
        self._publish(Held(self.provider, seconds, outcome))

    def sent_again(self, cause: PushbackCause) -> None:
        """Publish that the request goes to its provider once more."""
        self._sent_again += 1
        self._step("sent_again", self.provider, cause)
        self._publish(SentAgain(self.provider, cause))

    @property
    def announced(self) -> int:
        """The announced length of the request's body in bytes, 0 without one."""
        length = self._request.header(b"content-length") or b""
        return int(length) if length.isdigit() and len(length) <= _LONGEST_LENGTH else 0

    def sent_with_another_key(self) -> None:
        """Note that the request goes to its provider once more, because its key was refused."""
        self._sent_again += 1
        self._step("other_key", self.provider, str(self.provider_status))

    def would_reject(self, reason: str) -> None:
        """Publish that a protection in shadow would have rejected the request."""
        self._would_reject += (reason,)
        self._publish(WouldReject(self.provider, reason))

    def failed(self, error: BaseException) -> None:
        """Publish a bug of the bridge."""
        self._publish(Bug.of(error))

    def close(self) -> None:
        """Publish `Finished`: what became of the request."""
        request, body, status, reject = self._request, self._request.body, self._reply.status, self.reject
        left = body.caller_left
        complete = self.complete or (self.finished and left)
        now = self._clock()
        self._publish(
            Finished(
                request_id=self.request_id.decode("ascii"),
                provider=self.provider,
                route=self.route,
                method=request.method[:_METHOD_SHOWN],
                status=_NO_ANSWER if status is None else status,
                reject=None if reject is None else reject.reason,
                verdict=self.attempt.verdict if self.attempt else None,
                broken=status is not None and not complete,
                left=left and not complete,
                duration=None if self._upstream_began is None else self._at_provider(now),
                first_byte=self._first_byte,
                queued=self._queue_seconds,
                total=now - self.began,
                bytes_in=body.received,
                bytes_out=self._reply.sent,
                caller=self.caller,
                user_agent=shown_agent(request) if self.agent is None else self.agent,
                started=self._started,
                reached_upstream=self.reached_upstream,
                usage=self.usage,
                scope=self.scope,
                would_reject=self._would_reject,
                cause=self._cause,
                held=self._held_seconds,
                sent_again=self._sent_again,
                passed_over=self._passed_over,
                model=self.model,
                attempts=self.attempts,
                error_code=self.error_code,
                message=None if reject is None else reject.message[:_MESSAGE_SHOWN],
                wait=None if reject is None else reject.wait,
                steps=self._steps,
                path=_shown(request.path[:_PATH_SHOWN]) if isinstance(reject, NotFound) else None,
                at=now,
            )
        )
        self.attempt = None  # it refers to this record: leave no reference cycle

    def _step(self, what: Any, provider: str, detail: str) -> None:
        if len(self._steps) < _MOST_STEPS:
            self._steps += (Step(self._clock() - self.began, what, provider, detail),)

    def _at_provider(self, now: float) -> float | None:
        """Return the seconds at the provider so far, None if the request did not go upstream."""
        if self._upstream_began is None:
            return None
        until = now if self._upstream_ended is None else self._upstream_ended
        held_up = self._body_wait_upstream
        if held_up is None:
            held_up = self._request.body.waited(until) - self._body_wait_before
        return max(0.0, until - self._upstream_began - held_up)


# Makes the record of a request.
NewRecord = Callable[[Request, Reply, Callable[[], float], Publish], Record]


def _given_id(values: list[bytes]) -> bytes | None:
    """Return the id that a caller gave its request, unless that cannot be one or is a secret."""
    given = h.sane_request_id(values)
    return given if given and not contains_token(given) else None


# Ids of requests to come: reading the kernel's random numbers one by one costs more than all else about them.
_ids: list[bytes] = []
# A process and its child have no ids in common.
os.register_at_fork(after_in_child=_ids.clear)


def _more_ids() -> list[bytes]:
    digits = os.urandom(_IDS * _ID_BYTES).hex().encode()
    step = 2 * _ID_BYTES
    _ids.extend(b"req_" + digits[start : start + step] for start in range(0, len(digits), step))
    return _ids


def shown_agent(request: Request) -> str:
    """Return what is shown of a client's name for itself."""
    return _shown_agent((request.header(b"user-agent") or b"")[:_USER_AGENT_SHOWN])


def _shown(said: bytes) -> str:
    text = said.decode("latin-1")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


_shown_agent = lru_cache(_AGENTS_KEPT)(_shown)  # there are few
