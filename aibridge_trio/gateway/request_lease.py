"""What one request holds of the limits: slot and shares, its wait for them, and what the store counts of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import trio

from aibridge_trio.core.caller import Caller
from aibridge_trio.core.limits.lease import Lane, Lease
from aibridge_trio.core.limits.rate import Budget
from aibridge_trio.core.limits.refusals import reject
from aibridge_trio.core.sharing.needs import Denied, Holding
from aibridge_trio.errors import RateLimited
from aibridge_trio.events import OnShadowReject, Outcome, Waited, ignore
from aibridge_trio.gateway.shared_limits import Needs, StoreUse
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import Reply

if TYPE_CHECKING:
    from aibridge_trio.gateway.admission import Admission

# The part of a caller's timeout that its request may wait before it goes up; the rest is for the provider.
_WAIT_PART = 0.5


class RequestLease(Lease):
    """What one request holds of the limits; leaving the context gives it back.

    `charge_rate` and `acquire` follow `enter` without a wait in between, and count with its time. `shared`:
    replicas share limits; only then `ask` does anything.
    """

    __slots__ = ("_admission", "_budget", "_entered_at", "_in_store", "_turn", "shared", "suspended")

    def __init__(self, admission: Admission, now: float) -> None:
        super().__init__()
        self._admission = admission
        self._entered_at = now
        self.shared = admission.store.shared
        self._turn: trio.Event | None = None
        self._budget: list[tuple[bytes, bytes]] = []
        self.suspended = False
        self._in_store: StoreUse | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.suspended:
            self._release()

    def charge_rate(self, caller: Caller, reply: Reply, would_reject: OnShadowReject = ignore) -> None:
        """Count the request against its caller's rate, or raise RateLimited; the reply gets the rate's headers.

        Where requests queue for the rate nothing is raised: what is not counted now is counted with its turn.
        """
        admission = self._admission
        budget = admission.limiter.charge_rate(self, caller.key, self._entered_at)
        if budget is None:
            return
        if admission.rate_in_shadow:
            if budget.wait is not None:
                would_reject(RateLimited.reason)
            return
        self._budget[:] = _headers(budget)
        reply.add_defaults(self._budget)
        if budget.wait is not None:
            raise RateLimited(budget.wait, budget.spread, class_name=budget.class_name)
        if admission.limiter.queues_for_rate:
            admission.reschedule()

    def acquire(self, caller: Caller, provider: str, would_reject: OnShadowReject = ignore) -> bool:
        """Take slot, shares and rate as far as the request lacks them; return False if it must wait for one."""
        admission = self._admission
        acquired = admission.limiter.acquire(self, caller.key, provider, self._entered_at)
        if admission.limiter.queues_for_rate:
            self._update_budget()
        for reason in self.shadowed:
            would_reject(reason)
        return acquired

    def provider_free(self, provider: str) -> bool:
        """Return whether `move` to this provider would succeed now: to choose one without side effects."""
        return self._admission.limiter.provider_free(provider)

    def move(self, provider: str, would_reject: OnShadowReject = ignore) -> bool:
        """Take a share of a provider's limit for a request in flight; return False if none is free.

        For a request that acquired with the provider "", because its provider is known only now, or that is sent
        to another one instead: the share of the one before is given back. Slot, caller's share and charge stay.
        """
        admission = self._admission
        moved = admission.limiter.move(self, provider, admission.clock())
        self._give_back()
        admission.reschedule()
        for reason in self.shadowed:
            would_reject(reason)
        return moved

    async def ask(
        self, would_reject: OnShadowReject = ignore, bill: Needs | None = None, probe: Holding | None = None
    ) -> Denied | None:
        """Ask the store for all that the request holds and it does not know of yet; see `SharedLimits.ask`.

        Return why the request may not go, None if it may. Then the lease must `wait_turn` again, or leave.
        """
        shared = self._admission.shared
        if self._in_store is None:
            self._in_store = StoreUse(shared)
        answered = await shared.ask(self, self._in_store, bill, probe)
        for reason in answered.short:
            would_reject(reason)
        if self._budget and answered.left:  # of what all replicas use
            # A reload may have taken the rate away meanwhile.
            for use in self._admission.limiter.rates.uses(self.caller, soft=False)[:1]:
                self._budget[:] = _headers(Budget(use.amount, *answered.left))
        return answered.denied

    async def wait_turn(self, max_wait: float, providers: Lane = (), *, again: bool = False) -> None:
        """Queue until the request has all that it lacks, for at most `max_wait` seconds and the queue's timeout.

        With `providers`: a request in flight moves to the first of them that is free (see `move`), and if none is,
        gives back all that it holds and queues until one is; `provider` says which it was. `again`: the store has
        denied what the request has, which gives it back and has its place in the queue again, if it had one.
        Raises the reject of a request that may not wait or gets no turn: QueueFull, QueueDeadline, QueueTimeout,
        RateLimited; without a queue AtCapacity, CallerAtCapacity or ProviderAtCapacity.
        """
        limiter, clock = self._admission.limiter, self._admission.clock
        began = clock()
        self._turn = turn = trio.Event()
        if again:
            self.choice = providers or self.choice
            refusal = limiter.put_back(self, began, max_wait)
            self._give_back()
        elif providers:
            refusal = limiter.queue_for(self, providers, began, max_wait)
            self._give_back()
        else:
            refusal = limiter.join_queue(self, began, max_wait)
        if refusal:
            self._admission.shared.missed()
            seconds = min(max_wait, limiter.limits.queue_timeout)
            raise reject(refusal, self.provider, seconds)
        self._admission.reschedule()
        waits = self.queued
        if not waits:
            return
        outcome: Outcome = "left"
        try:
            with trio.CancelScope(deadline=self.deadline):
                await turn.wait()
            if self.queued or self.pushed_out:
                limiter.advance(clock())  # the rate may admit it at this very moment
            if self.queued or self.pushed_out:
                outcome = "pushed_out" if self.pushed_out else "timed_out"
                now = clock()
                raise reject(limiter.refusal_after_wait(self, now), self.provider, now - began)
            # A caller may leave at the very moment of its request's turn: then the request must not go up.
            await trio.lowlevel.checkpoint_if_cancelled()
            outcome = "served"
        finally:
            if outcome == "left":
                limiter.uncharge_rate(self)
                self._give_back()
            if limiter.queues_for_rate:
                self._update_budget()
            self._admission.publish(Waited(self.provider, clock() - began, outcome))

    def suspend(self) -> None:
        """Give back slot and shares while the request is held for its provider; its rate stays charged."""
        self.suspended = True
        self._release()

    def may_resume(self) -> bool:
        """Return whether `resume` would succeed; true for a lease that is not suspended."""
        return not self.suspended or self._admission.limiter.available(self)

    def resume(self) -> bool:
        """Take slot and shares again, if they are free; return whether the request has them now."""
        admission = self._admission
        if self.suspended and admission.limiter.return_to(self, admission.clock()):
            self.suspended = False
            admission.entered += 1
        return not self.suspended

    def leave(self) -> None:
        """Give back all that the request holds; it leaves the queue, too."""
        if not self.suspended:
            self._release()

    def _release(self) -> None:
        admission = self._admission
        admission.entered -= 1
        limiter = admission.limiter
        limiter.leave(self, admission.clock() if limiter.keeps_time else 0.0)
        if self._in_store is not None:
            self._in_store.keep((), charged=self.charged_at is not None)
        if limiter.queues_for_rate:
            admission.reschedule()

    def give_up_provider(self) -> None:
        """Give back the share of the provider's limit, for a request that is sent to another one."""
        self._admission.limiter.give_up_provider(self, self._admission.clock())
        self._give_back()

    def _give_back(self) -> None:
        """Give the store back what the lease holds no more."""
        if self._in_store is not None:
            holdings, _ = self._admission.shared.of(self)
            self._in_store.keep({each.key for each in holdings}, charged=self.charged_at is not None)

    def wake(self) -> None:
        """End the wait of `wait_turn`."""
        assert self._turn is not None
        self._turn.set()

    def _update_budget(self) -> None:
        """Where requests queue for the rate: update the reply's headers, and set the timer of `run` anew.

        Without the timer, requests that queue for this caller's rate would wait too long.
        """
        limiter = self._admission.limiter
        if budget := limiter.rates.budget(self.caller, self._admission.clock()):
            self._budget[:] = _headers(budget)
        self._admission.reschedule()


def patience(headers: h.Headers) -> float:
    """Return how long (seconds) a request may wait in all before it goes up, by its caller's announced timeout."""
    return h.caller_timeout(headers) * _WAIT_PART


def _headers(budget: Budget) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-ratelimit-limit", b"%d" % budget.limit),
        (b"x-ratelimit-remaining", b"%d" % budget.remaining),
        (b"x-ratelimit-reset", b"%d" % (-(-budget.reset // 1) or 1)),  # rounded up
    ]
