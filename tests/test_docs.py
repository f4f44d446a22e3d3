"""The documents say what the program does, completely."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from aibridge_trio import providers
from aibridge_trio.config.loader import load
from aibridge_trio.config.protections import PROTECTIONS
from aibridge_trio.config.settings import BREAKER, CONFIG, LIMITS, OPTIONS, Option
from aibridge_trio.config.tables import keys
from aibridge_trio.config.tables.key import Shape
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.core.limits.lease import Limits
from aibridge_trio.errors import REASONS, Reject
from aibridge_trio.gateway.admission import Admission
from aibridge_trio.providers import Provider
from aibridge_trio.telemetry.counters import Counters
from aibridge_trio.telemetry.metrics import Metrics
from aibridge_trio.top.keyboard import FLEET_KEYS, KEYS
from tests.test_house import WINGS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "bench").glob("*.md")),
]
PROTECTION_PAGES = [ROOT / "docs" / "breaker.md", *sorted((ROOT / "docs" / "protections").glob("*.md"))]
PROTECTIVE = {
    *PROTECTIONS.values(),
    "queue_full",
    "queue_timeout",
    "queue_deadline",
    "line_full",
    "cannot_hold",
} | {
    "token_limit",
    "budget_exhausted",
}
# Metrics that tell of the traffic, of the bridge's keys and of the store, not of a protection.
OF_TRAFFIC = {
    "aibridge_requests_total",
    "aibridge_request_duration_seconds",
    "aibridge_time_to_first_byte_seconds",
    "aibridge_caller_duration_seconds",
    "aibridge_upstream_responses_total",
    "aibridge_upstream_errors_total",
    "aibridge_route_passed_over_total",
    "aibridge_tokens_total",
    "aibridge_class_requests_total",
    "aibridge_class_tokens_total",
    "aibridge_build_info",
    "aibridge_provider_rejects_total",
    "aibridge_provider_requests_in_flight",
    "aibridge_oldest_unanswered_seconds",
    "aibridge_longest_silence_seconds",
    "aibridge_credit_exhausted_total",
    "aibridge_key_faults_total",
    "aibridge_quota_remaining",
    "aibridge_quota_limit",
    "aibridge_sent_again_total",
    "aibridge_draining",
    "aibridge_config_hash",
    "aibridge_certificate_expires_timestamp_seconds",
    "aibridge_loop_lag_seconds",
    "process_cpu_seconds_total",
    "process_virtual_memory_bytes",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
    "aibridge_log_lines_dropped_total",
    "aibridge_bugs_total",
    "aibridge_otel_spans_total",
    "aibridge_reloads_total",
    "aibridge_admin_refused_total",
    "aibridge_keys",
    "aibridge_key_rests_total",
    "aibridge_store_degraded",
    "aibridge_store_replicas",
    "aibridge_store_failures_total",
    "aibridge_store_call_seconds",
}
# What the picture of the way has and gateway.py leaves to others: the relay, and the end of a `with`.
SAID_ELSEWHERE = {"attempt.report", "lease.leave"}


def metrics() -> set[str]:
    """The name of every metric."""
    admission = Admission(Limits(), lambda: 0.0)
    exposed = Metrics(Counters(providers.ALL), admission.statistics).render().decode()
    return set(re.findall(r"^# TYPE (\S+)", exposed, re.MULTILINE))


def rows(first: str) -> list[tuple[str, str]]:
    """What begins a row of a table in the pages of protections, and where: the group of `first` in backquotes."""
    found = re.compile(rf"^\| `({first})", re.MULTILINE)
    return [(name, page.name) for page in PROTECTION_PAGES for name in found.findall(page.read_text())]


def slug(heading: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("option", [CONFIG, *OPTIONS], ids=lambda option: option.name)
def test_every_option_has_its_row(option: Option) -> None:
    """Flag, variables and default stand together in the reference."""
    rows = [row for row in REFERENCE.splitlines() if row.startswith("|") and f"`{option.variables[0]}`" in row]
    assert len(rows) == 1, option.name
    if option.flag:
        assert f"`{option.flag}" in rows[0]
    for variable in option.all_variables:
        assert f"`{variable}`" in rows[0]
    default = {"false": "off", "true": "on", None: "none", "": "none"}.get(option.default, option.default)
    assert str(default) in rows[0].split("|")[3]


@pytest.mark.parametrize("reject", Reject.__subclasses__(), ids=lambda reject: reject.reason)
def test_every_reject_has_its_row(reject: type[Reject]) -> None:
    """Reason and status stand together."""
    assert f"| `{reject.reason}` | {reject.status} |" in REFERENCE


def test_every_metric_has_its_row() -> None:
    """Names and a query that uses it, and no row for a metric that does not exist."""
    documented = re.findall(r"^\| `((?:aibridge|process)_\w+)` .* \| `([^`]+)` \|$", REFERENCE, re.MULTILINE)
    assert sorted(name for name, _ in documented) == sorted(metrics())
    for name, query in documented:
        assert re.search(rf"\b{name}(_bucket|_sum|_count)?\b", query), name


@pytest.mark.parametrize("provider", providers.ALL, ids=lambda provider: provider.name)
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
    assert len(REASONS) >= 19


def test_the_readmes_check_is_what_ci_runs() -> None:
    """The check that the README tells a contributor to run is the one that CI runs."""
    [command] = re.findall(r"^python3 -m venv .*scripts/check$", README, re.MULTILINE)
    assert command in (ROOT / ".ci" / "run").read_text()


def test_the_dashboards_keys_and_screen_are_documented() -> None:
    """Every key with what it does, and a screen as the program draws it."""
    page = (ROOT / "docs" / "top.md").read_text()
    for key in (*KEYS, *FLEET_KEYS):
        assert f"| `{key.keys}` | {key.does} |" in page
    screen = (ROOT / "tests" / "snapshots" / "top" / "open-80x24.txt").read_text()
    assert f"```text\n{screen}```" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there, and a heading that is in it."""
    for link, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^):]+))?\)", page.read_text()):
        target = page.parent / link if link else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in map(slug, headings), f"{link}#{anchor}"


# Protections.


def test_every_protections_option_has_one_page() -> None:
    """Each stands in one page's table, with its default; no page has a row for what is none."""
    known = {option.flag: option for option in OPTIONS if option.group in (LIMITS, BREAKER)}
    found = rows(r"--[a-z0-9-]+")
    assert sorted(flag for flag, _ in found) == sorted(filter(None, known))
    texts = [page.read_text() for page in PROTECTION_PAGES]
    for flag, option in known.items():
        [row] = [row for text in texts for row in text.splitlines() if re.match(rf"\| `{flag}[ `]", row)]
        default = row.split("|")[2]
        shown = {"false": "off", "true": "on", None: "none", "": "none"}.get(option.default, option.default)
        assert default.strip().strip("`") == shown


def test_every_protections_metric_has_one_page() -> None:
    """Each stands in one page's table."""
    assert sorted(name for name, _ in rows(r"aibridge_\w+")) == sorted(metrics() - OF_TRAFFIC)
    assert metrics() >= OF_TRAFFIC


def test_every_protections_reject_has_one_page() -> None:
    """Each stands in one page's table, with its status."""
    pages = "\n".join(page.read_text() for page in PROTECTION_PAGES)
    found = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", pages, re.MULTILINE)
    statuses = {reject.reason: str(reject.status) for reject in Reject.__subclasses__()}
    assert sorted(found) == sorted((reason, statuses[reason]) for reason in PROTECTIVE)


def test_every_protections_status_field_is_reported() -> None:
    """What /status says of limits, queue and breakers stands in the pages of protections."""
    schema = json.loads((ROOT / "docs" / "status.schema.json").read_text())
    top, defs = schema["properties"], schema["$defs"]
    fields = {"shadow", "would_reject", "rejects"}
    adaptive = defs["adaptive"], *(defs["adaptive"]["properties"][name] for name in ("pushback", "holds"))
    limits = (top[name] for name in ("concurrency", "queue", "rate_limit"))
    for part in (*limits, defs["breaker"], defs["scope"], *adaptive):
        fields |= set(part["properties"])
    fields |= set(defs["credentials"]["properties"])
    pages = "\n".join(page.read_text() for page in PROTECTION_PAGES)
    for name in fields:
        assert re.search(rf"`(\w+(\[\])?\.)*{name}`", pages), name


def test_every_protection_is_found_from_the_first_page() -> None:
    """The index names every page and every protection's own switch, and so does the list of shadows."""
    first = (ROOT / "docs" / "protections" / "README.md").read_text()
    for page in PROTECTION_PAGES:
        if page.name != "README.md":
            link = "../breaker.md" if page.name == "breaker.md" else page.name
            assert re.search(rf"^\| \[[\w ]+\]\({re.escape(link)}\) \|", first, re.MULTILINE), page.name
    shadow = (ROOT / "docs" / "protections" / "shadow.md").read_text()
    for name, reason in PROTECTIONS.items():
        assert re.search(rf"^\| `{name}` \| .* \| `{reason}` \|$", shadow, re.MULTILINE), name


@pytest.mark.parametrize("page", PROTECTION_PAGES[2:], ids=lambda page: page.name)
def test_a_page_says_when_and_when_not(page: Path) -> None:
    """Every protection's page has a picture, and says when to use it, its numbers, and what it does not do."""
    titles = re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE)
    assert titles[-3:-1] == ["When", "Options and numbers"]
    assert titles[-1] in {"What it does not do", "What they do not do"}
    assert "```text\n" in page.read_text()


def test_the_rules_are_numbered() -> None:
    """Each letter's rules count up from 1, so that a number names one rule for good."""
    section = REFERENCE.partition("## Rules\n")[2].partition("\n## ")[0]
    numbered = re.findall(r"^\* ([A-Z])(\d+)\. ", section, re.MULTILINE)
    letters = re.findall(r"^\*\*([A-Z])\. ", section, re.MULTILINE)
    assert list(dict.fromkeys(letter for letter, _ in numbered)) == letters
    for letter in letters:
        own = [int(number) for each, number in numbered if each == letter]
        assert own == list(range(1, len(own) + 1))


def picture(heading: str) -> str:
    """The first picture under a heading of architecture.md."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    return page.partition(f"\n## {heading}\n")[2].partition("```text\n")[2].partition("```")[0]


def test_the_layers_are_the_wings() -> None:
    """The picture of the layers has every wing of the import table, each above all that it imports."""
    rows = {}
    for number, line in enumerate(picture("Layers").splitlines()):
        for found in re.findall(r"(?<![\w/.])((?:core/)?\w+)(?:/|\.py)(?=\s|$)|(__main__)", line):
            rows[(found[0] or found[1]).replace("/", ".")] = number
    assert set(rows) == set(WINGS)
    for wing, imports in WINGS.items():
        for imported in imports:
            assert rows[wing] <= rows[imported], f"{wing} imports {imported}"


@pytest.mark.parametrize("heading", ["A request that waits", "A request that is held"])
def test_the_sequence_of_a_request_is_the_gateways(heading: str) -> None:
    """What a waiting or a held request calls in its picture is called in gateway.py, in that order."""
    gateway = (ROOT / "aibridge_trio" / "gateway" / "gateway.py").read_text()
    text, at = picture(heading), 0
    calls = re.findall(r"(\w+\.\w+)\(\)", text)
    for call in calls:
        found = re.compile(rf"\b_?{re.escape(call)}\(").search(gateway, at)
        assert found, call
        at = found.end()
    assert len(calls) > 4


def test_what_is_to_be_found_is_there() -> None:
    """Every file and folder that architecture.md names in its table exists."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page.partition("## Where to find what")[2].partition("\n## ")[0]
    named = re.findall(r"`((?:\w+/)+(?:\w+\.py)?|\w+\.py)`", table)
    for name in named:
        assert (ROOT / "aibridge_trio" / name).exists() or (ROOT / name).exists(), name
    assert len(named) > 30


def test_recipes_name_files_that_exist() -> None:
    """Every file and folder of the recipes in CONTRIBUTING.md is there."""
    recipes = (ROOT / "CONTRIBUTING.md").read_text().partition("## Recipes")[2]
    named = set(re.findall(r"`((?:\w+/)+(?:[\w.]+)?|\w+\.py)`", recipes))
    for name in named:
        assert (ROOT / "aibridge_trio" / name).exists() or (ROOT / name).exists(), name
    assert len(named) > 30


def test_the_threats_have_tests() -> None:
    """Each defence of SECURITY.md names a test file that exists, split ones by their first name."""
    page = (ROOT / "SECURITY.md").read_text()
    table = page.partition("## What is defended")[2].partition("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ")][1:]
    for row in rows:
        shown = re.findall(r"`(tests/\S+)\.py`", row.split("|")[3])
        assert shown, row
        for file in shown:
            assert list(ROOT.glob(f"{file}.py")) or list(ROOT.glob(f"{file}_*.py")), file
    assert len(rows) > 10


def test_the_index_has_every_page() -> None:
    """docs/README.md links every page of the documentation."""
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        name = str(page.relative_to(ROOT / "docs"))
        assert name in {"README.md", "operating.md"} or f"({name})" in index, name


def test_the_diagram_is_the_gateways_way() -> None:
    """What the picture in architecture.md calls is called in gateway.py, and in that order."""
    calls = [
        name
        for name in re.findall(r"[│└] +((?:\w+\.)?\w+)\(\)", picture("One request"))
        if name not in SAID_ELSEWHERE
    ]
    gateway = (ROOT / "aibridge_trio" / "gateway" / "gateway.py").read_text()
    door, _, way = gateway.partition("    async def _serve")
    before, _, after = door.partition("await self._serve")
    story = before + way.partition("    async def _answer_error")[0] + after
    at = 0
    for call in calls:
        found = re.compile(rf"\b_?{re.escape(call)}\(").search(story, at)
        assert found, call
        at = found.end()
    assert len(calls) > 10


# The configuration file.


@pytest.mark.parametrize(
    ("header", "shape"),
    [
        ("### `[classes.NAME]`", keys.CLASS),
        ("### `[[callers]]`", keys.CALLER),
        ("### `[providers.NAME]`", keys.PROVIDER),
        ("### `[[routes]]`", keys.ROUTE),
    ],
)
def test_every_key_of_a_table_has_its_row(header: str, shape: Shape) -> None:
    """With its default, under its table; and no row for a key that does not exist."""
    section = re.split(r"^##", REFERENCE.partition(f"{header}\n")[2], flags=re.MULTILINE)[0]
    found = {row.split("|")[1].strip(" `"): row for row in section.splitlines() if row.startswith("| `")}
    nested = [key.shape for key in shape.keys if key.most and key.shape]
    assert set(found) == {key.name for held in (shape, *nested) for key in held.keys}
    for key in shape.keys:
        default = "required" if key.required else key.default or "none"
        first = next(row for row in section.splitlines() if row.startswith(f"| `{key.name}` |"))
        assert f"| {default} |" in first.replace("`", "")


def test_the_example_files_load(tmp_path: Path) -> None:
    """With the key files that they name."""
    found = re.findall(
        r"^```toml\n(.*?)^```$", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert found
    for number, text in enumerate(found):
        file = tmp_path / f"{number}.toml"
        for name in re.findall(r'"/etc/aibridge/([^"]*)"', text):
            (tmp_path / name).write_text("sk-1")
        file.write_text(text.replace("/etc/aibridge", str(tmp_path)))
        load({"config": str(file)}, {})
