"""The documents say what the program does, completely."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aibridge_trio.admission import Admission
from aibridge_trio.core.places import Limits
from aibridge_trio.core.verdict import Verdict
from aibridge_trio.errors import REASONS, Reject
from aibridge_trio.ledger import Ledger
from aibridge_trio.metrics import Metrics
from aibridge_trio.providers import Provider
from aibridge_trio.providers.anthropic import ANTHROPIC
from aibridge_trio.providers.copilot import COPILOT
from aibridge_trio.providers.openai import OPENAI
from aibridge_trio.settings import CONFIG, OPTIONS, Option
from aibridge_trio.top.keys import KEYS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("option", [CONFIG, *OPTIONS], ids=lambda option: option.name)
def test_every_option_has_its_row(option: Option) -> None:
    """Flag, variables and default stand together in the reference."""
    rows = [row for row in REFERENCE.splitlines() if row.startswith("|") and f"`{option.variables[0]}`" in row]
    assert len(rows) == 1, option.name
    if option.flag:
        assert f"`{option.flag}" in rows[0]
    for variable in option.all_variables:
        assert f"`{variable}`" in rows[0]
    default = {"false": "off", None: "none", "": "none"}.get(option.default, option.default)
    assert str(default) in rows[0].split("|")[3]


@pytest.mark.parametrize("reject", Reject.__subclasses__(), ids=lambda reject: reject.reason)
def test_every_reject_has_its_row(reject: type[Reject]) -> None:
    """Reason and status stand together."""
    assert f"| `{reject.reason}` | {reject.status} |" in REFERENCE


def test_every_metric_has_its_row() -> None:
    """Names and labels, and no row for a metric that does not exist."""
    admission = Admission(Limits(), 0, lambda: 0.0)
    exposed = Metrics(Ledger([OPENAI, ANTHROPIC, COPILOT]), admission.statistics).render().decode()
    names = set(re.findall(r"^# TYPE (\S+)", exposed, re.MULTILINE))
    documented = set(re.findall(r"^\| `(aibridge_\w+)`", REFERENCE, re.MULTILINE))
    assert documented == names


@pytest.mark.parametrize("provider", [OPENAI, ANTHROPIC, COPILOT], ids=lambda provider: provider.name)
def test_every_route_stands_in_its_providers_row(provider: Provider) -> None:
    """The allow-list is documented completely."""
    [row] = [row for row in REFERENCE.splitlines() if row.startswith(f"| `{provider.name}` | `{provider.prefix}`")]
    assert set(re.findall(r"`(/[^`]*)`", row)) == {provider.prefix, *(route.pattern for route in provider.routes)}


def test_verdicts_and_exit_statuses_are_documented() -> None:
    """All of them."""
    for verdict in Verdict:
        assert f"| {verdict} |" in (ROOT / "docs" / "breaker.md").read_text()
    for status in (0, 1, 2, 130):
        assert re.search(rf"^\| {status} \|", REFERENCE, re.MULTILINE)
    assert len(REASONS) == 18


def test_the_readmes_check_is_what_ci_runs() -> None:
    """What a newcomer is told to run is what must pass."""
    [command] = re.findall(r"^python3 -m venv .*scripts/check$", README, re.MULTILINE)
    assert command in (ROOT / ".ci" / "run").read_text()


def test_the_dashboards_keys_and_screen_are_documented() -> None:
    """Every key with what it does, and a screen as the program draws it."""
    page = (ROOT / "docs" / "top.md").read_text()
    for key in KEYS:
        assert f"| `{key.keys}` | {key.does} |" in page
    screen = (ROOT / "tests" / "snapshots" / "top" / "open-80x24.txt").read_text()
    assert f"```text\n{screen}```" in page
    assert f"```text\n{screen}```" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link
