"""Gets the store's consent to a request that this replica's own limits let through: the one time it is asked."""

from __future__ import annotations

from aibridge_trio.core.limits import store_keys
from aibridge_trio.errors import ProviderAtCapacity
from aibridge_trio.gateway.bill import Bill
from aibridge_trio.gateway.caller_request import CallerRequest
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.gateway.request_lease import patience
from aibridge_trio.gateway.routing import Local, Target


async def consent(
    asked: CallerRequest,
    lifecycle: Lifecycle,
    target: Target | Local,
    bill: Bill | None = None,
    *,
    model: str | None = None,
    elsewhere: bool = False,
) -> None:
    """Return once the store counts all that a request holds and is charged with; at once if nothing is shared.

    What the store denies it gives back. Where requests queue, it waits at its place again, and asks again at its
    turn. Raises the reject of a limit that replicas share, and what `wait_turn` and `Bill.charge` raise. With
    `elsewhere` the request has other providers: if the target's limit is full, that is ProviderAtCapacity at once.
    """
    lease, record = asked.lease, asked.record
    if not lease.shared:
        return
    probe = target.probe_need(asked.caller, model)
    while denied := await lease.ask(record.would_reject, bill, probe):  # 503 store_unavailable
        if bill and (reject := bill.reject_of(denied)):
            raise reject
        if probe and denied.key == probe.key:
            raise target.probe_reject(asked.caller, model)
        if elsewhere and denied.key == store_keys.of_provider(target.name):
            lease.give_up_provider()
            raise ProviderAtCapacity(target.name)
        if bill:
            bill.give_back()
        with record.queued(), lifecycle.interruptible():  # 503 queue_…, …_capacity, 429 rate_limit
            await lease.wait_turn(patience(asked.request.headers), again=True)
        if bill:
            bill.charge()
