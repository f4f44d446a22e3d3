"""A replica of the bridge: its own machines come first, then the store is asked, once a call, for all limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aibridge_trio.core.sharing.needs import (
    Answer,
    Ask,
    Away,
    Denied,
    Granted,
    Holding,
    Leave,
    Message,
    Settled,
    Use,
)
from aibridge_trio.core.sharing.parts import part
from aibridge_trio.core.sharing.query import Query
from aibridge_trio.errors import (
    AtCapacity,
    CallerAtCapacity,
    CircuitOpen,
    ProviderAtCapacity,
    RateLimited,
    Reject,
    TokenLimited,
)
from aibridge_trio.simulate.policies.bridge import Bridge
from aibridge_trio.simulate.policies.circuit import Circuit
from aibridge_trio.simulate.policies.shared_circuit import TOPIC, SharedCircuit
from aibridge_trio.simulate.policies.store_link import StoreLink
from aibridge_trio.simulate.policies.token_limit import SPAN, tokens_of
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.scenario.settings import Values
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.engine import Clock

# The span of rate_limit, and the wait of a call that finds all probes taken (seconds).
SECOND = _PROBE_WAIT = 1.0


class Replica(Bridge):
    """The bridge behind a store. While that is away, limits are parts of themselves, and for a while after."""

    def __init__(
        self,
        values: Values,
        clock: Clock,
        measure: Measure,
        link: StoreLink,
        *,
        own_keys: Mapping[str, bool],
        seed: int | str,
    ) -> None:
        self._link = link
        self._values = values
        self._sharing: list[SharedCircuit] = []
        super().__init__(values, clock, measure, own_keys=own_keys, seed=seed)
        self._asked: dict[Call, Query] = {}
        self._has: dict[Call, Ask] = {}
        link.on_change = self._adjust
        link.on_message = self._message
        self._adjust()

    def _new_circuit(self, provider: str, values: Values, *, own_keys: bool, seed: int | str) -> Circuit:
        circuit = SharedCircuit(
            provider, values, self._clock, self._measure, own_keys=own_keys, seed=seed, link=self._link
        )
        self._sharing.append(circuit)
        return circuit

    def _message(self, message: Message) -> None:
        if message.topic == TOPIC:
            for circuit in self._sharing:
                circuit.message(message)

    def _adjust(self) -> None:
        """Use each limit as a whole if the store knows all that it counts, else this replica's part of it."""
        session, now = self._link.session, self._clock.now
        replicas = session.replicas(now)

        def parts(span: float) -> int:
            return 1 if session.settled(span, now) else replicas

        self._limiter.divide(parts, replicas, now)
        if tokens := self._values["token_limit"]:
            self._tokens.apply(part(tokens, parts(SPAN)))
        for circuit in self._sharing:
            circuit.store_changed(away=session.away)

    def _admitted(self, call: Call) -> None:
        """Ask the store for all that is limited, and send the call if it grants it, or is away."""
        ask = self._needs(call)
        if not ask:
            super()._admitted(call)
            return
        self._asked[call] = self._link.ask(ask, lambda answer: self._answered(call, ask, answer))
        if call in self._has or call.released:
            del self._asked[call]  # the store is away, and answered at once

    def _answered(self, call: Call, ask: Ask, answer: Answer) -> None:
        self._asked.pop(call, None)
        if isinstance(answer, Denied):
            self._deny(call, answer)
            return
        assert call.lease
        if isinstance(answer, Away) and self._limiter.sharing.exceeds(call.lease, self._clock.now):
            self._limiter.uncharge_rate(call.lease)
            self._refuse(call, AtCapacity(), "capacity")
            return
        if isinstance(answer, Granted):
            rights = [each.key for each in ask.holdings if each.key.startswith("probe:")]
            if self._circuit(call).lacks_right(call, rights):
                self._link.leave(Leave.unused(ask, answer))
                self._refuse(call, CircuitOpen(call.request.group.provider, "failures", _PROBE_WAIT))
                return
            call.counted_at = answer.at
        else:
            self._link.hold(ask)
        self._has[call] = ask
        super()._admitted(call)

    def _needs(self, call: Call) -> Ask:
        values, provider, caller = self._values, call.request.group.provider, call.request.caller
        holdings = [
            Holding(key, values[name])
            for key, name in (
                ("slots", "max_concurrency"),
                (f"caller:{caller}", "max_concurrency_per_caller"),
                (f"provider:{provider}", "max_concurrency_per_provider"),
            )
            if values[name]
        ]
        if self._circuit(call).probes(call) and (need := self._circuit(call).need()):
            holdings.append(need)
        uses = []
        if rate := values["rate_limit"]:
            uses.append(Use(f"rate:{caller}", rate, SECOND))
        if tokens := values["token_limit"]:
            uses.append(Use(f"tokens:{caller}", tokens, SPAN, tokens_of(call), running=True))
        return Ask(tuple(holdings), tuple(uses))

    def _deny(self, call: Call, denied: Denied) -> None:
        assert call.lease
        self._limiter.uncharge_rate(call.lease)
        provider = call.request.group.provider
        kind = denied.key.partition(":")[0]
        if kind == "rate":
            self._refuse(call, RateLimited(denied.wait, 0.0), true=denied.wait)
        elif kind == "tokens":
            amount = self._values["token_limit"]
            self._refuse(call, TokenLimited("caller", denied.wait, amount=amount, span=SPAN), true=denied.wait)
        else:
            rejects: dict[str, Callable[[], Reject]] = {
                "slots": AtCapacity,
                "caller": lambda: CallerAtCapacity(self._limits.per_caller),
                "provider": lambda: ProviderAtCapacity(provider),
                "probe": lambda: CircuitOpen(provider, "failures", _PROBE_WAIT),
            }
            self._refuse(call, rejects[kind]())

    def _release(self, call: Call) -> None:
        if call.released:
            return
        if asked := self._asked.pop(call, None):
            self._link.drop(asked)
        if has := self._has.pop(call, None):
            used = tokens_of(call) if call.begun else 0
            settled = tuple(Settled(each.key, each.span, each.count, used) for each in has.uses if each.running)
            self._link.leave(Leave(tuple((each.key, each.amount) for each in has.holdings), settled))
        super()._release(call)
