"""One caller's request on its way through the gateway: what every step needs of it."""

from __future__ import annotations

from dataclasses import dataclass

from aibridge_trio.core.caller import Caller
from aibridge_trio.gateway.head_facts import HeadFacts
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.gateway.request_lease import RequestLease
from aibridge_trio.http.message import Reply, Request


@dataclass(slots=True, repr=False)
class CallerRequest:
    """A request whose caller is identified.

    request  What the caller sent.
    reply    Where its answer goes.
    record   What is published about it.
    lease    What it holds of the limits.
    caller   Its caller.
    facts    What follows from its head.
    """

    request: Request
    reply: Reply
    record: Record
    lease: RequestLease
    caller: Caller
    facts: HeadFacts
