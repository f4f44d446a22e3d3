"""The tables about --adaptive."""

from __future__ import annotations

from tests.simulate import test_simulate_targets as targets
from tests.tools.tuning.test_means import numbers
from tools.tuning import adaptive
from tools.tuning.constants import CONSTANTS
from tools.tuning.sections import COMPARED
from tools.tuning.sections import CONSTANTS as SECTIONS

KEPT_APART = COMPARED[1]._replace(scenes=("small-brownout",))


def compared(share: float, wasted: float, fairness: float) -> list[str]:
    """The rows of one scenario where no protection answers 80 %, and clairvoyant 100 %."""
    found = {
        ("small-brownout", "no protection"): numbers(0.8, wasted_share=0.5),
        ("small-brownout", "adaptive"): numbers(share, wasted_share=wasted, fairness=fairness),
        ("small-brownout", "clairvoyant"): numbers(1.0, fairness=1.0),
    }
    text = adaptive.compared(KEPT_APART, found, 0.95)
    return [line for line in text.splitlines() if line.startswith("| small-brownout")]


def test_a_missed_target_is_bold() -> None:
    """Answers, wasted calls, fairness, each for itself."""
    assert compared(0.951, 0.08, 0.97) == [
        "| small-brownout | 80.0% (80.0%) | 95.1% (95.1%) | 100.0% |",
        "| small-brownout | 50.0% | 8.0% | 0.99 | 0.97 | 1.00 |",
    ]
    assert compared(0.949, 0.081, 0.969) == [
        "| small-brownout | 80.0% (80.0%) | **94.9% (94.9%)** | 100.0% |",
        "| small-brownout | 50.0% | **8.1%** | 0.99 | **0.97** | 1.00 |",
    ]


def test_the_targets_are_those_of_the_test() -> None:
    """Which holds the simulator to them."""
    assert adaptive.OF_BOUND == targets.OF_BOUND_SHIPPED
    assert adaptive.OF_BOUND_KEPT_APART == targets.OF_BOUND_KEPT_APART
    for name in ("MOST_WASTED", "FAIR", "FAIR_BELOW_BOUND", "NOISE", "BY_CHANCE", "SLOW"):
        assert vars(adaptive)[name] == vars(targets)[name]


def test_a_constant_is_shown_with_what_other_values_do() -> None:
    """In points: answers of clairvoyant's, and wasted calls. Every constant has a row."""
    found = {
        section.name: {
            (scene, row.label): numbers(1.0 if row.label == "clairvoyant" else 0.9, wasted_share=0.05)
            for scene in section.scenes
            for row in section.rows
        }
        for section in SECTIONS
    }
    name = "load_evidence._MEMORY=7.5"
    for scene in SECTIONS[0].scenes:
        found["constants_load"][scene, name] = numbers(0.89, wasted_share=0.07)
    text = adaptive.constants(found)
    assert "90.0% of clairvoyant, 5.0% of the calls wasted" in text
    row = "| `_MEMORY` | starts that the background share remembers | 15 | 7.5: −1.0 / +2.0 | 30: 0.0 / 0.0 |"
    assert row in text.splitlines()
    assert sum(line.startswith("| `") for line in text.splitlines()) == len(CONSTANTS)
    assert "**`load_evidence.py`**: Whether pushbacks depend on load" in text
    assert "'_MEMORY', (15.0,)" in adaptive.values()
