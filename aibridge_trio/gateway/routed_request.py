"""One request of a model route: which of its providers it goes to, and to which one next.

It goes to the next provider only before any of an answer has gone to its caller: when a connection cannot be
established, after a complete 429, 503 or 529, when a breaker or the keys reject it, and in place of being held. It
goes to each provider once at most. The model in its body stays as it is.

A body that names stored data (stored_references.py) goes to the first provider only: no other has that data.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from aibridge_trio.core.breaker.provider_error import OVERLOAD_STATUSES
from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import (
    CannotHold,
    CircuitOpen,
    CredentialCooldown,
    KeysResting,
    LineFull,
    ProviderAtCapacity,
    RateLimited,
    Reject,
    TokenLimited,
    UpstreamFault,
)
from aibridge_trio.gateway import first_content
from aibridge_trio.gateway.attempt import Attempt
from aibridge_trio.gateway.bill import Bill
from aibridge_trio.gateway.buffering import BufferedBody
from aibridge_trio.gateway.caller_request import CallerRequest
from aibridge_trio.gateway.first_content import Opening
from aibridge_trio.gateway.holding import estimated_tokens
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.gateway.model_routes import Elsewhere, Standing, choose, soonest, waits_for_share
from aibridge_trio.gateway.request_lease import patience
from aibridge_trio.gateway.routing import ModelPath, Target
from aibridge_trio.gateway.spending import Spending
from aibridge_trio.gateway.store_consent import consent
from aibridge_trio.gateway.stored_references import StoredReferences, refers
from aibridge_trio.http.message import Request
from aibridge_trio.upstream.exchange import Outgoing, Response

# What one provider rejects, another one may take.
_OF_A_PROVIDER = (CircuitOpen, CredentialCooldown, KeysResting, LineFull, CannotHold, RateLimited, TokenLimited)


class _Full(Exception):
    """The store says that the provider's limit is full."""


async def targets_of(path: ModelPath, request: Request, body: BufferedBody, caller: Caller) -> list[Target]:
    """Return where a request may go; raises BadRequest without a model, and ModelNotRouted."""
    found = path.targets(body.model, caller)
    if len(found) > 1 and path.route.refers and await refers(body, encoded=path.encoded(request)):
        del found[1:]
    return found


class RoutedRequest:
    """One request and the providers that may take it, in the order of its route."""

    def __init__(
        self,
        targets: Sequence[Target],
        asked: CallerRequest,
        lifecycle: Lifecycle,
        *,
        body: BufferedBody,
        outgoing: Outgoing,
    ) -> None:
        self.model = body.model
        self._targets = targets
        self._asked = asked
        self._again = False  # whether the store has denied the request a provider's share
        self._request = asked.request
        self._reply = asked.reply
        self._caller = asked.caller
        self._record = asked.record
        self._lease = asked.lease
        self._lifecycle = lifecycle
        self._body = body
        self._pieces = _Pieces(body.pieces())
        self._max_body = outgoing.max_body
        self._size = estimated_tokens(outgoing)
        self._at: Target | None = None
        self._rejects: dict[str, Reject] = {}
        self._left: set[str] = set()
        self._passed: set[str] = set()

    async def send(
        self,
        forward: Callable[..., Awaitable[None]],
        references: StoredReferences,
        spending: Spending,
    ) -> None:
        """Call `forward(target, outgoing=…)` with one provider after another, until one has answered the caller.

        Raises what `forward` raises; the soonest of the rejects, if no provider takes the request; BadRequest or
        StoredReference for a body that may not be sent with a central key.
        """
        while True:
            target = await self._next()
            if target.uses_central_key(self._caller) and references.applies_to(target.route):
                await references.check(self._body, encoded=target.encoded(self._request))
            outgoing = target.outgoing(self._request, self._caller, self._record.request_id, self._max_body)
            outgoing.body = self._pieces = _Pieces(self._pieces.all)
            try:
                with spending.charge(
                    self._caller, target, self._record, self._reply, self._body
                ) as bill:  # 429, 403
                    await self._consent(target, bill)  # 429, 403, 503
                    await forward(target, outgoing=outgoing)
            except _Full:
                continue
            except Elsewhere as left:
                self._leave(target, left.cause)
            except UpstreamFault as fault:
                # Nothing went up; but the request's own time may be over.
                if fault.phase != "connect" or fault.bound is not None or not self.elsewhere():
                    raise
                self._record.faulted(fault)
                self._leave(target, "refused")
            except _OF_A_PROVIDER as reject:
                if isinstance(reject, TokenLimited) and reject.whose != "provider":
                    raise
                self._rejects[target.name] = reject
                self._leave(target, reject.reason)
            else:
                return

    async def _consent(self, target: Target, bill: Bill | None) -> None:
        """Get the store's consent; raise _Full if the provider's limit is full for it."""
        try:
            await consent(self._asked, self._lifecycle, target, bill, model=self.model, elsewhere=True)
        except ProviderAtCapacity as reject:
            if self._lease.provider:  # it has waited, or may not
                raise
            self._again = True
            raise _Full from reject

    def elsewhere(self) -> bool:
        """Return whether another provider would take the request now."""
        return any(self._standing(target).takes for target in self._rest() if target is not self._at)

    async def opened(self, response: Response | Opening, attempt: Attempt) -> Response | Opening:
        """Return the answer, which goes to the caller; raise Elsewhere for a pushback, if there is another one."""
        if response.head.status not in OVERLOAD_STATUSES or not self.elsewhere():
            self._keep_no_longer()
            return response
        attempt.response_started(response.head.headers)
        opening = Opening.of(response)
        evidence = await opening.read_refusal()
        if evidence is not None and opening.complete and self.elsewhere():
            await opening.stop_upload()
            attempt.report(evidence)
            raise Elsewhere(first_content.cause(opening))
        self._keep_no_longer()
        return opening

    def _keep_no_longer(self) -> None:
        """Release the body, if all of it has gone up: it goes to no other provider."""
        if self._pieces.complete:
            self._pieces.all = ()
            self._body.__exit__(None, None, None)

    def _rest(self) -> list[Target]:
        return [target for target in self._targets if target.name not in self._left]

    def _standing(self, target: Target) -> Standing:
        """Return what a provider would do with the request now."""
        backend, caller = target.backend, self._caller
        try:
            target.precheck(self._request, caller, self._max_body, self.model)
        except _OF_A_PROVIDER as reject:
            return Standing(reject)
        full = self._lease.provider != target.name and not self._lease.provider_free(target.name)
        line = backend.adaptive
        if line is None or line.shadow or not target.route.intercepted:
            return Standing(full=full)
        now = line.clock()
        own_key = caller.own_key if backend.uses_own_key(caller) else None
        if line.limiter.takes(self._size, own_key, now):
            return Standing(full=full)
        return Standing(full=full, at_once=False, turn=line.limiter.turn(now))

    async def _next(self) -> Target:
        """Return the provider that the request goes to, with a share of its limit; raise the soonest reject."""
        waited = False
        while True:
            rest = self._rest()
            standings = [self._standing(target) for target in rest]
            number = choose(standings)
            full = [rest[place] for place in waits_for_share(standings)]
            if number is not None and self._lease.move(rest[number].name, self._record.would_reject):
                self._pass_over(rest[:number], standings)
                return self._arrive(rest[number])
            if waited or not full:
                raise self._soonest(rest, standings)
            waited = True
            self._record.provider, self._record.route = full[0].name, full[0].pattern
            names = tuple(target.name for target in full)
            with self._record.queued(), self._lifecycle.interruptible():  # 503 queue_…, provider_capacity
                await self._lease.wait_turn(patience(self._request.headers), names, again=self._again)

    def _arrive(self, target: Target) -> Target:
        self._at = target
        self._record.provider, self._record.route = target.name, target.pattern
        self._record.started(self._caller)
        return target

    def _pass_over(self, passed: Sequence[Target], standings: Sequence[Standing]) -> None:
        """Note which providers the request goes past, each once."""
        for target, standing in zip(passed, standings, strict=False):
            if target.name not in self._passed:
                self._passed.add(target.name)
                full = ProviderAtCapacity.reason if standing.full else "held"
                cause = standing.reject.reason if standing.reject else full
                self._record.passed_over(target.name, self._caller, cause)

    def _leave(self, target: Target, cause: str) -> None:
        self._left.add(target.name)
        self._record.passed_over(target.name, self._caller, cause)

    def _soonest(self, rest: Sequence[Target], standings: Sequence[Standing]) -> Reject:
        """Return the reject of a request that no provider takes; the record names the provider."""
        rejects = {
            target.name: standing.reject or ProviderAtCapacity(target.name)
            for target, standing in zip(rest, standings, strict=True)
        }
        reject = soonest((rejects | self._rejects).values())
        for target in self._targets:
            if reject in (rejects.get(target.name), self._rejects.get(target.name)):
                self._record.provider, self._record.route = target.name, target.pattern
        return reject


class _Pieces(AsyncIterator[bytes]):
    """The pieces of a body on their way up; `all` are kept, to go up again."""

    def __init__(self, pieces: tuple[bytes, ...]) -> None:
        self.all = pieces
        self._next = 0

    @property
    def complete(self) -> bool:
        """Whether all pieces have been taken; who knows the body's length does not ask for the end after them."""
        return self._next >= len(self.all)

    async def __anext__(self) -> bytes:
        if self.complete:
            raise StopAsyncIteration
        piece = self.all[self._next]
        self._next += 1
        return piece
