"""A provider's breakers (one, or one per endpoint or per model), and the cooldowns of its callers' own keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import trio

from aibridge_trio.config.settings import Scope
from aibridge_trio.core.breaker import key_cooldowns
from aibridge_trio.core.breaker.breaker import SEVERITY, BreakerStats, Mode
from aibridge_trio.core.breaker.key_cooldowns import KeyCooldowns
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.retry_after import from_headers, quotas_left
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.model import ModelPatterns
from aibridge_trio.core.quota import Left
from aibridge_trio.core.snapshots import Saved
from aibridge_trio.errors import CircuitOpen, CredentialCooldown, Reject
from aibridge_trio.events import OnShadowReject, Publish, ignore
from aibridge_trio.gateway.attempt import Attempt
from aibridge_trio.gateway.circuit import Circuit
from aibridge_trio.gateway.provider_override import ProviderOverride
from aibridge_trio.gateway.shared_breakers import SharedBreakers
from aibridge_trio.gateway.shared_cooldowns import SharedCooldowns
from aibridge_trio.http.headers import Headers
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.providers import Provider, Route
from aibridge_trio.providers.quota_headers import QUOTAS

# The scope of every model that the configuration does not name.
OTHER_MODELS = "other"


@dataclass(frozen=True, slots=True)
class CircuitRules:
    """How a provider's breakers are set up.

    policy           Of each breaker; None for off: verdicts are published, and no request is refused.
    scope            One breaker for the provider, one per endpoint, or one per model.
    models           For the scope `model`: names, or prefixes that end in `*`.
    by_credential    A 429 for a caller's own key starts that key's cooldown.
    slow_first_byte  Seconds until a first byte is late; infinity for never.
    shadow           Reasons of rejects that are only counted.
    """

    policy: BreakerPolicy | None = None
    scope: Scope = "provider"
    models: tuple[str, ...] = ()
    by_credential: bool = False
    slow_first_byte: float = math.inf
    shadow: frozenset[str] = frozenset()


class ProviderCircuits:
    """One provider's breakers and key cooldowns; raises the rejects CircuitOpen and CredentialCooldown."""

    def __init__(
        self,
        provider: Provider,
        rules: CircuitRules,
        clock: Callable[[], float],
        publish: Publish,
        wall_clock: Callable[[], float],
        *,
        shared: SharedBreakers | None = None,
    ) -> None:
        self._shared = shared
        self.provider = provider.name
        self._quotas = QUOTAS[provider.api]
        self._clock = clock
        self._wall_clock = wall_clock
        self._publish = publish
        self._slow = Deadline(rules.slow_first_byte)
        self._key_cooldowns: KeyCooldowns | None = None
        self._circuits: dict[str | None, Circuit] = {}
        self._running: dict[Circuit, trio.CancelScope] = {}
        self._nursery: trio.Nursery | None = None
        self.overriding = ProviderOverride(self.provider, lambda: self, clock, publish)
        self._shared_cooldowns: SharedCooldowns | None = None
        if shared:
            self.overriding.share(shared.overrides)
            self._shared_cooldowns = SharedCooldowns(
                shared.cooldowns, self.provider, clock, lambda: self._key_cooldowns
            )
        self.apply(provider, rules)

    def apply(self, provider: Provider, rules: CircuitRules) -> None:
        """Use these rules from now on. Breakers whose scope stays keep their state, and keys their cooldowns."""
        self.rules = rules
        self._model_patterns = ModelPatterns(rules.models)
        self._slow.apply(rules.slow_first_byte)
        policy = rules.policy
        if not policy or not rules.by_credential:
            self._key_cooldowns = None
        elif self._key_cooldowns:
            self._key_cooldowns.apply(policy)
        else:
            self._key_cooldowns = KeyCooldowns(policy)
        before, self._circuits = self._circuits, {}
        for scope in _scopes(provider, rules):
            self._circuits[scope] = circuit = before.pop(scope, None) or self._new_circuit(scope)
            circuit.apply(
                policy,
                self._on_key_limited if self._key_cooldowns else None,
                shadow=CircuitOpen.reason in rules.shadow,
            )
        for circuit in before.values():
            circuit.retire()
        self._run_circuits()

    def _new_circuit(self, scope: str | None) -> Circuit:
        circuit = Circuit(
            self.provider,
            self.rules.policy,
            self._clock,
            self._publish,
            scope=scope,
            slow=self._slow,
            read_retry_after=self.read_retry_after,
            shared=self._shared,
            override_left=self.overriding.left,
        )
        self.overriding.join(circuit)
        return circuit

    def _run_circuits(self) -> None:
        """Run the timers of the circuits that are new, and end those of the others."""
        if self._nursery is None:
            return
        wanted = set(self._circuits.values())
        for circuit in wanted - self._running.keys():
            self._running[circuit] = trio.CancelScope()
            self._nursery.start_soon(self._run_circuit, circuit, self._running[circuit])
        for circuit in self._running.keys() - wanted:
            self._running.pop(circuit).cancel()

    @staticmethod
    async def _run_circuit(circuit: Circuit, scope: trio.CancelScope) -> None:
        with scope:
            await circuit.run()

    @property
    def enabled(self) -> bool:
        """Whether breakers may refuse requests."""
        return self.rules.policy is not None

    @property
    def by_model(self) -> bool:
        """Whether the breaker depends on the model in the request's body."""
        return self.rules.scope == "model" and self.enabled

    def scope_of(self, route: Route, model: str | None) -> str | None:
        """Return the scope of a request; None if one breaker covers all, or if the route needs no permit."""
        if self.rules.scope == "provider" or not (self.enabled and route.intercepted):
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
        now: float | None = None,
    ) -> Attempt:
        """Return the attempt of a request, or raise CircuitOpen or CredentialCooldown.

        `own_key`: it is sent with its caller's own key. `now` is the time, if it is known. A request of a route
        without permits is refused while all breakers are open, and it is not judged.
        """
        if self._key_cooldowns and own_key:
            self._check_key(self._key_cooldowns, caller, would_reject)
        if route.intercepted:
            circuit = self._circuits.get(None) or self._circuits[self.scope_of(route, model)]  # None: of all
            return circuit.admit(caller, own_key=own_key, would_reject=would_reject, now=now)
        self._refuse_if_open(self, caller, would_reject)
        return Attempt(None)

    def precheck(self, route: Route, caller: Caller, model: str | None = None, *, own_key: bool) -> None:
        """Raise the reject that a request is certain to get; `model` is None before the body is read."""
        if self._key_cooldowns and own_key:
            self._check_key(self._key_cooldowns, caller, ignore)
        decided = route.intercepted and not (self.by_model and model is None)
        self._refuse_if_open([self._circuits[self.scope_of(route, model)]] if decided else self, caller, ignore)

    def override(
        self, mode: Mode, peer: str | None = None, *, seconds: float = math.inf, reason: str = ""
    ) -> None:
        """Set the mode of all the provider's breakers for so many seconds; then it is automatic again.

        `peer` is the address the operator's request came from. Raises ValueError for a reason that is too long or
        not printable, and for too long a time.
        """
        self.overriding.set(mode, peer, seconds, reason)

    async def run(self) -> None:
        """Run all timers until cancelled."""
        async with trio.open_nursery() as self._nursery:
            self._run_circuits()
            self._nursery.start_soon(self._slow.run)
            self._nursery.start_soon(self.overriding.run)
            if self._shared_cooldowns:
                self._nursery.start_soon(self._shared_cooldowns.run)

    def snapshot(self) -> Saved:
        """Return what its breakers save for a restart, by scope; "" is the whole provider."""
        now = self._clock()
        return {scope or "": circuit.breaker.snapshot(now) for scope, circuit in self._circuits.items()}

    def restore(self, saved: Saved, elapsed: float) -> None:
        """Take over what was saved `elapsed` seconds ago; raises ValueError for what is no snapshot.

        A scope that is not saved begins anew.
        """
        now = self._clock()
        for scope, circuit in self._circuits.items():
            if isinstance(of_scope := saved.get(scope or ""), dict):
                circuit.breaker.restore(of_scope, now, elapsed)

    def statistics(self) -> BreakerStats:
        """Return the most severe state of the breakers, with the trips of all."""
        found = [circuit.statistics() for circuit in self]
        most_severe = max(found, key=lambda each: (SEVERITY.index(each.state), -each.share))
        return replace(most_severe, trips=sum(each.trips for each in found))

    def key_cooldowns(self) -> key_cooldowns.KeyCooldownStats | None:
        """Return the keys in cooldown; None if keys have none."""
        return self._key_cooldowns.statistics(self._clock()) if self._key_cooldowns else None

    def by_scope(self) -> dict[str, Circuit]:
        """Return the breakers by scope; empty if one breaker covers all."""
        return {scope: circuit for scope, circuit in self._circuits.items() if scope is not None}

    def __iter__(self) -> Iterator[Circuit]:
        return iter(self._circuits.values())

    def __repr__(self) -> str:
        return f"<ProviderCircuits {self.provider} {len(self._circuits)}>"

    def read_retry_after(self, headers: Headers) -> float | None:
        """Return the retry hint of an answer in seconds, None without one."""
        return from_headers(headers, self._quotas, self._wall_clock())

    def read_quotas(self, headers: Headers) -> list[Left]:
        """Return what the headers of an answer tell of quotas."""
        return quotas_left(headers, self._quotas, self._wall_clock())

    def _on_key_limited(self, owner: Caller, retry_after: float | None) -> bool | None:
        assert self._key_cooldowns
        key = owner.own_key or owner.key
        many = self._key_cooldowns.start(key, owner.hint, retry_after, self._clock())
        if self._shared_cooldowns:
            self._shared_cooldowns.started(key)
        return None if CredentialCooldown.reason in self.rules.shadow else many

    def _check_key(self, cooldowns: KeyCooldowns, owner: Caller, would_reject: OnShadowReject) -> None:
        remaining = cooldowns.remaining(owner.own_key or owner.key, self._clock())
        if remaining is not None:
            self._refuse(CredentialCooldown(self.provider, remaining), would_reject)

    def _refuse_if_open(self, circuits: Iterable[Circuit], caller: Caller, would_reject: OnShadowReject) -> None:
        """Refuse a request if all these breakers are open; the soonest end of a cooldown is its wait."""
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
