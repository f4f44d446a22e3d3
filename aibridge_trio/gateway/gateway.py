"""One request from head to record: checks, admission, breaker, forwarding, relay.

The comments name the rejects of each step. Their order is the one of docs/reference.md, rule D2.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from aibridge_trio.core.inspection.model import shown_model
from aibridge_trio.errors import (
    MAX_JITTER,
    InternalError,
    Reject,
    StoreUnavailable,
    UpstreamFault,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from aibridge_trio.events import Publish
from aibridge_trio.gateway.admission import Admission
from aibridge_trio.gateway.buffering import BodyBuffer
from aibridge_trio.gateway.caller_identity import CallerIdentifier
from aibridge_trio.gateway.caller_request import CallerRequest
from aibridge_trio.gateway.head_facts import HeadFacts
from aibridge_trio.gateway.held_stream import HeldStream
from aibridge_trio.gateway.holding import HeldRequest
from aibridge_trio.gateway.keyed_request import OWN_KEY, OwnKeyRequest
from aibridge_trio.gateway.known_callers import Authenticator
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.gateway.model_access import check_model, needs_model
from aibridge_trio.gateway.prechecks import Prechecks
from aibridge_trio.gateway.relay import relay
from aibridge_trio.gateway.request_events import NewRecord, Record
from aibridge_trio.gateway.request_lease import RequestLease, patience
from aibridge_trio.gateway.routed_request import RoutedRequest, targets_of
from aibridge_trio.gateway.router import Router
from aibridge_trio.gateway.routing import ModelPath, Target
from aibridge_trio.gateway.shadow_holding import ShadowRequest
from aibridge_trio.gateway.spending import Spending
from aibridge_trio.gateway.store_consent import consent
from aibridge_trio.gateway.stored_references import StoredReferences
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.upstream.exchange import Outgoing

_NO_CONTENT = 204


class Gateway:
    """Handles requests, each by the same steps."""

    def __init__(
        self,
        *,
        lifecycle: Lifecycle,
        prechecks: Prechecks,
        admission: Admission,
        callers: CallerIdentifier,
        known_callers: Authenticator,
        router: Router,
        body_buffer: BodyBuffer,
        references: StoredReferences,
        spending: Spending,
        max_body: int,
        hold_keepalive: float,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        publish: Publish,
        record: NewRecord = Record,
    ) -> None:
        self._lifecycle = lifecycle
        self._prechecks = prechecks
        self._admission = admission
        self._callers = callers
        self._known_callers = known_callers
        self._router = router
        self._body_buffer = body_buffer
        self._references = references
        self._spending = spending
        self._max_body, self._hold_keepalive = max_body, hold_keepalive
        self._clock, self._wall_clock = clock, wall_clock
        self._publish = publish
        self._new_record = record

    def apply(self, *, max_body: int, hold_keepalive: float) -> None:
        """Use these for requests that come from now on."""
        self._max_body, self._hold_keepalive = max_body, hold_keepalive

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request, and publish its record."""
        generation = self._router.generation
        generation.requests += 1
        record = self._new_record(request, reply, self._clock, self._publish)
        if self._hold_keepalive:
            reply = HeldStream(reply, self._hold_keepalive)
        reply.add_defaults([(b"x-request-id", record.request_id)])
        try:
            self._lifecycle.admit()  # 503 shutting_down
            facts = HeadFacts.of(request, generation, self._wall_clock)
            preflight = None if facts.admitted else self._prechecks.check(request, reply)  # 403, 508, 426
            if preflight is not None:
                await reply.write(_NO_CONTENT, preflight, b"")
            else:
                if not facts.admitted:
                    came_with, until = request.headers, self._known_callers.settled_until()
                    facts.known = self._known_callers.check(request, record)  # 401, 429 unknown_caller
                    facts.admit(request, came_with, until)
                elif facts.withheld:
                    request.remove(facts.withheld)
                with self._admission.enter(record.began) as lease:  # 503 capacity
                    await self._serve(request, reply, record, lease, facts)
            record.complete = True
        except Exception as error:  # noqa: BLE001 - an error ends this request only
            await self._answer_error(error, request, reply, record)  # the slot is given back by now
            error.__traceback__ = None  # its frames may refer to it: leave no reference cycle
        finally:
            generation.requests -= 1
            record.close()
        if record.complete:
            await reply.end()

    async def _serve(
        self, request: Request, reply: Reply, record: Record, lease: RequestLease, facts: HeadFacts
    ) -> None:
        """Identify the caller, pass the limits, match the route, and forward; or raise the reject."""
        caller = facts.caller
        if caller is None:
            caller = facts.caller = facts.known or self._callers.identify(request)  # 400 bad_request
        record.caller, record.agent = caller, facts.agent
        lease.charge_rate(caller, reply, record.would_reject)  # 429 rate_limit
        target = facts.target or self._router.match(request, caller)  # 404, 400, 405
        record.provider, record.route = target.name, target.pattern
        if not lease.acquire(caller, target.share, record.would_reject):
            target.precheck(request, caller, self._max_body)  # 503, 429, 413: before the wait, if there is one
            # 503 queue_…, shutting_down, 429 rate_limit, …_capacity
            with record.queued(), self._lifecycle.interruptible():
                await lease.wait_turn(patience(request.headers))
        asked = CallerRequest(request, reply, record, lease, caller, facts)
        if type(target) is Target or type(target) is ModelPath:
            await self._serve_from(target, asked)
        else:
            with suppress(StoreUnavailable):  # the limits are for what goes to providers
                await consent(asked, self._lifecycle, target)
            await reply.write(200, [(b"content-type", b"application/json")], target.body)

    async def _serve_from(self, target: Target | ModelPath, asked: CallerRequest) -> None:
        """Charge the request, with its body if that decides, and forward it; or raise the reject."""
        request, caller, facts = asked.request, asked.caller, asked.facts
        if facts.target is None:
            facts.restricted = needs_model(target, request, caller)  # 403 model_not_allowed
            facts.by_model = target.by_model
            if type(target) is Target:
                facts.learn(target, request, caller, self._references, self._spending)
        if type(target) is Target:  # else its provider follows from the body
            asked.record.started(caller)
        if type(target) is ModelPath or facts.needs_body:
            await self._serve_read(target, asked)
        elif facts.charged:
            with self._spending.charge(caller, target, asked.record, asked.reply) as bill:  # 429 rate_limit
                await consent(asked, self._lifecycle, target, bill)
                await self._send(asked, target)
        elif facts.direct and not asked.lease.shared:
            await self._forward(asked, target, OWN_KEY)
        else:
            await consent(asked, self._lifecycle, target)
            await self._send(asked, target)

    async def _serve_read(self, target: Target | ModelPath, asked: CallerRequest) -> None:
        """Read the body, charge the request, and forward it; or raise the reject."""
        request, record, caller, facts = asked.request, asked.record, asked.caller, asked.facts
        target.check_provider(caller)  # 503, 429
        outgoing = target.outgoing(request, caller, record.request_id, self._max_body)  # 413
        with await self._body_buffer.read(outgoing, caller.key) as buffered:  # 413, 400, 503 buffer_full
            record.model = shown_model(buffered.found.get("model"))
            if facts.restricted:
                check_model(buffered, caller)  # 403 model_not_allowed
            model = buffered.model if facts.by_model else None  # 400
            if facts.central:
                await self._references.check(buffered, encoded=target.encoded(request))  # 400, 403
            if type(target) is ModelPath:
                targets = await targets_of(target, request, buffered, caller)  # 400, 404
                routed = RoutedRequest(targets, asked, self._lifecycle, body=buffered, outgoing=outgoing)
                send = partial(self._send, asked, model=model, routed=routed)
                await routed.send(send, self._references, self._spending)
                return
            with self._spending.charge(caller, target, record, asked.reply, buffered) as bill:  # 429, 403
                await consent(asked, self._lifecycle, target, bill, model=model)  # the same rejects, and waits
                await self._send(asked, target, outgoing=outgoing, model=model)

    async def _send(
        self,
        asked: CallerRequest,
        target: Target,
        *,
        outgoing: Outgoing | None = None,
        model: str | None = None,
        routed: RoutedRequest | None = None,
    ) -> None:
        """Forward the request: at once, or with an adaptive limiter in its turns, until its provider answers."""
        request, caller, line = asked.request, asked.caller, target.backend.adaptive
        keyed = target.backend.keyed(caller, asked.record)
        once = partial(self._forward, asked, target, keyed, outgoing=outgoing, model=model, routed=routed)
        if line is None or not target.route.intercepted:
            if keyed is OWN_KEY:
                await once()
                return
            with keyed:
                await keyed.send(once)
            return
        own_key = target.backend.uses_own_key(caller)
        kind = ShadowRequest if line.shadow else HeldRequest
        with keyed, kind(line, asked, self._lifecycle, own_key=own_key) as held:
            if routed:
                held.elsewhere = routed.elsewhere
            if line.active:  # it may have to wait: before the wait, every check that needs none, and the body
                target.precheck(request, caller, self._max_body)  # 503, 429, 413
                outgoing = outgoing or target.outgoing(request, caller, asked.record.request_id, self._max_body)
                await held.read_body(outgoing)  # 413, 400; 503 line_full
            await held.send(partial(keyed.send, once))  # 503 hold_timeout, line_full, cannot_hold, shutting_down

    async def _forward(
        self,
        asked: CallerRequest,
        target: Target,
        keyed: OwnKeyRequest,
        *,
        outgoing: Outgoing | None = None,
        model: str | None = None,
        routed: RoutedRequest | None = None,
        held: HeldRequest | None = None,
    ) -> None:
        """Pass the breaker, send the request to the provider, and relay the answer."""
        record, caller, facts = asked.record, asked.caller, asked.facts
        backend, route = target.backend, target.route
        circuits = backend.circuits
        from_head = target is facts.target
        record.scope = facts.scope if from_head and model is None else circuits.scope_of(route, model)
        own_key = facts.own_key if from_head else backend.uses_own_key(caller)
        if keyed is not OWN_KEY:
            keyed.choose(target.key_scope(model))  # 503 keys_resting
        now = self._clock()
        admitted = circuits.admit(route, caller, model, own_key=own_key, would_reject=record.would_reject, now=now)
        with admitted as attempt:  # 503, 429
            record.attempt = attempt
            if attempt.needs_right:
                await attempt.ask_right()  # 503: all probes of all replicas are under way
                now = self._clock()
            if outgoing is None:  # 413
                of_head = facts if from_head else None
                outgoing = target.outgoing(asked.request, caller, record.request_id, self._max_body, of_head)
            completing = attempt.acquire
            if held:
                outgoing, completing = held.keep(outgoing), held.completing(attempt)
            outgoing = outgoing if keyed is OWN_KEY else keyed.ready(outgoing)
            asked.lease.forwarded = True
            record.went_upstream(now)
            sending = backend.upstream.send(outgoing, record.connected, attempt.request_sent, completing)
            async with sending as response:  # 502, 504, 413; 503 if the breaker has opened meanwhile
                record.answered(response.head.status)
                answer = response if keyed is OWN_KEY else await keyed.opened(response, attempt)
                if held:
                    if not keyed.several:  # what is left of one key's quota says nothing of the others'
                        held.learn_quotas(response.head.headers)
                    if held.may_be_pushback(response):
                        answer = await held.opened(answer, attempt)
                if routed:
                    answer = await routed.opened(answer, attempt)
                keyed.answers()
                last = await relay(answer, asked.reply, attempt, route, record, secret=keyed.secret)
            record.left_upstream()
            await asked.reply.send(last)

    async def _answer_error(self, error: Exception, request: Request, reply: Reply, record: Record) -> None:
        """Answer an error in the provider's dialect.

        If the head is out already the answer breaks off: it must not look complete.
        """
        record.left_upstream()
        match error:
            case Reject():
                reject = error
            case UpstreamFault():
                record.faulted(error)
                if error.timeout:
                    reject = UpstreamTimeout(record.provider, error.phase, error.bound)
                else:
                    reject = UpstreamUnreachable(record.provider, error.phase)
            case _:
                record.failed(error)
                reject = InternalError()
        if reply.status is not None:
            return
        record.reject = reject
        body = self._router.dialect(request)(reject, record.request_id)
        jitter = MAX_JITTER * random.random() if reject.spread is None else 0.0  # noqa: S311 - no secret
        await reply.write_lines(reject.status, reject.lines(jitter), body)
        record.complete = True
