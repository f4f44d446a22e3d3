"""What the gateway remembers of a head that comes again on a connection: its caller, and its target.

Only what follows from the head, from the connection and from the configuration; the law stands in
`http/request_head.py`. It is forgotten with each reload, which begins another generation of the router, and when
a known caller expires. What must be found out for each request is not here: limits, breakers, keys that rest, the
length of the body, ids.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from aibridge_trio.core.caller import Caller
from aibridge_trio.gateway.browser_origins import is_from_page
from aibridge_trio.gateway.request_events import shown_agent
from aibridge_trio.http.headers import Headers
from aibridge_trio.http.message import Request

if TYPE_CHECKING:
    from aibridge_trio.gateway.router import Generation
    from aibridge_trio.gateway.routing import Target
    from aibridge_trio.gateway.spending import Spending
    from aibridge_trio.gateway.stored_references import StoredReferences


class HeadFacts:
    """What is known of a head.

    generation   Of the router, from which it follows; `ends` is when a known caller expires (wall clock, seconds).
    admitted     Whether it has passed all checks that come before a slot; then `known` and `withheld` hold.
    known        The known caller that it names, None without one.
    withheld     The headers that hold tokens: removed from each request.
    caller       Its caller, None before it was identified.
    target       Where it goes, None if that is not known or does not follow from the head.
    agent        What is shown of its client's name.
    own_key      Whether it goes up with its caller's own key.
    restricted   Whether its caller may use some models only, so that its model must be read.
    central      Whether its body may name data that is stored under the central key.
    metered      Whether its tokens are estimated.
    charged      Whether limits on tokens, budgets or its provider's requests apply.
    by_model     Whether its model decides about it.
    needs_body   Whether its body must be read before it goes up, for one of these reasons.
    direct       Whether it goes up at once: without a key of the provider's, and without a line to wait in.
    scope        Its breaker's, if its model does not decide about it.
    headers      The headers that go up, but for the request's id, its key and its framing.
    base, lines  The head that goes up as checked bytes, but for the same: see Outgoing. None if it is not `sized`.
    sized        Whether it has one Content-Length and no Transfer-Encoding.
    """

    __slots__ = (
        "admitted",
        "agent",
        "base",
        "by_model",
        "caller",
        "central",
        "charged",
        "direct",
        "ends",
        "generation",
        "headers",
        "known",
        "lines",
        "metered",
        "needs_body",
        "own_key",
        "restricted",
        "scope",
        "sized",
        "target",
        "withheld",
    )

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.ends = math.inf
        self.admitted = False
        self.known: Caller | None = None
        self.withheld: frozenset[bytes] = frozenset()
        self.caller: Caller | None = None
        self.target: Target | None = None
        self.own_key = self.restricted = self.central = self.metered = self.by_model = False
        self.charged = self.needs_body = self.direct = False
        self.scope: str | None = None
        self.agent: str | None = None
        self.headers: Headers = []
        self.base: object = None
        self.lines = b""
        self.sized = False

    @classmethod
    def of(cls, request: Request, generation: Generation, wall_clock: Callable[[], float]) -> HeadFacts:
        """Return what is remembered of a request's head; nothing is known of one that is new, or out of date."""
        found = request.memo.known
        if (
            type(found) is HeadFacts
            and found.generation is generation
            and (found.ends == math.inf or wall_clock() < found.ends)
        ):
            return found
        return cls(generation)

    def admit(self, request: Request, came_with: Headers, ends: float) -> None:
        """Remember that a request has passed the checks, with what they removed of the headers it came with.

        `ends` is when known callers may be others (wall clock, seconds). A request from a web page is not
        remembered: its answers have more headers.
        """
        if is_from_page(request):
            return
        self.admitted, self.ends = True, ends
        if request.headers is not came_with:
            left = {name for name, _ in request.headers}
            self.withheld = frozenset(name for name, _ in came_with if name not in left)
        request.memo.known = self

    def learn(
        self,
        target: Target,
        request: Request,
        caller: Caller,
        references: StoredReferences,
        spending: Spending,
    ) -> None:
        """Remember what follows from where the request goes."""
        backend, route = target.backend, target.route
        self.agent = shown_agent(request)
        self.central = target.uses_central_key(caller) and references.applies_to(route)
        self.charged = spending.applies(caller, target.name)
        self.metered = route.intercepted and self.charged
        self.needs_body = self.central or self.metered or self.restricted or self.by_model
        self.own_key = backend.uses_own_key(caller)
        self.direct = not backend.keeps_keys_for(caller) and (backend.adaptive is None or not route.intercepted)
        self.scope = backend.circuits.scope_of(route, None)
        self.headers = target.headers_up(request, caller)
        lengths = request.header_values(b"content-length")
        self.sized = len(lengths) == 1 and lengths[0].isdigit() and request.header(b"transfer-encoding") is None
        if self.sized:
            path = target.path + b"?" + request.query if request.query else target.path
            self.base, self.lines = backend.upstream.checked(request.method, path, self.headers)
        self.target = target

    def __repr__(self) -> str:
        return f"<HeadFacts admitted={self.admitted} target={self.target is not None}>"
