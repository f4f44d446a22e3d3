"""What the gateway remembers of a head: for one generation of the router, and until a known caller expires."""

from __future__ import annotations

import math

from aibridge_trio.core.caller import Caller
from aibridge_trio.gateway.head_facts import HeadFacts
from aibridge_trio.gateway.router import Generation
from aibridge_trio.http.headers import Headers
from aibridge_trio.http.message import Request
from aibridge_trio.server.asgi import AsgiBody

DEV = Caller(b"key", "dev-07", authenticated=False, name="dev-07")


def request_of(headers: Headers) -> Request:
    return Request("POST", b"/", b"", headers, "203.0.113.7", None, AsgiBody())


def facts_of(request: Request, generation: Generation, now: float = 0.0) -> HeadFacts:
    return HeadFacts.of(request, generation, lambda: now)


def test_only_what_has_passed_is_remembered() -> None:
    """A request that was rejected before it was admitted leaves nothing."""
    request = request_of([(b"host", b"x")])
    generation = Generation()
    first = facts_of(request, generation)
    assert facts_of(request, generation) is not first
    first.admit(request, request.headers, math.inf)
    assert facts_of(request, generation) is first
    assert repr(first) == "<HeadFacts admitted=True target=False>"


def test_a_reload_forgets() -> None:
    """Each begins another generation."""
    request = request_of([(b"host", b"x")])
    before = Generation()
    first = facts_of(request, before)
    first.known = DEV
    first.admit(request, request.headers, math.inf)
    after = facts_of(request, Generation())
    assert (after.admitted, after.known) == (False, None)


def test_a_caller_that_expires_is_forgotten() -> None:
    """Not a moment later than it ends."""
    request, generation = request_of([(b"host", b"x")]), Generation()
    first = facts_of(request, generation)
    first.known = DEV
    first.admit(request, request.headers, 100.0)
    assert facts_of(request, generation, 99.9).known is DEV
    assert not facts_of(request, generation, 100.0).admitted


def test_what_was_removed_is_known() -> None:
    """By name: it is removed from each request that has the same head."""
    came_with = [(b"host", b"x"), (b"authorization", b"t"), (b"x-api-key", b"t")]
    request = request_of(came_with)
    before = request.headers
    request.remove({b"authorization"})
    facts = HeadFacts(Generation())
    facts.admit(request, before, math.inf)
    assert facts.withheld == {b"authorization"}
