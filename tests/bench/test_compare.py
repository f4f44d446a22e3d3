"""The pure parts of the bench: what it makes of numbers. How fast anything is, no test says."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.compare import plan, report, traffic, wrk
from bench.compare.__main__ import main
from bench.compare.arrivals import Arrivals
from bench.compare.behaviour import Behaviour
from bench.compare.cast import OTHERS, named
from bench.compare.lab import free_port
from bench.compare.peers import Launch, Place, aibridge, envoy, litellm, nginx, portkey, smg
from bench.compare.pictures import pictures
from bench.compare.plot import bars, lines
from bench.compare.process import Failed
from bench.compare.readings import Reading, Readings, percentile, short
from bench.compare.scenarios import crowd
from bench.compare.scripted import ScriptedProvider
from bench.compare.sections import SECTIONS
from bench.compare.streams import Streams
from bench.compare.targets import ROWS, Bound, Row, Verdict, judge, plain, to_own, to_peer
from bench.compare.turns import DISTURBANCE, in_turns

BENCH = Path(__file__).parents[2] / "bench"
PLACE = Place(port=8001, admin=8002, provider=8003, folder=Path("/lab"))


def rounds(peer: str, quantity: str, *values: float) -> list[Reading]:
    """Return a value a round."""
    return [Reading(peer, quantity, value, number) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([7], 50, 7), ([7], 99, 7), ([4, 1, 3, 2], 50, 2), (range(1, 101), 99, 99), (range(1, 1001), 99, 990)],
)
def test_percentile(values: list[float], percent: float, expected: float) -> None:
    """A percentile is one of the values, the smallest that so many do not exceed."""
    assert percentile(values, percent) == expected


def test_ratios_are_taken_round_by_round() -> None:
    """What slows both in one round leaves their ratio alone; a round that one of them lacks does not count."""
    readings = Readings([*rounds("ours", "rate@32", 10, 5, 12), *rounds("envoy", "rate@32", 20, 10)])
    assert readings.ratio("ours", "rate@32", "envoy") == 0.5
    assert readings.median("ours", "rate@32") == 10
    assert readings.ratio("ours", "rate@32", "nobody") is None
    assert readings.median("nobody", "rate@32") is None
    assert readings.peers("rate@32") == ["ours", "envoy"]


@pytest.mark.parametrize(
    ("number", "text"), [(0.08912, "0.0891"), (2.5, "2.5"), (99.96, "100"), (22108.3, "22,108")]
)
def test_short_numbers(number: float, text: str) -> None:
    """Three digits that count, and no more."""
    assert short(number) == text


@pytest.mark.parametrize(
    ("ours", "envoy", "verdict"),
    [(6, 10, Verdict.GOAL), (4, 10, Verdict.MUST), (2, 10, Verdict.MISSED), (6, None, Verdict.UNKNOWN)],
)
def test_a_row_is_judged_by_its_bounds(ours: float, envoy: float | None, verdict: Verdict) -> None:
    """Met are must and goal, the must alone, none, or it cannot be known."""
    row = Row("rate", (Bound(to_peer("rate", "envoy"), "{} × Envoy", 0.3, 0.5, at_least=True),))
    readings = Readings([Reading("ours", "rate", ours), *([Reading("envoy", "rate", envoy)] if envoy else [])])
    [judged] = judge(readings, "ours", [row])
    assert judged.verdict == verdict
    assert (judged.must, judged.goal) == ("≥ 0.3 × Envoy", "≥ 0.5 × Envoy")


def test_all_bounds_of_a_row_have_to_hold() -> None:
    """One reject that is too dear is a missed row, and the table shows which; shared limits stand there once."""
    bounds = tuple(Bound(to_own(each, "served"), "{}", 1 / 3, 1 / 4, case=each) for each in ("full", "open"))
    served = [Reading("ours", "served", 100)]
    [judged] = judge(
        Readings([*served, Reading("ours", "full", 20), Reading("ours", "open", 40)]), "ours", [Row("no", bounds)]
    )
    assert judged.verdict == Verdict.MISSED
    assert judged.measured == "0.2 (full), 0.4 (open)"
    assert judged.must == "≤ 0.333"


def test_plain_numbers_are_scaled() -> None:
    """A share is judged in percent."""
    assert plain("busy", 100)(Readings([Reading("ours", "busy", 0.97)]), "ours") == pytest.approx(97)


@dataclass
class Someone:
    """Targets that take turns."""

    name: str


class Umpire:
    """A referee with a scripted use of the machine by others."""

    def __init__(self, *foreign: float, patience: float = 100.0) -> None:
        self.patience = patience
        self.notes: list[str] = []
        self._foreign = list(foreign)

    def watch(self) -> Callable[[], tuple[float, float]]:
        return lambda: (1.0, self._foreign.pop(0) if self._foreign else 0.0)

    def note(self, who: str, what: str) -> None:
        self.notes.append(f"{who}: {what}")


def test_who_fails_is_left_out_and_the_others_go_on() -> None:
    """A proxy that cannot do the work does not cost the others' numbers."""

    def work(each: Someone, number: int) -> Iterator[Reading]:
        if each.name == "weak":
            raise Failed("too much")
        yield Reading(each.name, "done", 1, number)

    umpire = Umpire()
    found = Readings(in_turns([Someone("weak"), Someone("strong")], 2, work, umpire))
    assert found.values("strong", "done") == {0: 1, 1: 1}
    assert not found.values("weak", "done")
    assert umpire.notes == ["weak: too much"]


@pytest.mark.parametrize(("patience", "expected"), [(100.0, 2), (0.0, 1)])
def test_what_was_disturbed_is_repeated_while_there_is_patience(patience: float, expected: int) -> None:
    """The least disturbed of three attempts counts; before each, others are waited for."""
    quiet = 0.0
    foreign = (0.5, quiet, 0.9, quiet, 0.3, quiet, 0.7) if patience else (0.9,)
    attempts = iter(range(1, 9))

    def work(each: Someone, number: int) -> Iterator[Reading]:
        yield Reading(each.name, "attempt", next(attempts), number)

    found = Readings(in_turns([Someone("one")], 1, work, Umpire(*foreign, patience=patience)))
    assert found.values("one", "attempt") == {0: expected}
    assert found.values("one", DISTURBANCE) == {0: 0.3 if patience else 0.9}


@pytest.mark.parametrize("stream", [False, True])
def test_requests_are_framed(stream: bool) -> None:
    """A request is complete with its last byte, not before, and looks like the SDK's."""
    asked = traffic.request(8001, "/v1/chat/completions", stream=stream, headers=[("x-own", "1")])
    assert traffic.whole(asked)
    assert not traffic.whole(asked[:-1])
    head, _, content = asked.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8001\r\n")
    assert b"\r\nx-own: 1" in head
    assert json.loads(content).get("stream", False) == stream


def test_answers_are_framed() -> None:
    """A unary answer by its length, a stream by its last chunk; events are JSON in chunks of their size."""
    assert traffic.whole(traffic.answer())
    assert not traffic.whole(traffic.answer()[:-1])
    stream = traffic.stream_head() + traffic.stream_event() * 2
    assert not traffic.whole(stream)
    assert traffic.whole(stream + traffic.stream_end())
    size, _, data = traffic.stream_event().partition(b"\r\n")
    assert len(data) == int(size, 16) + 2
    assert json.loads(data.removeprefix(b"data: "))["choices"][0]["delta"]["content"]


def test_wrks_script_quotes_the_body() -> None:
    """JSON in a Lua string."""
    script = wrk.lua((("x-own", "1"),))
    [line] = re.findall(r"^wrk\.body = (.*)$", script, re.MULTILINE)
    assert json.loads(json.loads(line)) == json.loads(traffic.body(stream=False))
    assert 'wrk.headers["x-own"] = "1"' in script


@pytest.mark.parametrize(
    ("launch", "file"),
    [
        (envoy._launch, "envoy.json"),
        (nginx._launch, "nginx.conf"),
        (litellm._launch, "litellm.yaml"),
        (smg._launch, None),
    ],
)
def test_proxies_are_told_their_place(launch: Callable[[str, Place], Launch], file: str | None) -> None:
    """Each listens on its port, goes to the provider's, and its configuration is what its format asks for."""
    started = launch("/bin/proxy", PLACE)
    told = " ".join([*started.argv, *started.files.values()])
    assert started.argv[0] == "/bin/proxy"
    assert str(PLACE.port) in told
    assert str(PLACE.provider) in told
    assert list(started.files) == ([file] if file else [])
    if file and file.endswith(("json", "yaml")):
        json.loads(started.files[file])


def test_each_request_names_the_provider_for_portkey() -> None:
    """Its command has the port only."""
    assert "--port=8001" in portkey._launch("/bin/proxy", PLACE).argv
    assert ("x-portkey-custom-host", "http://127.0.0.1:8003/v1") in portkey._headers(PLACE)


def test_the_bridge_has_all_protections_on() -> None:
    """As an operator starts it; the line of log a request stays on."""
    argv = aibridge.peer("/bin/true").launch("aibridge", PLACE).argv
    for option in ("--max-concurrency", "--rate-limit", "--circuit-breaker", "http://127.0.0.1:8003/v1"):
        assert option in argv
    most = int(argv[argv.index("--max-connections") + 1])
    assert most > max(size for _, size in crowd.CROWDS), "a connection that is refused fails the crowd"
    assert not {"--log-level", "--log-format"} & set(argv)


def test_bridges_are_named() -> None:
    """By the user, else by their order."""
    assert named("before=/old/aibridge", 0) == ("before", "/old/aibridge")
    assert named("/old/aibridge", 0) == ("aibridge", "/old/aibridge")
    assert named("/new/aibridge", 1) == ("aibridge-2", "/new/aibridge")


def a_run(*readings: Reading) -> report.Run:
    """Return a finished run with these readings."""
    return report.Run(
        readings=Readings(readings),
        versions={"aibridge": "0.1.0", "envoy": "1.40.0"},
        bridges=["aibridge"],
        date="2026-11-26",
        command="python -m bench.compare",
        machine={"processor": "a fast one"},
        notes=["smg is not installed"],
    )


RATES = (
    *rounds("aibridge", "requests_per_s@32", 5000, 6000),
    *rounds("envoy", "requests_per_s@32", 10000, 10000),
    *rounds("aibridge", "load_goodput@1", 0.9),
    *rounds("aibridge", "load_goodput@10", 0.99),
    *rounds("straight", "load_goodput@1", 0.9),
    *rounds("straight", "load_goodput@10", 0),
)


def test_the_page_tells_who_what_where_and_when() -> None:
    """Date, machine, versions, targets, medians with their ratios to Envoy, and what did not work."""
    page = report.page(a_run(*RATES), ["requests.svg"])
    for text in ("2026-11-26", "a fast one", "| envoy | 1.40.0 |", "smg is not installed"):
        assert text in page
    assert "| requests/s, 32 in flight | 5,500 (0.55 ×) | 10,000 |" in page
    assert "| 0.55 × Envoy | must met |" in page
    assert "First byte" not in page, "a table without numbers"
    assert "](requests.svg)" in page


def test_tables_have_a_cell_a_column() -> None:
    """Every line of a table is as long as its head."""
    for block in re.findall(r"(?:^\|.*\n)+", report.page(a_run(*RATES)), re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_every_target_is_among_the_tables() -> None:
    """What is judged is shown: each measure finds its numbers among the sections' quantities."""
    shown = {quantity for section in SECTIONS for _, quantity in section.rows}
    everyone = ("ours", "envoy", "portkey", "litellm", "smg")
    readings = Readings(Reading(peer, quantity, 1) for peer in everyone for quantity in shown)
    for row in ROWS:
        for bound in row.bounds:
            assert bound.measure(readings, "ours") is not None, row.what


def test_pictures_are_svg() -> None:
    """Well-formed, with a name and a value an entry; longer bars are larger values."""
    drawn = dict(pictures(a_run(*RATES)))
    assert set(drawn) == {"requests.svg", "overload.svg"}
    for picture in drawn.values():
        ET.fromstring(picture)
    widths = [
        float(each.attrib["width"])
        for each in ET.fromstring(bars("<rates>", {"a & b": 50, "c": 5000}, unit="/s", own=["c"])).iter()
        if each.tag.endswith("rect")
    ]
    _, small, large = widths
    assert 0 < small < large
    assert "100%" in lines("load", {"one": [(1, 0.5), (10, 1.0)]}, across="load")


@pytest.mark.parametrize("arguments", [["--only", "nothing"], ["--peers", "envoy,traefik"], ["--core", "x"]])
def test_mistakes_on_the_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """They are named before anything is started."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_bridge_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """It is one line, and what to do about it."""
    assert main(["--aibridge", "/nowhere/aibridge"]) == 1
    assert capsys.readouterr().err.startswith("bench: no aibridge at /nowhere/aibridge;")


def test_the_readme_is_complete_and_its_links_lead_somewhere() -> None:
    """Every scenario, proxy and option stands there."""
    text = (BENCH / "README.md").read_text()
    for name in (*plan.SCENARIOS, *OTHERS):
        assert f"`{name}`" in text
    for option in re.findall(r'"(--\w+)"', (BENCH / "compare" / "__main__.py").read_text()):
        assert f"`{option}" in text
    for page in BENCH.glob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (BENCH / link).exists(), f"{page.name}: {link}"


def test_the_bench_needs_nothing_but_python() -> None:
    """Neither the project nor any library: it measures bridges of other checkouts too.

    The scorecard needs the project's mock anyway, and takes two libraries that come with it; goodput's callers
    retry as the simulator's do; replicas at a store are the project's links; the soak runs this checkout's.
    """
    others = {
        "scorecard": {"trio", "h11"},
        "goodput": {"trio", "aibridge_trio"},
        "replicas": {"trio", "aibridge_trio"},
    }
    for file in set(BENCH.rglob("*.py")) - set((BENCH / "soak").rglob("*.py")):
        ours = others.get(file.relative_to(BENCH).parts[0], set())
        allowed = {"bench", *sys.stdlib_module_names, *ours}
        for node in ast.walk(ast.parse(file.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                assert module.partition(".")[0] in allowed, f"{file.name}: {module}"


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[ScriptedProvider]:
    """A scripted provider that runs."""
    with ExitStack() as stack:
        started = ScriptedProvider(free_port(), cores=os.sched_getaffinity(0), log=tmp_path / "log")
        stack.callback(started.stop)
        yield started


@pytest.mark.real
def test_unary_answers_wait_for_a_slot(provider: ScriptedProvider) -> None:
    """Every request is served in the end, and the provider reports how much it worked."""
    provider.behave(Behaviour(service=0.02, slots=2))
    asked = traffic.request(provider.port, "/v1/chat/completions", stream=False)
    marks: list[int] = []
    arrivals = Arrivals(provider.port, asked, rate=200, patience=30)
    outcomes = arrivals.run(0.2, [(0.1, lambda: marks.append(provider.counts().requests))])
    assert {outcome.status for outcome in outcomes} == {200}
    assert min(outcome.seconds for outcome in outcomes) >= 0.02
    counts = provider.counts()
    assert counts.answers == len(outcomes) >= marks[0]
    assert counts.busy >= 0.02 * len(outcomes)


@pytest.mark.real
def test_streams_end_or_are_held(provider: ScriptedProvider) -> None:
    """All events come, then the end or silence; who leaves a silent stream is seen to leave."""
    asked = traffic.request(provider.port, "/v1/chat/completions", stream=True)
    provider.behave(Behaviour(events=4, rate=100))
    with Streams(provider.port, asked) as streams:
        streams.open(3)
        # The finish, the usage and [DONE] are events too.
        streams.expect(3 * (4 + 3), 30)
    provider.behave(Behaviour(events=2, hold=True))
    with Streams(provider.port, asked) as streams:
        streams.open(3)
        streams.expect(3 * 2, 30)
        assert provider.counts().abandoned == 0
    while provider.counts().abandoned < 3:
        pass
    assert provider.counts().stalled == 0
