"""Tables about --adaptive: beside no protection and the bound, and each of its constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import fmean

from tools.tuning.constants import CONSTANTS, Constant, module
from tools.tuning.means import Mean
from tools.tuning.sections import ADAPTIVE, CLAIRVOYANT, NONE, Section
from tools.tuning.sections import CONSTANTS as SECTIONS
from tools.tuning.tables import line, signed
from tools.tuning.work import Means

# The targets, as in tests/simulate/test_simulate_targets.py.
OF_BOUND, OF_BOUND_KEPT_APART = 0.97, 0.95
MOST_WASTED = 0.08
FAIR, FAIR_BELOW_BOUND = 0.97, 0.01
NOISE = 0.01
BY_CHANCE = ("long-streams", "load-independent", "failing-and-full")
SLOW = ("slow",)


def compared(section: Section, found: Means, of_bound: float) -> str:
    """Return the tables of all scenarios: answers, then wasted calls and fairness. Bold: the target is missed."""
    return "\n".join([*_answers(section, found, of_bound), "", *_others(section, found)]) + "\n"


def constants(found: Mapping[str, Means]) -> str:
    """Return a table for each module: every constant, its value, and what other values do."""
    return "\n".join(_constants(found))


def values() -> str:
    """Return every constant with its value."""
    return repr([(each.module, each.names, each.values, each.words) for each in CONSTANTS])


def _answers(section: Section, found: Means, of_bound: float) -> Iterator[str]:
    labels = [row.label for row in section.rows]
    yield line(["answered (of clairvoyant)", *labels])
    yield "|---|" + "--:|" * len(labels)
    for scene in section.scenes:
        means = {label: found[scene, label] for label in labels}
        least = min(means[NONE].share, means[CLAIRVOYANT].share) - NOISE
        missed = _of_bound(means, ADAPTIVE) < of_bound or means[ADAPTIVE].share < least
        cells = {label: f"{means[label].share:.1%} ({_of_bound(means, label):.1%})" for label in labels}
        cells[ADAPTIVE] = _bold(cells[ADAPTIVE], missed=missed)
        cells[CLAIRVOYANT] = f"{means[CLAIRVOYANT].share:.1%}"
        yield line([scene, *cells.values()])
    parts = {
        label: [_of_bound({each: found[scene, each] for each in labels}, label) for scene in section.scenes]
        for label in labels
    }
    for name, end in (("mean of clairvoyant", fmean), ("least", min)):
        yield line([name, *("" if label == CLAIRVOYANT else f"({end(parts[label]):.1%})" for label in labels)])


def _others(section: Section, found: Means) -> Iterator[str]:
    labels = [row.label for row in section.rows]
    bridges = [label for label in labels if label != CLAIRVOYANT]
    yield line(["wasted calls; fairness", *bridges, *labels])
    yield "|---|" + "--:|" * (len(bridges) + len(labels))
    for scene in section.scenes:
        means = {label: found[scene, label] for label in labels}
        mine, bound = means[ADAPTIVE], means[CLAIRVOYANT]
        wasted = {label: f"{means[label].wasted_share:.1%}" for label in bridges}
        fair = {label: f"{means[label].fairness:.2f}" for label in labels}
        too_many = scene not in (*BY_CHANCE, *SLOW) and mine.wasted_share > MOST_WASTED
        wasted[ADAPTIVE] = _bold(wasted[ADAPTIVE], missed=too_many)
        fair[ADAPTIVE] = _bold(fair[ADAPTIVE], missed=mine.fairness < min(FAIR, bound.fairness - FAIR_BELOW_BOUND))
        yield line([scene, *wasted.values(), *fair.values()])
    means_wasted = [fmean(found[scene, label].wasted_share for scene in section.scenes) for label in bridges]
    means_fair = [fmean(found[scene, label].fairness for scene in section.scenes) for label in labels]
    yield line(["mean", *(f"{each:.1%}" for each in means_wasted), *(f"{each:.2f}" for each in means_fair)])


def _constants(found: Mapping[str, Means]) -> Iterator[str]:
    for section in SECTIONS:
        usual = _over(section, found, ADAPTIVE)
        yield f"{_scenes(section)}: {usual[0]:.1%} of clairvoyant, {usual[1]:.1%} of the calls wasted.\n"
    for name in dict.fromkeys(each.module for each in CONSTANTS):
        summary = (module(name).__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        yield f"**`{name}.py`**: {summary}\n"
        yield line(["constant", "what it is", "value", "lower", "higher"])
        yield "|---|---|--:|---|---|"
        for each in CONSTANTS:
            if each.module == name:
                cells = [_tried(each, found, higher=higher) for higher in (False, True)]
                yield line([f"`{', '.join(each.names.split())}`", each.words, _numbers(each.values), *cells])
        yield ""


def _tried(constant: Constant, found: Mapping[str, Means], *, higher: bool) -> str:
    [*sections] = [each for each in SECTIONS if each.scenes == constant.scenes]
    if not sections:
        return "--"
    usual, other = (_over(sections[0], found, label) for label in (ADAPTIVE, constant.change(higher=higher)))
    more, wasted = (signed(round(100 * (one - before), 1)) for one, before in zip(other, usual, strict=True))
    return f"{_numbers(constant.tried(higher=higher))}: {more} / {wasted}"


def _over(section: Section, found: Mapping[str, Means], label: str) -> tuple[float, float]:
    """Return the means over scenarios: the part of what clairvoyant answers, and the share of wasted calls."""
    means = [{each: found[section.name][scene, each] for each in (label, CLAIRVOYANT)} for scene in section.scenes]
    return fmean(_of_bound(each, label) for each in means), fmean(each[label].wasted_share for each in means)


def _of_bound(means: Mapping[str, Mean], label: str) -> float:
    return means[label].share / means[CLAIRVOYANT].share


def _scenes(section: Section) -> str:
    *others, last = section.scenes
    return ", ".join(others).capitalize() + f" and {last}"


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:,}" if isinstance(value, int) else f"{value:g}" for value in values)


def _bold(text: str, *, missed: bool) -> str:
    return f"**{text}**" if missed else text
