"""A provider's breakers: one for all of it, for each endpoint, or for each named model; and keys that rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import trio

from aibridge_trio.config.settings import Scope
from aibridge_trio.core.breaker import key_cooldowns
from aibridge_trio.core.breaker.breaker import SEVERITY, BreakerPolicy, BreakerStats, Mode
from aibridge_trio.core.breaker.key_cooldowns import KeyCooldowns
from aibridge_trio.core.breaker.retry_after import from_headers
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.model import ModelPatterns
from aibridge_trio.errors import CircuitOpen, CredentialCooldown, Reject
from aibridge_trio.events import OnShadowReject, Overridden, Publish, ignore
from aibridge_trio.gateway.circuit import Attempt, Circuit
from aibridge_trio.http.headers import Headers
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.providers import Provider, Route
from aibridge_trio.providers.quota_headers import QUOTAS

# The scope of every model that has no name in the configuration.
OTHER_MODELS = "other"


@dataclass(frozen=True, slots=True)
class CircuitRules:
    """How a provider is judged; without a `policy` it is, and nothing follows.

    `models` are names, or beginnings with `*`, for the scope `model`. `by_credential`: a 429 for a caller's own
    key is that key's. `slow_first_byte` is seconds, infinity for never. `shadow` are reasons of rejects that are
    only counted.
    """

    policy: BreakerPolicy | None = None
    scope: Scope = "provider"
    models: tuple[str, ...] = ()
    by_credential: bool = False
    slow_first_byte: float = math.inf
    shadow: frozenset[str] = frozenset()


class ProviderCircuits:
    """All that may refuse a request for its provider's sake."""

    def __init__(
        self,
        provider: Provider,
        rules: CircuitRules,
        clock: Callable[[], float],
        publish: Publish,
        wall_clock: Callable[[], float],
    ) -> None:
        self.provider = provider.name
        self.rules = rules
        self._quotas = QUOTAS[provider.name]
        self._clock = clock
        self._wall_clock = wall_clock
        self._publish = publish
        self._model_patterns = ModelPatterns(rules.models)
        policy = rules.policy
        self._slow = Deadline(rules.slow_first_byte) if rules.slow_first_byte < math.inf else None
        self._key_cooldowns = KeyCooldowns(policy) if policy and rules.by_credential else None
        self._circuits = {
            scope: Circuit(
                provider.name,
                policy,
                clock,
                publish,
                scope=scope,
                slow=self._slow,
                advice=self._advice,
                blame=self._blame if self._key_cooldowns else None,
                shadow=CircuitOpen.reason in rules.shadow,
            )
            for scope in _scopes(provider, rules)
        }

    @property
    def enabled(self) -> bool:
        """Whether breakers rule."""
        return self.rules.policy is not None

    @property
    def by_model(self) -> bool:
        """Whether the request's body has to say which breaker is asked."""
        return self.enabled and self.rules.scope == "model"

    def scope_of(self, route: Route, model: str | None) -> str | None:
        """Return under which scope a request falls, None where there is one for all, or it does not vote."""
        if not (self.enabled and route.intercepted) or self.rules.scope == "provider":
            return None
        return (
            route.pattern if self.rules.scope == "endpoint" else self._model_patterns.find(model) or OTHER_MODELS
        )

    def admit(
        self,
        route: Route,
        caller: Caller,
        model: str | None = None,
        *,
        own_key: bool = False,
        would_reject: OnShadowReject = ignore,
    ) -> Attempt:
        """Let a request begin or raise CircuitOpen or CredentialCooldown. `own_key` if its caller's own goes up.

        A request that does not vote is refused while all is open, and never judged.
        """
        if self._key_cooldowns and own_key:
            self._let_rest(self._key_cooldowns, caller, would_reject)
        if route.intercepted:
            circuit = self._circuits[self.scope_of(route, model)]
            return circuit.admit(caller, own_key=own_key, would_reject=would_reject)
        self._refuse_if_all_do(self, caller, would_reject)
        return Attempt(None)

    def precheck(self, route: Route, caller: Caller, *, own_key: bool) -> None:
        """Raise what is certain to refuse a request, before it waits or its body is read."""
        if self._key_cooldowns and own_key:
            self._let_rest(self._key_cooldowns, caller, ignore)
        decided = route.intercepted and not self.by_model
        self._refuse_if_all_do([self._circuits[self.scope_of(route, None)]] if decided else self, caller, ignore)

    def override(self, mode: Mode, peer: str | None = None) -> None:
        """Let the operator, who called from `peer`, rule over all of the provider, or the breakers again."""
        changes = [circuit.override(mode) for circuit in self]
        if any(changes):
            self._publish(Overridden(self.provider, mode, peer))

    async def run(self) -> None:
        """Keep all timers, until cancelled."""
        async with trio.open_nursery() as nursery:
            for circuit in self:
                nursery.start_soon(circuit.run)
            if self._slow:
                nursery.start_soon(self._slow.run)

    def statistics(self) -> BreakerStats:
        """Return the gravest of the breakers, with the trips of all."""
        told = [circuit.statistics() for circuit in self]
        gravest = max(told, key=lambda each: (SEVERITY.index(each.state), -each.share))
        return replace(gravest, trips=sum(each.trips for each in told))

    def key_cooldowns(self) -> key_cooldowns.KeyCooldownStats | None:
        """Return the keys that rest, None if none ever does."""
        return self._key_cooldowns.statistics(self._clock()) if self._key_cooldowns else None

    def by_scope(self) -> dict[str, Circuit]:
        """Return the breakers by scope; none where there is one for all."""
        return {scope: circuit for scope, circuit in self._circuits.items() if scope is not None}

    def __iter__(self) -> Iterator[Circuit]:
        return iter(self._circuits.values())

    def __repr__(self) -> str:
        return f"<Circuits {self.provider} {len(self._circuits)}>"

    def _advice(self, headers: Headers) -> float | None:
        return from_headers(headers, self._quotas, self._wall_clock())

    def _blame(self, owner: Caller, retry_after: float | None) -> bool | None:
        assert self._key_cooldowns
        many = self._key_cooldowns.start(owner.key, owner.hint, retry_after, self._clock())
        return None if CredentialCooldown.reason in self.rules.shadow else many

    def _let_rest(self, resting: KeyCooldowns, owner: Caller, would_reject: OnShadowReject) -> None:
        left = resting.remaining(owner.key, self._clock())
        if left is not None:
            self._refuse(CredentialCooldown(self.provider, left), would_reject)

    def _refuse_if_all_do(self, circuits: Iterable[Circuit], caller: Caller, would_reject: OnShadowReject) -> None:
        refusals: list[CircuitOpen] = []
        for circuit in circuits:
            if (refusal := circuit.refusal(caller)) is None:
                return
            refusals.append(refusal)
        soonest = min(refusals, key=lambda refusal: math.inf if refusal.wait is None else refusal.wait)
        self._refuse(soonest, would_reject)

    def _refuse(self, reject: Reject, would_reject: OnShadowReject) -> None:
        operator = isinstance(reject, CircuitOpen) and reject.because == "operator"
        if operator or reject.reason not in self.rules.shadow:
            raise reject
        would_reject(reject.reason)


def _scopes(provider: Provider, rules: CircuitRules) -> list[str | None]:
    if rules.policy is None or rules.scope == "provider":
        return [None]
    if rules.scope == "endpoint":
        return [route.pattern for route in provider.routes if route.intercepted]
    return [*rules.models, OTHER_MODELS]
