"""A request that may be held in place of a reject, and sent again.

A request enters its provider's line when its last piece is about to go up, so that an unfinished upload counts
for nothing; while the provider has pushed requests back of late, its body is read first. It is held if its
provider takes no more now, or has pushed it back before any of the answer went to the caller. Meanwhile it holds
neither a slot nor shares, and it goes up, again or for the first time, when its turn comes.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Self

import trio

from aibridge_trio.core.adaptive.entry import Pushback, Stage
from aibridge_trio.core.adaptive.limiter import LONGEST_HOLD
from aibridge_trio.core.breaker.provider_error import OVERLOAD_STATUSES
from aibridge_trio.core.breaker.verdict import Evidence, Verdict
from aibridge_trio.core.inspection.output_estimate import BYTES_PER_TOKEN
from aibridge_trio.errors import AtCapacity, CannotHold, HoldTimeout, LineFull, Reject, ShuttingDown, UpstreamFault
from aibridge_trio.events import HoldOutcome, PushbackCause
from aibridge_trio.gateway import first_content
from aibridge_trio.gateway.adaptive_line import AdaptiveLine, LineEntry
from aibridge_trio.gateway.attempt import Attempt
from aibridge_trio.gateway.caller_request import CallerRequest
from aibridge_trio.gateway.first_content import Opening
from aibridge_trio.gateway.held_stream import HeldStream
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.gateway.model_routes import Elsewhere
from aibridge_trio.gateway.replay import BodyCopy
from aibridge_trio.gateway.request_lease import patience
from aibridge_trio.http.headers import Headers
from aibridge_trio.upstream.exchange import Outgoing, Response


def estimated_tokens(outgoing: Outgoing) -> float:
    """Return about how many tokens a request has, 0 if its length is not known."""
    return (outgoing.length or 0) / BYTES_PER_TOKEN


class PushedBack(Exception):
    """The request is held: it goes up when its turn comes."""


class HeldRequest(LineEntry):
    """One request at a provider's line: the body that may be sent again, its turns, and what its answers show."""

    def __init__(self, line: AdaptiveLine, asked: CallerRequest, lifecycle: Lifecycle, *, own_key: bool) -> None:
        caller, self._record = asked.caller, asked.record
        super().__init__(caller.key, caller.own_key if own_key else None, asked.record.began, low=caller.low)
        self._line = line
        self._request = asked.request
        self._reply = asked.reply
        self._lease = asked.lease
        self._lifecycle = lifecycle
        self._body: BodyCopy | None = None
        self._attempt: Attempt | None = None
        self._turn: trio.Event | None = None
        self._cause: PushbackCause | None = None  # of the last pushback
        # Of a model route: whether another provider would take the request now.
        self.elsewhere: Callable[[], bool] = lambda: False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        line = self._line
        line.limiter.leave(self, line.now(self), gone=self._request.body.caller_left)
        self._attempt = None  # which refers to this request: break the cycle
        if line.waiting:
            line.reschedule()
        if self._body:
            self._body.close()

    # On its way up

    def keep(self, outgoing: Outgoing) -> Outgoing:
        """Let a request to the provider have the body that is kept, from its beginning."""
        if self._body is None:
            self._body = BodyCopy(outgoing, self._line.memory, self.caller)
            self.size = estimated_tokens(outgoing)
        elif self._body.kept:
            self._body.rewind()
        outgoing.body = self._body
        return outgoing

    async def read_body(self, outgoing: Outgoing) -> None:
        """Read the body before the request enters, if it can be kept. Raises BodyTooLarge or BadRequest."""
        self.keep(outgoing)
        assert self._body
        await self._body.read_rest()
        if self._body.kept:
            self._enter()

    async def send(self, forward: Callable[..., Awaitable[None]]) -> None:
        """Call `forward(held=…)` in the request's turns, until it has answered the caller.

        Raises what `forward` raises, but for a fault or PushedBack after which the request is held; and
        HoldTimeout, LineFull, CannotHold, ShuttingDown.
        """
        while True:
            if self.stage is Stage.HELD:
                await self._wait_turn()
            if self._cause:
                self._record.sent_again(self._cause)
            try:
                await forward(held=self)
            except PushedBack:
                continue
            except UpstreamFault as fault:
                again = not self.elsewhere()
                if not (fault.refused and await self._is_held_after(Pushback("refused"), "refused", again=again)):
                    raise
                self._record.faulted(fault)
                continue
            return

    def completing(self, attempt: Attempt) -> Callable[[], None]:
        """Return what must be called before the last piece of the request goes up: see `_complete`."""
        self._attempt = attempt
        attempt.listener = self.judged
        return self._complete

    def _complete(self) -> None:
        """Enter the line, then acquire the breaker's permit.

        Raises PushedBack if the request must be held first, LineFull or CannotHold if it cannot be, CircuitOpen.
        """
        attempt = self._attempt
        assert attempt
        if self.stage is Stage.OUTSIDE and attempt.headers is None:
            entered = False
            try:
                entered = self._enter()
            finally:
                if not entered:
                    attempt.withdraw()
            if not entered:
                raise PushedBack
        attempt.acquire()

    def _enter(self) -> bool:
        """Enter the line; return whether the request may go up now, else it is held."""
        line = self._line
        limiter, now = line.limiter, line.now(self)
        if line.waiting and not limiter.accepts(self.caller):
            if self.elsewhere():
                raise Elsewhere("held")
            raise LineFull(line.provider, limiter.wait(now))
        if limiter.enter(self, now):
            return True
        if self.elsewhere():
            limiter.leave(self, now)
            raise Elsewhere("held")
        self._set_deadline()
        if self._body and not self._body.kept:
            limiter.leave(self, now)
            raise CannotHold(line.provider, limiter.wait(now))
        return False

    def _set_deadline(self) -> None:
        self.deadline = self.came + min(LONGEST_HOLD, patience(self._request.headers))

    # Its answers

    def learn_quotas(self, headers: Headers) -> None:
        """Learn what the headers of an answer tell of its credential's quotas."""
        if left := self._line.quotas_left(headers):
            self._line.limiter.told(self, left, self._line.clock())

    def may_be_pushback(self, response: Response) -> bool:
        """Return whether the beginning of an answer must be read before any of it goes to the caller."""
        return response.head.status in OVERLOAD_STATUSES or (self._line.active and first_content.streams(response))

    async def opened(self, answer: Response | Opening, attempt: Attempt) -> Opening:
        """Return the answer with its beginning read; raise PushedBack if it is a pushback and is held."""
        refuses = answer.head.status in OVERLOAD_STATUSES
        attempt.response_started(answer.head.headers)
        opening = Opening.of(answer)
        if attempt.verdict:  # it was one key's refusal, and others are ready
            return opening
        evidence = await (opening.read_refusal() if refuses else opening.read_until_content())
        if evidence is None:
            return opening
        await opening.stop_upload()
        cause = first_content.cause(opening)
        pushback = Pushback(cause, evidence.quota, attempt.retry_after(evidence))
        again = opening.complete or not refuses
        elsewhere = again and self.elsewhere()
        if not await self._is_held_after(pushback, cause, again=again and not elsewhere) and not elsewhere:
            return opening
        attempt.listener = None  # the line knows it already
        attempt.report(evidence)
        raise Elsewhere(cause) if elsewhere else PushedBack

    def judged(self, evidence: Evidence) -> None:
        """Take the first evidence of an answer that goes to the caller: nothing can be sent again any more."""
        if self.stage is not Stage.STARTING:
            return
        line, now = self._line, self._line.clock()
        if evidence.verdict is Verdict.SUCCESS:
            line.limiter.accepted(self, now)
            if self._body:
                self._body.drop()
        elif evidence.overload:
            self.deadline = -math.inf
            line.limiter.pushed_back(self, Pushback("overload", evidence.quota), now)
        else:
            return
        if line.waiting:
            line.reschedule()

    async def _is_held_after(self, pushback: Pushback, cause: PushbackCause, *, again: bool = True) -> bool:
        """Tell the line of a pushback; return whether the request is held, else its caller gets the answer.

        `again`: it may be sent again, as far as its answer is concerned.
        """
        line, body = self._line, self._body
        if body is None:
            return False
        if again:
            await body.read_rest()
        again = again and body.kept and self._lifecycle.phase != "stopping"
        now = line.clock()
        if self.stage is Stage.OUTSIDE:  # an answer that came before the request was sent in full
            line.limiter.enter(self, now)
        if again:
            self._set_deadline()
        else:
            self.deadline = -math.inf
        if self.stage is Stage.STARTING:
            line.limiter.pushed_back(self, pushback, now)
        if self.stage is Stage.HELD and not again:
            line.limiter.leave(self, now)
        line.reschedule()
        if self.stage is Stage.OUTSIDE:
            return False
        self._cause = cause
        self._record.came_back()
        return True

    # Its turns

    async def _wait_turn(self) -> None:
        """Wait for the request's turn, without slot and shares; raise the reject of one that gets none."""
        line, record = self._line, self._record
        if self._lifecycle.phase == "stopping":
            raise ShuttingDown
        began = line.clock()
        self._turn = turn = trio.Event()
        outcome: HoldOutcome = "left"
        line.waiting += 1
        line.reschedule()
        try:
            self._lease.suspend()  # may wake this very request
            while True:
                with self._lifecycle.held(), trio.CancelScope(deadline=self.deadline):
                    if isinstance(self._reply, HeldStream):
                        await self._reply.wait(turn, self._request.headers, self._body)
                    await turn.wait()
                now = line.clock()
                if self.stage is Stage.HELD:
                    outcome = "timed_out"
                    raise HoldTimeout(line.provider, now - self.came, line.limiter.wait(now))
                # A caller may leave at the very moment of its request's turn: then the request must not go up.
                await trio.lowlevel.checkpoint_if_cancelled()
                if not self._lease.resume():
                    raise AtCapacity
                if not self._lease.shared or not await self._lease.ask(record.would_reject):
                    break
                self._turn = turn = trio.Event()
                line.limiter.put_back(self, line.clock())
                self._lease.suspend()
                line.reschedule()
            outcome = "sent"
        except Reject as reject:
            if outcome == "left":
                outcome = "stopped" if isinstance(reject, ShuttingDown) else "rejected"
            raise
        finally:
            line.waiting -= 1
            self._turn = None
            record.was_held(line.clock() - began, outcome)

    def wake(self) -> None:
        """Take slot and shares again, and end the wait."""
        self._lease.resume()
        if self._turn is not None:
            self._turn.set()

    def may_go(self) -> bool:
        """Return whether slot and shares are there for the request."""
        return not self._lease.suspended or self._lease.may_resume()
