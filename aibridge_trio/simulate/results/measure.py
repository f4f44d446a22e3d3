"""The measurements of a run; docs/simulate.md defines each number."""

from __future__ import annotations

from collections.abc import Hashable

from aibridge_trio.simulate.results.outcome import Curves, Outcome, by_caller, fair, percentile, recovery
from aibridge_trio.simulate.scenario.demand import Request
from aibridge_trio.simulate.scenario.scenario import Scenario
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.clients import Headers, retry_after

# Points of a curve.
POINTS = 240


class Measure:
    """Counts the events of a run."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.step = scenario.duration / POINTS
        self._wanted = [0] * scenario.callers
        self._served = [0] * scenario.callers
        self._wanted_at = [0] * POINTS
        self._served_at = [0] * POINTS
        self._wasted_at = [0] * POINTS
        # Answers that began, by second: for the recovery time.
        self._begun_at = [0] * (int(scenario.duration) + 1)
        self._waits: list[float] = []
        self._ends = {"served": 0, "gave_up": 0, "left": 0}
        self._tries = self._calls = self._wasted = self._trips = 0
        self._refused = self._unsaid = 0
        # Rejects whose true wait is not known yet, by the guard that rejected: when they were, and what they said.
        self._told: dict[Hashable, list[tuple[float, float]]] = {}
        self._errors: list[float] = []
        self._error_shares: list[float] = []
        self._samples: list[tuple[int, int, str]] = []

    # The callers' side.

    def wanted(self, request: Request) -> None:
        """Count a request."""
        self._wanted[request.caller] += 1
        self._wanted_at[min(int(request.born / self.step), POINTS - 1)] += 1

    def tried(self) -> None:
        """Count an attempt."""
        self._tries += 1

    def served(self, request: Request, first_at: float, now: float) -> None:
        """Count a request with a complete answer."""
        self._ends["served"] += 1
        self._served[request.caller] += 1
        self._waits.append(first_at - request.born)
        if now < self._scenario.duration:
            self._served_at[int(now / self.step)] += 1
        if first_at < self._scenario.duration:
            self._begun_at[int(first_at)] += 1

    def gave_up(self) -> None:
        """Count a request whose client stopped retrying."""
        self._ends["gave_up"] += 1

    def left(self) -> None:
        """Count a request whose caller's patience ended."""
        self._ends["left"] += 1

    # The provider's side.

    def sent(self, call: Call, now: float) -> None:  # noqa: ARG002 - a fleet counts by caller
        """Count a call to the provider."""
        self._calls += 1

    def came_back(self, *, good: bool, now: float) -> None:
        """Count the end of a call: a complete answer that its caller read, or a wasted call."""
        if not good:
            self._wasted += 1
            self._wasted_at[min(int(now / self.step), POINTS - 1)] += 1

    # The policy's rejects.

    def refused(self, headers: Headers, now: float, guard: Hashable, true: float | None = None) -> None:
        """Count a reject. Its wait is compared with the `true` one, or with when its `guard` admits again."""
        self._refused += 1
        seconds = retry_after(headers)
        if seconds is None:
            self._unsaid += 1
        elif true is not None:
            self._compare(seconds, true)
        else:
            self._told.setdefault(guard, []).append((now, seconds))

    def awaits(self, guard: Hashable) -> bool:
        """Tell whether rejects by this guard wait for their comparison."""
        return guard in self._told

    def opened(self, guard: Hashable, now: float) -> None:
        """Compare the waits of this guard's rejects: it would admit the calls now."""
        for rejected_at, seconds in self._told.pop(guard, ()):
            self._compare(seconds, now - rejected_at)

    def _compare(self, told: float, true: float) -> None:
        self._errors.append(told - true)
        if true > 0:
            self._error_shares.append((told - true) / true)

    def transitioned(self, *, trip: bool) -> None:
        """Count a transition of the breaker."""
        self._trips += trip

    # What only a fleet of replicas counts.

    def opened_or_closed(self, provider: str, now: float, *, opened: int) -> None:
        """Count a breaker of a provider that opened (1) or opened no more (-1)."""

    def probing(self, more: int) -> None:
        """Count probes that began (1) or ended (-1)."""

    def spending(self, caller: int, tokens: int, since: float, until: float) -> None:
        """Count tokens of a caller that its limit counted from `since` until `until`."""

    def sample(self, in_flight: int, waiting: int, state: str) -> None:
        """Add a point to the curves."""
        self._samples.append((in_flight, waiting, state))

    # The result.

    def outcome(self, name: str) -> Outcome:
        """Return all numbers and curves of the run."""
        scenario = self._scenario
        wanted, served = sum(self._wanted), self._ends["served"]
        self._waits.sort()
        self._errors.sort()
        self._error_shares.sort()
        return Outcome(
            name=name,
            wanted=wanted,
            served=served,
            gave_up=self._ends["gave_up"],
            left=self._ends["left"],
            goodput=served / scenario.duration,
            share=served / wanted if wanted else 1.0,
            share_by_caller=by_caller(self._wanted, self._served),
            tries=self._tries,
            calls=self._calls,
            wasted=self._wasted,
            refused=self._refused,
            unsaid=self._unsaid,
            trips=self._trips,
            fairness=fair(self._wanted, self._served),
            wait_p50=percentile(self._waits, 0.5),
            wait_p99=percentile(self._waits, 0.99),
            told_p5=percentile(self._errors, 0.05),
            told_p50=percentile(self._errors, 0.5),
            told_p95=percentile(self._errors, 0.95),
            told_share_p5=percentile(self._error_shares, 0.05),
            told_share_p95=percentile(self._error_shares, 0.95),
            recovery=recovery(self._begun_at, scenario.troubles, scenario.duration),
            curves=Curves(
                step=self.step,
                wanted=[count / self.step for count in self._wanted_at],
                goodput=[count / self.step for count in self._served_at],
                wasted=[count / self.step for count in self._wasted_at],
                in_flight=[each[0] for each in self._samples],
                waiting=[each[1] for each in self._samples],
                state=[each[2] for each in self._samples],
            ),
        )
