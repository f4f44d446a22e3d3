"""One request at its provider, as its circuit sees it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from aibridge_trio.core.breaker import retry_after, verdict
from aibridge_trio.core.breaker.probe_permit import Permit, Ticket
from aibridge_trio.core.breaker.verdict import NEUTRAL, Evidence, Verdict
from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import CircuitOpen, UpstreamFault
from aibridge_trio.events import OnShadowReject, ignore
from aibridge_trio.http.headers import Headers

if TYPE_CHECKING:
    from aibridge_trio.gateway.circuit import Circuit
    from aibridge_trio.gateway.shared_circuit import Right


class Attempt:
    """One request at the provider: reports its first evidence to the circuit, and a failure after a success.

    It has a `ticket` while the request's body is being read, and then a permit; a probe of a breaker that replicas
    share has the `right` to be one, too. As a context manager: an
    UpstreamFault that leaves it is evidence, and without any evidence it ends as neutral. Without a circuit it is
    not judged. `headers` are those of the answer; `listener` is called with all evidence, too. `keys_wait`, in
    place of a retry hint, is when the first of the provider's keys is ready (seconds). `needs_right`: it must ask
    for that right. `ended`: the whole answer has been read; else after a success it `continues`.
    """

    __slots__ = (
        "_circuit",
        "_header_hint",
        "_response_started_at",
        "_waits_for_byte",
        "caller",
        "continues",
        "ended",
        "headers",
        "keys_wait",
        "listener",
        "needs_right",
        "own_key",
        "permit",
        "right",
        "ticket",
        "verdict",
        "would_reject",
    )

    def __init__(
        self,
        circuit: Circuit | None,
        ticket: Ticket | None = None,
        caller: Caller | None = None,
        *,
        own_key: bool = False,
        would_reject: OnShadowReject = ignore,
    ) -> None:
        self.verdict: Verdict | None = None
        self.permit: Permit | None = None
        self.right: Right | None = None
        self.ticket = ticket
        self.caller = caller
        self.own_key = own_key
        self.would_reject = would_reject
        self.needs_right = False
        self.continues = self.ended = False
        self.listener: Callable[[Evidence], None] | None = None
        self.keys_wait: float | None = None
        self._circuit = circuit
        self.headers: Headers | None = None
        self._response_started_at = 0.0
        self._header_hint: float | None = None  # of the headers, once they are forgotten
        self._waits_for_byte = False  # its first byte can be late

    async def ask_right(self) -> None:
        """Ask for that right; raises CircuitOpen if there is none."""
        assert self._circuit
        try:
            await self._circuit.ask_right(self)
        except CircuitOpen:
            self.withdraw()
            raise

    def acquire(self) -> None:
        """Acquire the permit, before the last piece of the request is sent; raises CircuitOpen if there is none.

        A request whose answer has already begun is not refused any more.
        """
        if self._circuit is None or self.ticket is None or self.headers is not None:
            return
        try:
            self._circuit.acquire(self)
        except CircuitOpen:
            self.withdraw()
            raise

    def withdraw(self) -> None:
        """Leave the circuit: a request that does not go up is not judged."""
        self._circuit = None
        self._give_back()

    def _give_back(self) -> None:
        if self.right:
            self.right.give_back()

    def request_sent(self) -> None:
        """Note that the whole request has been sent: from now on the first byte can be late."""
        circuit = self._circuit
        if circuit is not None and circuit.slow.seconds < math.inf and circuit.policy is not None:
            self._waits_for_byte = True
            circuit.slow.begin(self)

    def response_started(self, headers: Headers) -> None:
        """Note the head of the answer, which may have a retry hint; a second call changes nothing."""
        if self.headers is not None:
            return
        self.headers = headers
        if self._circuit:
            self._response_started_at = self._circuit.clock()
            if not self.own_key:
                self._circuit.last_headers = headers

    def forget_headers(self) -> None:
        """Keep nothing of the head of the answer but its retry hint: a stream may take long."""
        if self.headers and self._circuit:
            self._header_hint = self._circuit.read_retry_after(self.headers)
            self.headers = []

    def first_byte(self) -> None:
        """Note the first byte of the answer's body."""
        if self._waits_for_byte and self._circuit is not None:
            self._waits_for_byte = False
            self._circuit.slow.end(self)

    def expire(self) -> None:
        """Report that the first byte is late."""
        assert self._circuit
        self.report(verdict.of_slowness(self._circuit.slow.seconds))

    def report(self, evidence: Evidence | None) -> None:
        """Take evidence, if there is any. Not async, so that no cancellation can come in between."""
        if evidence is None:
            return
        if self.listener:
            self.listener(evidence)
        if self._circuit is None:
            return
        relapse = self.verdict is Verdict.SUCCESS and evidence.verdict is Verdict.FAILURE
        if self.verdict is None or relapse:
            self.verdict = self._circuit.judge(self, evidence)

    def retry_after(self, evidence: Evidence) -> float | None:
        """Return the provider's retry hint in seconds from now, of its headers or its error; None without one."""
        if self.keys_wait is not None or self.headers is None or self._circuit is None:
            return evidence.retry_after if self.keys_wait is None else self.keys_wait
        said = self._circuit.read_retry_after(self.headers) if self.headers else self._header_hint
        hint = retry_after.later(said, evidence.retry_after)
        return None if hint is None else max(0.0, hint - (self._circuit.clock() - self._response_started_at))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None and isinstance(error, UpstreamFault):
            self.report(verdict.of_fault(error))
        if self.verdict is None:
            self.report(NEUTRAL)
        if self.right:
            self._give_back()
        if self._waits_for_byte:
            self.first_byte()
        if self.continues and self._circuit is not None:
            self._circuit.answer_ended(self)
