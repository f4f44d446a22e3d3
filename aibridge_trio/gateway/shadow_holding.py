"""A request at an adaptive line in shadow: what would be held is counted, and nothing waits."""

from __future__ import annotations

from aibridge_trio.core.adaptive.entry import Pushback, Stage
from aibridge_trio.core.breaker.verdict import Evidence, Verdict
from aibridge_trio.errors import HoldTimeout
from aibridge_trio.events import PushbackCause
from aibridge_trio.gateway import first_content
from aibridge_trio.gateway.holding import HeldRequest, estimated_tokens
from aibridge_trio.http.headers import Headers
from aibridge_trio.upstream.exchange import Outgoing, Response


class ShadowRequest(HeldRequest):
    """A request that is sent once, at once, and whose answer goes to the caller as it comes.

    Its body is not kept. As soon as it would be held it leaves the limiter, which it affects no more.
    """

    _exempt = False
    _cause_if_held: PushbackCause | None = None  # of a pushback, if its answer is one that would be sent again

    def keep(self, outgoing: Outgoing) -> Outgoing:
        """Keep nothing."""
        self.size = estimated_tokens(outgoing)
        return outgoing

    async def read_body(self, outgoing: Outgoing) -> None:
        """Read nothing: the body goes up as it comes."""

    def learn_quotas(self, headers: Headers) -> None:
        """See HeldRequest."""
        if not self._exempt:
            super().learn_quotas(headers)

    def may_be_pushback(self, response: Response) -> bool:
        """Return False: the answer is not read ahead, but judged on its way to the caller."""
        if super().may_be_pushback(response):
            self._cause_if_held = first_content.cause(response)
        return False

    def judged(self, evidence: Evidence) -> None:
        """Count the request if its answer is a pushback after which it would be held; learn from it."""
        cause = self._cause_if_held
        if cause and evidence.verdict is Verdict.FAILURE and evidence.overload:
            assert self._attempt
            self._count(Pushback(cause, evidence.quota, self._attempt.retry_after(evidence)))
        else:
            super().judged(evidence)

    async def _is_held_after(self, pushback: Pushback, cause: PushbackCause, *, again: bool = True) -> bool:
        del cause
        if again:
            self._count(pushback)
        return False

    def _enter(self) -> bool:
        line = self._line
        if not line.limiter.enter(self, line.clock()):
            self._would_be_held()
        return True

    def _count(self, pushback: Pushback) -> None:
        limiter, now = self._line.limiter, self._line.clock()
        if self.stage is Stage.OUTSIDE and not self._exempt:  # its last piece has not been sent
            limiter.enter(self, now)
        self._set_deadline()
        if self.stage is Stage.STARTING:
            limiter.pushed_back(self, pushback, now)
        if self.stage is Stage.HELD:
            self._would_be_held()

    def _would_be_held(self) -> None:
        self._exempt = True
        self._line.limiter.leave(self, self._line.clock())
        self._record.would_reject(HoldTimeout.reason)
