"""Simulated comparisons of the defaults: the tables of docs/tuning.md and docs/sharing.md, and the pictures.

sections: which settings are compared · constants: of core/adaptive, and their other values · days: on which
scenarios · work: the runs · means: over days · tables, adaptive, chart, page: how results are written ·
sharing: the tables of docs/sharing.md.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from aibridge_trio.simulate import grid_search, plan
from aibridge_trio.simulate.results import report, svg
from aibridge_trio.simulate.scenario.parse import load
from aibridge_trio.simulate.scenario.scenario import Scenario
from tools.tuning import adaptive, chart, page, sharing, tables, work
from tools.tuning.sections import ADAPTIVE, COMPARED, CONSTANTS, GROWTH, LIMITS, NONE, POLICIES, SECTIONS
from tools.tuning.work import Over

_ROOT = Path(__file__).parents[2]
PAGE = "docs/tuning.md"
SHARING = "docs/sharing.md"
TEAM = "docs/tuning/team.toml"
# Curves of one day: rows of a section, the first drawn on top.
CURVES = {
    "docs/tuning/policies.svg": (
        POLICIES,
        (ADAPTIVE, LIMITS, NONE, "litellm", "breaker"),
    ),
    "docs/tuning/growth.svg": (GROWTH, ("1.25 / 1.5", "1 / 1.5", "2 / 10")),
}
_OPTIONS = "docs/tuning/options.svg"
# The example's --compare arguments, as in the page's command.
TRIED = "circuit_breaker=true, max_concurrency=504 queue_size=504, rate_limit=17"


_ALL = (*SECTIONS, *COMPARED, *CONSTANTS)


def generated(root: Path = _ROOT, over: Over = map) -> dict[str, str]:
    """Return the text of the page and of every picture, by path; takes minutes."""
    found = work.means(_ALL, over)
    texts = {section.name: f"\n{tables.table(section, found[section.name])}\n" for section in SECTIONS}
    for section, of_bound in zip(COMPARED, (adaptive.OF_BOUND, adaptive.OF_BOUND_KEPT_APART), strict=True):
        texts[section.name] = f"\n{adaptive.compared(section, found[section.name], of_bound)}\n"
    texts |= {
        "constants": f"\n{adaptive.constants(found)}\n",
        "suggested": _printed(suggested(root)),
        "tried": _printed(tried(root)),
    }
    new = {name: (digest, texts[name]) for name, digest in digests(root, over).items()}
    files = {PAGE: page.filled((root / PAGE).read_text(encoding="utf-8"), new)}
    files |= sharing_page(root, over)
    files |= {path: curves(path) for path in CURVES}
    return files | {_OPTIONS: chart.chart(SECTIONS[1:], found)}


def sharing_page(root: Path = _ROOT, over: Over = map) -> dict[str, str]:
    """Return the text of docs/sharing.md, by its path; takes a minute."""
    made = sharing.digests()
    new = {name: (made[name], text) for name, text in sharing.parts(over).items()}
    return {SHARING: page.filled((root / SHARING).read_text(encoding="utf-8"), new)}


def digests(root: Path = _ROOT, over: Over = map) -> dict[str, str]:
    """Return a digest of the inputs of each part, by name; takes seconds.

    The digest covers settings, days, and the outcome of one day under the chosen row. So a test can tell whether a
    part is out of date without running every row on every day.
    """
    found = {section.name: work.digest(section, over) for section in (*SECTIONS, *COMPARED)}
    found["constants"] = _digest(adaptive.values(), *(work.digest(section, over) for section in CONSTANTS))
    team = [_team(root)]
    point = grid_search.tried(team, {"circuit_breaker": True}, 1)
    limits, rates = grid_search.limits(team), grid_search.rates(team)
    text = f"{team}{grid_search.CRITERION}{limits}{rates}{point.rank}{TRIED}"
    return found | dict.fromkeys(("suggested", "tried"), _digest(text))


def curves(path: str) -> str:
    """Return the curves of one day under some of a section's rows."""
    section, labels = CURVES[path]
    rows = {row.label: row for row in section.rows}
    variants = [
        plan.variants(rows[label].policy, rows[label].settings, "")[0]._replace(name=label) for label in labels
    ]
    return svg.draw([plan.play(plan.shipped(scene), variants, 1) for scene in section.scenes])


def suggested(root: Path = _ROOT) -> str:
    """Return the suggestion for the example's team."""
    return grid_search.text(grid_search.suggested([_team(root)], {}, 1))


def tried(root: Path = _ROOT) -> str:
    """Return the comparison of that with other settings and with none."""
    return report.table(plan.play(_team(root), plan.variants("aibridge,none", "", TRIED), 1))


def outdated(root: Path = _ROOT, over: Over = map) -> list[str]:
    """Return the paths of the files that are missing or differ from the simulator's results; takes minutes."""
    return [path for path, text in generated(root, over).items() if not _is(root / path, text)]


def write(root: Path = _ROOT, over: Over = map, *, sharing_only: bool = False) -> None:
    """Write every file; takes minutes. Or docs/sharing.md only: one minute."""
    made = sharing_page if sharing_only else generated
    for path, text in made(root, over).items():
        (root / path).write_text(text, encoding="utf-8", newline="\n")


def _digest(*texts: str) -> str:
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:16]


def _team(root: Path) -> Scenario:
    return load(root / TEAM)


def _printed(text: str) -> str:
    return f"\n```text\n{text.rstrip()}\n```\n\n"


def _is(file: Path, text: str) -> bool:
    return file.is_file() and file.read_bytes() == text.encode()
