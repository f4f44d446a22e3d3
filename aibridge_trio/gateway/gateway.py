"""THE STORY: one request, from the door to the ledger."""

from __future__ import annotations

import random
from collections.abc import Callable

from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import InternalError, Reject, UpstreamFault, UpstreamTimeout, UpstreamUnreachable
from aibridge_trio.events import Publish
from aibridge_trio.gateway.admission import Admission, RequestLease
from aibridge_trio.gateway.buffering import ReadAhead
from aibridge_trio.gateway.caller_identity import CallerIdentifier
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.gateway.prechecks import Prechecks
from aibridge_trio.gateway.relay import relay
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.gateway.routing import Ping, Router, Target
from aibridge_trio.gateway.stored_references import StoredReferences
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.upstream.client import Outgoing

# Waits are lengthened by up to a fifth, so that callers who were told together do not come back together.
_JITTER = 0.2
# Which part of a caller's patience may pass in the queue: the rest is for the provider.
_OURS = 0.5
_NO_CONTENT = 204


class Gateway:
    """Knows the rooms and the way through them."""

    def __init__(
        self,
        *,
        life: Lifecycle,
        front: Prechecks,
        admission: Admission,
        callers: CallerIdentifier,
        router: Router,
        ahead: ReadAhead,
        references: StoredReferences,
        max_body: int,
        clock: Callable[[], float],
        publish: Publish,
    ) -> None:
        self._life = life
        self._front = front
        self._admission = admission
        self._callers = callers
        self._router = router
        self._ahead = ahead
        self._references = references
        self._max_body = max_body
        self._clock = clock
        self._publish = publish

    async def handle(self, request: Request, reply: Reply) -> None:
        """Carry one request from the door to the ledger."""
        record = Record(request, reply, self._clock, self._publish)
        reply.offer([(b"x-request-id", record.request_id)])
        try:
            self._life.admit()  # 503 shutting_down
            preflight = self._front.check(request, reply)  # 403, 508, 426
            if preflight is not None:
                await reply.write(_NO_CONTENT, preflight, b"")
            else:
                with self._admission.place() as seat:  # 503 capacity
                    await self._carry(request, reply, record, seat)
            record.complete = True
        except Exception as error:  # noqa: BLE001 - whatever goes wrong stays in this request
            await self._give_up(error, request, reply, record)  # the slot is back by now
            error.__traceback__ = None  # its frames may hold it: no cycle is left
        finally:
            record.close()
        if record.complete:
            await reply.end()

    async def _carry(self, request: Request, reply: Reply, record: Record, seat: RequestLease) -> None:
        record.caller = caller = self._callers.identify(request)  # 400 bad_request
        seat.charge(caller, reply, record.would_reject)  # 429 rate_limit
        target = self._router.match(request, caller)  # 404, 400, 405
        record.provider, record.route = target.name, target.pattern
        if not seat.take(caller, target.name, record.would_reject):
            target.precheck(request, caller, self._max_body)  # 503, 429, 413: rather than after a wait
            # 503 queue_…, shutting_down, 429 rate_limit, …_capacity
            with record.queueing(), self._life.waiting():
                await seat.turn(h.patience(request.headers) * _OURS)
        if isinstance(target, Ping):
            await reply.write(200, [(b"content-type", b"application/json")], b'{"name":"aibridge"}\n')
            return
        backend, route = target.backend, target.route
        circuits = backend.circuits
        record.started(caller)
        central = target.uses_central_key(caller) and self._references.concern(route)
        if central or (circuits.by_model and route.intercepted):  # it stands in the body
            target.precheck(request, caller, self._max_body)  # 503, 429, 413
            outgoing = target.outgoing(request, caller, record.request_id, self._max_body)  # 413
            with await self._ahead.read(outgoing, caller) as ahead:  # 413, 400, 503 buffer_full
                model = ahead.model if circuits.by_model and route.intercepted else None  # 400
                if central:
                    await self._references.check(ahead, encoded=target.encoded(request))  # 400, 403
                await self._forward(
                    request, reply, record, seat, target, caller=caller, outgoing=outgoing, model=model
                )
            return
        await self._forward(request, reply, record, seat, target, caller=caller)

    async def _forward(
        self,
        request: Request,
        reply: Reply,
        record: Record,
        seat: RequestLease,
        target: Target,
        *,
        caller: Caller,
        outgoing: Outgoing | None = None,
        model: str | None = None,
    ) -> None:
        """Ask the breaker, then the provider, and relay what it answers."""
        backend, route = target.backend, target.route
        circuits = backend.circuits
        record.scope = circuits.scope_of(route, model)
        own_key = backend.uses_own_key(caller)
        admitted = circuits.admit(route, caller, model, own_key=own_key, would_reject=record.would_reject)
        with admitted as attempt:  # 503, 429
            record.attempt = attempt
            outgoing = outgoing or target.outgoing(request, caller, record.request_id, self._max_body)  # 413
            seat.served = True
            record.sent_up()
            sending = backend.upstream.send(outgoing, record.reached, attempt.request_sent, attempt.acquire)
            async with sending as response:  # 502, 504, 413; 503 if it has opened meanwhile
                record.answered(response.status)
                last = await relay(response, reply, attempt, route, record, secret=backend.secret_for(caller))
            record.came_back()
            await reply.send(last)

    async def _give_up(self, error: Exception, request: Request, reply: Reply, record: Record) -> None:
        """Say no, in the caller's dialect; or break off, if the head is out: never a short good-looking answer."""
        record.came_back()
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
                record.bug(error)
                reject = InternalError()
        if reply.started:
            return
        record.reject = reject.reason
        body = self._router.dialect(request)(reject, record.request_id.decode("ascii"))
        jitter = random.uniform(0, _JITTER)  # noqa: S311 - spreads callers, guards nothing
        await reply.write(reject.status, reject.headers(jitter), body)
        record.complete = True
