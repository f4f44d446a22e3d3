"""The state diagram in docs/breaker.md against every transition that the breaker can make."""

from __future__ import annotations

import re
from collections import deque
from copy import deepcopy
from pathlib import Path

from aibridge_trio.core.breaker.breaker import Breaker, Mode, State, Transition
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS, Evidence, Verdict

PAGE = Path(__file__).parents[3] / "docs" / "breaker.md"
FAILURE = Evidence(Verdict.FAILURE, "503", overload=True)
# What the diagram calls each `because` of a transition.
CAUSES = {
    r"\d+ failures? in \d+ s, last .+": "failures reach the threshold",
    r"cooldown over": "cooldown over",
    r"\d+ of \d+ probes succeeded": "enough probes succeeded",
    r"a probe failed: .+": "a probe failed",
    r"operator: open": "override open",
    r"operator: close": "override close",
    r"operator: auto": "override auto",
    r"the operator's override is over": "override auto",
}
POLICY = BreakerPolicy(threshold=2, window=10.0, cooldown=5.0, max_probes=2, longest_cooldown=0.0)
MOST_PERMITS = 3

Edge = tuple[str, str, str]


class World:
    """A breaker, the permits it has issued, and the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.transitions: list[Transition] = []
        self.permits: list[Permit] = []
        self.successes = 0
        self.breaker = Breaker(POLICY, self.note)

    def note(self, transition: Transition) -> None:
        self.transitions.append(transition)
        self.successes = 0

    @property
    def node(self) -> str:
        """The state's name in the diagram."""
        found = self.breaker.statistics(self.now)
        if found.mode is Mode.AUTO:
            return found.state
        return "forced open" if found.mode is Mode.OPEN else "forced closed"

    def key(self) -> object:
        """All that can make a difference to what happens next; two worlds with one key need one look."""
        found = self.breaker.statistics(self.now)
        permits = [(self.is_current(permit), permit.returned, permit.may_relapse) for permit in self.permits]
        probes_left = self.breaker.next_due() - self.now
        return (self.node, found.failures_in_window, found.probes, self.successes, probes_left, tuple(permits))

    def is_current(self, permit: Permit) -> bool:
        return f"generation={permit.generation}>" in repr(self.breaker)

    def actions(self) -> list[str]:
        """The names of everything that can happen now."""
        found = [f"override {mode}" for mode in Mode] + ["wait window"]
        if self.breaker.next_due() < float("inf"):
            found.append("wait due")
        if len(self.permits) < MOST_PERMITS:
            found.append("admit")
        for index, permit in enumerate(self.permits):
            if permit.returned:
                found.append(f"settle {index} failure")
            else:
                found += [f"settle {index} {verdict}" for verdict in Verdict]
        return found

    def act(self, action: str) -> None:
        """Let one thing happen. Time passes on its own, so that an action causes one transition at most."""
        kind, *words = action.split()
        if kind == "override":
            self.breaker.override(Mode(words[0]), self.now)
        elif kind == "wait":
            self.now = self.breaker.next_due() if words[0] == "due" else self.now + POLICY.window
            self.breaker.advance(self.now)
        elif kind == "admit":
            if isinstance(permit := self.breaker.admit(self.now), Permit):
                self.permits.append(permit)
        else:
            permit = self.permits[int(words[0])]
            evidence = {Verdict.SUCCESS: SUCCESS, Verdict.NEUTRAL: NEUTRAL, Verdict.FAILURE: FAILURE}[
                Verdict(words[1])
            ]
            before = len(self.transitions)
            current = self.is_current(permit)
            self.breaker.settle(permit, evidence, self.now)
            if (
                len(self.transitions) == before
                and current
                and evidence is SUCCESS
                and self.node == State.HALF_OPEN
            ):
                self.successes += 1
            if not permit.may_relapse:
                self.permits.remove(permit)


def explored() -> set[Edge]:
    """Make everything happen from every state that can be reached; return the edges that were seen."""
    edges: set[Edge] = set()
    start = World()
    seen = {start.key()}
    queue = deque([start])
    while queue:
        world = queue.popleft()
        for action in world.actions():
            after = deepcopy(world)
            after.act(action)
            made = after.transitions[len(world.transitions) :]
            assert len(made) <= 1
            if after.node != world.node:
                # An override that does not change the state is no transition.
                because = made[0].because if made else action.replace("override ", "operator: ")
                edges.add((world.node, after.node, cause_of(because)))
                assert [each.trip for each in made] in ([], [after.node == State.OPEN])
            else:
                assert not made
            after.transitions.clear()
            if after.key() not in seen:
                seen.add(after.key())
                queue.append(after)
    return edges


def cause_of(because: str) -> str:
    [cause] = [name for pattern, name in CAUSES.items() if re.fullmatch(pattern, because)]
    return cause


def drawn() -> set[Edge]:
    """Read the diagram's edges."""
    diagram = PAGE.read_text().partition("```mermaid\nstateDiagram-v2\n")[2].partition("```")[0]
    names = {alias: name for name, alias in re.findall(r'state "(.+)" as (\w+)', diagram)}
    edges = re.findall(r"^ *(\w+) --> (\w+) : (.+)$", diagram, re.MULTILINE)
    return {(names.get(source, source), names.get(target, target), cause) for source, target, cause in edges}


def test_the_diagram_has_every_transition_and_no_other() -> None:
    """Each change of state that the breaker can make is an arrow of the diagram, with its cause, and no other."""
    assert drawn() == explored()
