"""The simulated bridge is the product: its own machines, used through their public names."""

from __future__ import annotations

import ast
from pathlib import Path

from aibridge_trio import errors
from aibridge_trio.core.breaker import breaker, key_cooldowns, policy, verdict
from aibridge_trio.core.limits import concurrency, lease, refusals
from aibridge_trio.simulate.policies import bridge, circuit
from aibridge_trio.simulate.scenario import settings
from tests.test_house import imports_of, tree_of

CORE = Path(breaker.__file__).parents[1]
SIMULATE = Path(bridge.__file__).parents[1]
MODULES = sorted(SIMULATE.rglob("*.py"))
# The policies of other programs, with breakers of their own.
OTHERS = ("GoBridge", "LiteLlm")


def classes_of(file: Path) -> list[str]:
    """Return the names of the classes that a file defines."""
    return [node.name for node in ast.walk(tree_of(file)) if isinstance(node, ast.ClassDef)]


def test_the_machines_are_the_products_own() -> None:
    """The same objects, not others of the same name."""
    machines: dict[str, object] = {
        "Breaker": breaker.Breaker,
        "ConcurrencyLimiter": concurrency.ConcurrencyLimiter,
        "Lease": lease.Lease,
        "KeyCooldowns": key_cooldowns.KeyCooldowns,
        "verdict": verdict,
        "CircuitOpen": errors.CircuitOpen,
        "RateLimited": errors.RateLimited,
        "AtCapacity": errors.AtCapacity,
        "refusals": refusals,
    }
    used = vars(circuit) | vars(bridge)
    assert all(used[name] is machine for name, machine in machines.items())
    assert type(settings.breaker_policy(settings.default_settings())) is policy.BreakerPolicy
    assert type(settings.limits(settings.default_settings())) is lease.Limits


def test_no_machine_is_made_again() -> None:
    """No class in the simulator has the name of one in the core or of a reject."""
    ours = {name for file in CORE.rglob("*.py") for name in classes_of(file)}
    ours |= {kind.__name__ for kind in errors.Reject.__subclasses__()}
    for file in MODULES:
        again = [name for name in classes_of(file) if name in ours]
        assert not again, f"{file.name} makes {again} again"


def test_only_the_policies_of_others_have_states_of_their_own() -> None:
    """Only they and the SVG, which shows states, name a breaker's state."""
    for file in MODULES:
        words = [node.value for node in ast.walk(tree_of(file)) if isinstance(node, ast.Constant)]
        if "half-open" in words:
            assert file.stem in ("others", "svg"), file.name
    assert classes_of(SIMULATE / "policies" / "others.py") == list(OTHERS)


def test_machines_are_asked_through_their_public_names() -> None:
    """No private attribute of another object is used."""
    for file in MODULES:
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                own = isinstance(node.value, ast.Name) and node.value.id in ("self", "super")
                through_super = isinstance(node.value, ast.Call) and ast.unparse(node.value) == "super()"
                assert own or through_super, f"{file.name}:{node.lineno} {ast.unparse(node)}"


def test_nothing_depends_on_the_world() -> None:
    """No clock, no environment, no Trio, no sets: the same seed is the same result."""
    for file in MODULES:
        used = {module.partition(".")[0] for module in imports_of(file, everywhere=True)}
        assert not used & {"time", "datetime", "os", "trio", "threading", "uuid", "secrets", "socket"}, file.name
        for node in ast.walk(tree_of(file)):
            assert not isinstance(node, ast.Set | ast.SetComp), f"{file.name}:{node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("set", "frozenset", "hash", "id"), f"{file.name}:{node.lineno}"


def test_chance_has_a_seed() -> None:
    """Every generator is made from the seed; the module's own is not used."""
    for file in MODULES:
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Random":
                assert "seed" in ast.unparse(node.args[0])
            if isinstance(node, ast.Import):
                assert "random" not in [alias.name for alias in node.names]
