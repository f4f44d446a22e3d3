"""One request that is sent with a provider's key, and with another one if the first is refused.

The refusal of a key (core/key_errors.py) is read before any of it goes to the caller. Then the request is sent
again with the next key, if its whole body is kept; each key is tried once at most. Without another key the caller
gets the provider's answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Self

from aibridge_trio.core import key_errors
from aibridge_trio.core.breaker import verdict
from aibridge_trio.core.breaker.provider_error import retry_delay
from aibridge_trio.core.breaker.retry_after import later
from aibridge_trio.core.breaker.verdict import Evidence
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.output_estimate import BYTES_PER_TOKEN
from aibridge_trio.core.key_errors import KeyFault
from aibridge_trio.core.key_pool import Key
from aibridge_trio.gateway.attempt import Attempt
from aibridge_trio.gateway.first_content import Opening
from aibridge_trio.gateway.holding import HeldRequest
from aibridge_trio.gateway.key_pool import ProviderKeys
from aibridge_trio.gateway.replay import BodyCopy
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http.headers import Headers
from aibridge_trio.upstream.exchange import Outgoing, Response

# Forwards a request once.
Forward = Callable[..., Awaitable[None]]


class NextKey(Exception):
    """The key was refused, and the request is sent again with another one."""


class OwnKeyRequest:
    """A request that is sent with its caller's own key, or without any: a pool has nothing to do with it."""

    secret: bytes | None = None
    several = False  # whether there are other keys

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    async def send(self, forward: Forward, held: HeldRequest | None = None) -> None:
        """Call `forward` once."""
        await forward(held=held)

    def choose(self, scope: str | None) -> None:
        """Do nothing."""

    def ready(self, outgoing: Outgoing) -> Outgoing:
        """Return the request as it is."""
        return outgoing

    async def opened(self, response: Response, attempt: Attempt) -> Response | Opening:  # noqa: ARG002 - see KeyedRequest
        """Return the answer as it is."""
        return response

    def answers(self) -> None:
        """Do nothing."""


OWN_KEY = OwnKeyRequest()


class KeyedRequest(OwnKeyRequest):
    """A request that is sent with a key of the provider's pool; as a context manager it releases its body."""

    def __init__(self, keys: ProviderKeys, caller: Caller, record: Record) -> None:
        self._keys = keys
        self.several = keys.several
        self._caller = caller
        self._record = record
        self._key: Key | None = None
        self._tried: list[Key] = []
        self._attempt: Attempt | None = None
        self._scope: str | None = None
        self._tokens = 0.0
        self._sent_at = 0.0
        self._header = (b"", b"")
        self._body: BodyCopy | None = None
        self._outgoing: Outgoing | None = None
        self._headers: Headers = []

    def __exit__(self, *_: object) -> None:
        if self._body:
            self._body.close()
        if self._attempt:
            self._attempt.listener = None  # which refers to this request: break the cycle

    async def send(self, forward: Forward, held: HeldRequest | None = None) -> None:
        """Call `forward` with one key after another, until one of them is not refused or none is left."""
        self._tried.clear()
        while True:
            try:
                await forward(held=held)
            except NextKey:
                self._record.sent_with_another_key()
                continue
            finally:
                self._give_back()
            return

    def choose(self, scope: str | None) -> None:
        """Choose the key; raises KeysResting if there is none for this part of the provider."""
        keys, bill = self._keys, self._record.bill
        self._scope = scope
        self._tokens = bill.estimate if bill else self._record.announced / BYTES_PER_TOKEN
        self._key = key = keys.choose(scope, self._tokens, self._tried)
        self._header, self.secret = keys.sent(key)
        self._sent_at = keys.clock()
        if bill:
            bill.use_key(keys.limits(key))

    def ready(self, outgoing: Outgoing) -> Outgoing:
        """Return the request with the key, and with a body that is kept as long as there are other keys."""
        if outgoing is not self._outgoing:
            self._outgoing, self._headers = outgoing, outgoing.headers
        outgoing.headers, outgoing.base = [*self._headers, self._header], None
        if isinstance(outgoing.body, BodyCopy):  # of a request that may be held, or of the first key
            self._body = outgoing.body
        elif self._body is None and self.several:
            self._body = BodyCopy(outgoing, self._keys.memory, self._caller.key)
        if self._body:
            if self._body.kept:
                self._body.rewind()
            outgoing.body = self._body
        return outgoing

    async def opened(self, response: Response, attempt: Attempt) -> Response | Opening:
        """Return the answer, if it is a refusal with its beginning read; raise NextKey if there is another key."""
        keys, key = self._keys, self._key
        assert key is not None
        if self.several:
            keys.told(key, response.head.headers)
        if response.head.status < verdict.ERRORS_FROM:
            keys.accepted(key, self._sent_at)
            if self.several:
                self._attempt, attempt.listener = attempt, partial(self._judged, attempt.listener)
        if response.head.status not in (key_errors.STATUSES if self.several else _OF_ONE):
            return response
        attempt.response_started(response.head.headers)
        opening = Opening(response)
        document = await opening.read_error()
        fault = key_errors.of_answer(response.head.status, document)
        unreadable = not document and not response.head.unencoded  # it may be about permissions
        if fault is None or (fault is KeyFault.INVALID and unreadable):
            return opening
        hint = later(keys.read_hint(response.head.headers), retry_delay(document))
        keys.refused(key, fault, hint, self._scope, self._sent_at)
        self._tried.append(key)
        if opening.complete and self._has_other():
            await response.stop_upload()
            if await self._is_kept() and self._has_other():
                self._record.came_back()
                raise NextKey
        if self.several and fault is not KeyFault.INVALID:
            if self._has_other():  # it says nothing of the provider
                attempt.listener = None
                attempt.report(verdict.NEUTRAL)
            attempt.keys_wait = keys.pool.wait(keys.clock(), self._scope, self._tokens) or None
        return opening

    def answers(self) -> None:
        """Note that the answer goes to the caller: the request is not sent again."""
        if self._body:
            self._body.drop()

    def _has_other(self) -> bool:
        return self._keys.has_other(self._scope, self._tokens, self._tried)

    def _judged(self, listener: Callable[[Evidence], None] | None, evidence: Evidence) -> None:
        """Let the key rest if an answer that has begun says so; pass the evidence on."""
        if evidence.quota and self._key:
            self._keys.refused(self._key, KeyFault.RATE, None, self._scope, self._sent_at)
        if listener:
            listener(evidence)

    async def _is_kept(self) -> bool:
        if self._body is None:
            return False
        await self._body.read_rest()
        return self._body.kept

    def _give_back(self) -> None:
        key, self._key = self._key, None
        if key:
            self._keys.pool.give_back(key)


# With one key, only the status that tells that it is not accepted: all others concern the provider.
_OF_ONE = frozenset({key_errors.UNAUTHORIZED})
