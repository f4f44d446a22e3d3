"""The bench of goodput: the same requests for all, callers that retry as their clients do, honest counts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from aibridge_trio.demo.callers import MIX, Arrival, Result
from aibridge_trio.simulate.world.clients import CLIENTS
from bench.compare import marked
from bench.compare.lab import free_port
from bench.compare.process import Failed
from bench.goodput import __main__ as command
from bench.goodput import callers, page
from bench.goodput.callers import CENTRAL, arrivals, ask
from bench.goodput.incidents import CALLERS, CAPACITY, INCIDENTS, SLOTS, Incident
from bench.goodput.running import Outcome, through
from bench.scorecard.caller import Way, key
from bench.scorecard.gateways import CENTRAL_KEY, aibridge
from bench.scorecard.provider import Provider

BENCH = Path(__file__).parents[2] / "bench"
QUICK = {"latency": 0, "tokens": 3, "tokens_per_second": 0, "slots": 0}
SHORT = Incident(name="overload", about="nothing", rate=20, seconds=1, options=QUICK)
SOON = {"headers": {"retry-after": None, "retry-after-ms": "10"}}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A mock provider, a process of its own."""
    provider = Provider(free_port(), Path(tmp_path_factory.mktemp("provider")) / "log")
    trio.run(provider.start)
    yield provider
    provider.stop()


async def asked(provider: Provider, *script: dict[str, Any], client: str = "openai-python") -> tuple[Result, int]:
    """Ask the provider as a client would; return the result, and the calls that it took."""
    await provider.change({"fail": {}, **QUICK})
    await provider.fresh()
    await provider.script(*script)
    caller = [each.name for each in MIX].index(client)
    result = await ask(Way(provider.port, "/v1/chat/completions"), Arrival(0.0, caller, 1), central=True)
    return result, await provider.calls()


# Requests


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident.name)
def test_requests_are_the_same_for_a_seed(incident: Incident) -> None:
    """In order, as many as the rate says, of all callers; another seed has others."""
    found = arrivals(incident, 1)
    assert found == arrivals(incident, 1)
    assert found != arrivals(incident, 2)
    assert found == sorted(found, key=lambda each: each.at)
    assert 0 < found[0].at < found[-1].at < incident.seconds
    assert len(found) == pytest.approx(incident.rate * incident.seconds, rel=0.25)
    assert {each.caller for each in found} == set(range(CALLERS))


def test_the_incidents_are_what_they_say() -> None:
    """Overload is above the capacity, the outage begins and ends within the load, the quota is exceeded."""
    overload, outage, quota = INCIDENTS
    assert overload.rate > CAPACITY > outage.rate
    assert overload.start["slots"] == outage.start["slots"] == SLOTS
    assert [options["fail"] for _, options in outage.changes] == [{"503": 1}, {}]
    assert 0 < outage.changes[0][0] < outage.changes[1][0] < outage.seconds
    assert quota.rate > quota.start["requests_per_minute"] / 60


@pytest.mark.real
async def test_an_answer_is_a_whole_stream(provider: Provider) -> None:
    """With its first token's time."""
    result, calls = await asked(provider)
    assert (result.answered, calls) == (True, 1)
    assert result.wait is not None
    assert 0 < result.wait < 5


@pytest.mark.real
@pytest.mark.parametrize(
    "broken",
    [
        {"fault": "truncate", "after": 2},
        {"fault": "error_event", "after": 2},
        {"fault": "reset"},
        {"status": 200, "body": "data: [DONE]"},
    ],
    ids=["truncated", "error event", "reset", "no token"],
)
async def test_a_broken_answer_is_none(
    broken: dict[str, Any], provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its status."""
    monkeypatch.setattr("aibridge_trio.demo.callers.MIX", (CLIENTS["none"],))
    result, calls = await asked(provider, broken)
    assert (result.answered, calls) == (False, 1)


@pytest.mark.real
async def test_a_request_is_tried_as_its_client_tries(provider: Provider) -> None:
    """openai-python retries twice, and after the wait that the provider asks for; Codex goes on for longer."""
    failure = {"status": 503, **SOON}
    for client, failures, tried in (("openai-python", 2, 3), ("openai-python", 3, 3), ("claude-code", 0, 1)):
        result, calls = await asked(provider, *[failure] * failures, client=client)
        assert (result.answered, calls) == (failures < 3, tried)


@pytest.mark.real
async def test_a_caller_leaves_when_its_first_token_is_late(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider sees it leave; once the first token is there the caller reads on."""
    monkeypatch.setattr(callers, "PATIENCE", 0.3)
    result, _ = await asked(provider, {"delay": 20})
    assert (result.answered, result.wait) == (False, None)
    assert (await provider.stats())["aborted"] == 1
    slow = {"chunks": ['data: {"content": "x"}\n\n', "data: [DONE]\n\n"], "chunk_delay": 0.6}
    result, _ = await asked(provider, slow)
    assert result.answered


# Outcomes


def test_an_outcome_counts_what_was_for_nothing() -> None:
    """Calls without an answer are wasted, the 99th percentile is of the answered."""
    outcome = Outcome(requests=200, answered=100, calls=400, waits=tuple(n / 100 for n in range(100)))
    assert (outcome.share, outcome.wasted, outcome.p99) == (0.5, 0.75, 0.98)
    none = Outcome(requests=5, answered=0, calls=0, waits=())
    assert (none.share, none.wasted, none.p99) == (0, 0, None)


@pytest.mark.real
async def test_without_an_incident_every_request_is_answered_by_one_call(provider: Provider) -> None:
    """Straight to the provider, with the central key."""
    outcome = await through(None, SHORT, provider, 1)
    assert outcome.requests == outcome.answered == outcome.calls == len(arrivals(SHORT, 1))
    last = dict((await provider.stats())["last"][-1]["headers"])
    assert last["authorization"] == f"Bearer {key(CENTRAL)}"


@pytest.mark.real
async def test_an_incident_changes_the_provider_on_time(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the change requests fail, behind it they are answered; the next run begins healthy."""
    monkeypatch.setattr("aibridge_trio.demo.callers.MIX", (CLIENTS["none"],))
    incident = replace(SHORT, options={**QUICK, "fail": {"503": 1}}, changes=((0.5, {"fail": {}}),))
    outcome = await through(None, incident, provider, 1)
    assert outcome.answered == pytest.approx(sum(each.at > 0.5 for each in arrivals(SHORT, 1)), abs=2)
    assert outcome.calls == outcome.requests > outcome.answered > 0
    assert (await through(None, SHORT, provider, 1)).share == 1


@pytest.mark.real
async def test_the_bridge_has_the_flags_that_are_given_and_the_central_key(provider: Provider) -> None:
    """All requests have the central key at the provider; flags that do not exist are a failure."""
    gateway = aibridge.gateway(name="limits", goodput=("--max-concurrency", "20"))
    assert gateway.peer.name == "limits"
    outcome = await through(gateway, SHORT, provider, 1)
    assert (outcome.share, outcome.calls) == (1, outcome.requests)
    last = dict((await provider.stats())["last"][-1]["headers"])
    assert last["authorization"] == f"Bearer {CENTRAL_KEY}"
    with pytest.raises(Failed, match=r"does not start|ended with status"):
        await through(aibridge.gateway(goodput=("--no-such-flag",)), SHORT, provider, 1)


# The page and the command


def run(**outcomes: Outcome | str) -> page.Run:
    """Return a run of one incident."""
    return page.Run(
        outcomes={("outage", name): outcome for name, outcome in outcomes.items()},
        columns={name: f"{name} 1.0" if name != "straight" else "" for name in outcomes},
        date="2026-11-30",
        command="python -m bench.goodput --write",
        notes=["envoy is not installed"],
    )


OUTCOME = Outcome(requests=200, answered=150, calls=300, waits=(1.0, 2.0))


def test_the_tables_have_a_row_for_each_column() -> None:
    """In text and on the page; what failed says so."""
    made = run(straight=OUTCOME, ours="failed")
    text = page.terminal(made)
    assert re.search(r"^straight +75\.0% +50\.0% +1\.50 +2\.0 s$", text, re.MULTILINE)
    assert re.search(r"^ours +failed", text, re.MULTILINE)
    assert "note: envoy is not installed" in text
    section = page.section(made)
    assert "| straight | 75.0% | 50.0% | 1.50 | 2.0 s |" in section
    assert "* `ours`: ours 1.0" in section
    assert "quota" not in text


def test_each_part_of_the_page_keeps_its_place() -> None:
    """Goodput and scorecard replace themselves, not each other; a page that is written anew keeps both."""
    goodput, card = page.section(run(straight=OUTCOME)), "<!-- scorecard: begin -->\nx\n<!-- scorecard: end -->\n"
    written = marked.replaced("# Results\n\n## Notes\n\n* a note\n", card)
    written = marked.replaced(written, goodput, marked.GOODPUT)
    assert marked.replaced(written, goodput, marked.GOODPUT) == written
    assert marked.found(written) == card
    anew = marked.kept("# Results\n\nanew\n", written)
    assert marked.found(anew) == card
    assert marked.found(anew, marked.GOODPUT) == goodput
    assert marked.kept("# Results\n", "# Results\n") == "# Results\n"


@pytest.mark.real
def test_the_command_prints_and_writes_what_came_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column for each set of flags; a bridge that does not start fails alone."""
    monkeypatch.setattr(command, "INCIDENTS", (SHORT,))
    monkeypatch.setattr(command, "RESULTS", tmp_path / "RESULTS.md")
    command.RESULTS.write_text("# Results\n")
    file = tmp_path / "run.json"
    bridges = ("--bridge", "limits=--max-concurrency 10 --queue-size 9", "--bridge", "bad=--no-such-flag")
    assert command.main(["--gateways", "straight,aibridge", *bridges, "--json", str(file), "--write"]) == 0
    document = json.loads(file.read_text())
    shares = {each["column"]: each["outcome"] for each in document["outcomes"]}
    assert shares["bad"] == "failed"
    assert shares["straight"]["share"] == shares["limits"]["share"] == 1
    assert "limits" in capsys.readouterr().out
    assert "| limits | 100.0% | 0.0% | 1.00 |" in command.RESULTS.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gateways", "nginx"], "'nginx' is none of straight, aibridge"),
        (["--only", "flood"], "'flood' is none of overload"),
        (["--bridge", "--adaptive"], "expected one argument"),
        (["--bridge", "adaptive"], "'adaptive' is not NAME=FLAGS"),
    ],
)
def test_mistakes_are_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything starts."""
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert said in capsys.readouterr().err


def test_a_missing_bridge_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """With its path."""
    assert command.main(["--aibridge", "/nowhere"]) == 1
    assert "no aibridge at /nowhere" in capsys.readouterr().err


def test_the_readme_names_all() -> None:
    """Every incident, gateway and option stands in bench/README.md."""
    text = (BENCH / "README.md").read_text()
    for incident in INCIDENTS:
        assert f"| `{incident.name}` | {incident.about} |" in text
    for option in re.findall(r'"(--\w+)"', (BENCH / "goodput" / "__main__.py").read_text()):
        assert f"`{option}" in text
