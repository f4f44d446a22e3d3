"""The scorecard says no to a gateway that is bad in each of its twenty-one ways, and yes to a good one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from bench.compare import marked
from bench.compare.lab import free_port
from bench.compare.peers import Peer, Place
from bench.compare.peers import portkey as portkey_peer
from bench.scorecard import page
from bench.scorecard.__main__ import main
from bench.scorecard.asking import Question, Verdict, put
from bench.scorecard.caller import Way
from bench.scorecard.cast import KNOWN
from bench.scorecard.gateways import Gateway, aibridge, envoy, litellm, portkey, smg
from bench.scorecard.provider import Provider
from bench.scorecard.questions import QUESTIONS
from bench.scorecard.running import Row, judge
from bench.scorecard.scene import Gate, No, Scene
from bench.scorecard.terms import Setup, Terms
from tests.support.bad_gateway import a_gateway

BENCH = Path(__file__).parents[2] / "bench"

# Short where something has to pass, generous where something has to be quick: machines are noisy.
TERMS = Terms(
    cooldown=0.5,
    at_once=0.5,
    back=1.0,
    stall=3.0,
    patience=3.0,
    deadline=20.0,
    work=0.1,
    greed=20,
    pause=0.2,
    fair_for=1.0,
    fair_wait=1.5,
)


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider, a process of its own."""
    provider = Provider(free_port(), Path(tmp_path_factory.mktemp("provider")) / "log")
    trio.run(provider.start)
    yield provider
    provider.stop()


async def asked(question: Question, provider: Provider, bad: int) -> Verdict:
    """Put a question to a gateway with this vice."""
    await provider.fresh()
    async with a_gateway(provider.port, question.setup, TERMS, bad) as gate:
        return await put(question, Scene(gate, provider, TERMS))


by_number = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: str(question.number))


@pytest.mark.real
@by_number
async def test_bad_on_purpose_is_found(question: Question, answering: Provider) -> None:
    """A gateway that fails in just this way gets a no, with evidence and not by an error."""
    verdict = await asked(question, answering, question.number)
    assert not verdict.yes, verdict.evidence
    assert verdict.evidence
    assert "error: " not in verdict.evidence


@pytest.mark.real
@by_number
async def test_good_gets_its_yes(question: Question, answering: Provider) -> None:
    """A gateway that does what is asked for gets a yes, with evidence."""
    verdict = await asked(question, answering, 0)
    assert verdict.yes, verdict.evidence
    assert verdict.evidence


def test_there_are_twenty_one() -> None:
    """Each number once, in order, and each question says what is done."""
    assert [each.number for each in QUESTIONS] == list(range(1, 22))
    assert all(each.ask.__doc__ for each in QUESTIONS)


def scene() -> Scene:
    """Return a scene in which nothing answers."""
    return Scene(Gate(way=Way(free_port(), "/")), Provider(free_port(), Path("/dev/null")), TERMS)


async def test_an_error_in_a_question_is_a_no() -> None:
    """No question ends the run: a bug in it, a no from deep inside, a question that hangs."""

    async def bug(_scene: Scene) -> str:
        raise ZeroDivisionError("a bug")

    async def refuses(_scene: Scene) -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise No("for a\nreason")

    async def hangs(_scene: Scene) -> str:
        await trio.sleep_forever()

    [first, *_] = QUESTIONS
    evidence = {}
    for ask in (bug, refuses, hangs):
        verdict = await put(replace(first, ask=ask, deadline=lambda _terms: 0.01), scene())
        assert not verdict.yes
        evidence[ask.__name__] = verdict.evidence
    assert evidence == {
        "bug": "error: ZeroDivisionError: a bug",
        "refuses": "for a reason",
        "hangs": "not settled within 0.01 s",
    }


async def test_who_does_not_run_gets_a_no() -> None:
    """If no program listens on the port, each question gets a no, and none ends with an error of the scorecard."""
    for question in QUESTIONS:
        if question.number in (1, 5, 13, 19):
            nobody = scene()
            nobody.provider.script = _nothing  # type: ignore[method-assign]
            nobody.provider.in_flight = _none  # type: ignore[method-assign]
            assert not (await put(question, nobody)).yes


@pytest.mark.real
async def test_who_does_not_start_gets_a_no_each(answering: Provider) -> None:
    """A program that ends at once, and what cannot be configured: a no with its reason, and no crash."""
    peer = Peer(name="x", executable="/bin/false", version="1", launch=portkey_peer._launch)
    gateway = Gateway(
        peer=peer, launch=lambda place, _setup, _terms: peer.launch("/bin/false", place), lacks={20: "metrics"}
    )
    heard: list[int] = []
    asked = [each for each in QUESTIONS if each.number in (1, 2, 12, 20)]
    rows = await judge(gateway, asked, TERMS, answering, lambda question, _: heard.append(question.number))
    assert [row.number for row in rows] == [1, 2, 12, 20]
    assert sorted(heard) == [1, 2, 12, 20]
    assert not any(row.verdict.yes for row in rows)
    assert "ended with status 1" in rows[0].verdict.evidence
    assert rows[-1].verdict.evidence == "has no metrics"


async def _nothing(*_answers: object) -> None:
    pass


async def _none() -> int:
    return 0


def card(**verdicts: Verdict) -> page.Card:
    """Return a card with one question."""
    return page.Card(
        questions=QUESTIONS[:1],
        rows=[Row(name, 1, verdict) for name, verdict in verdicts.items()],
        versions=dict.fromkeys(verdicts, "1.0"),
        date="2026-11-26",
        command="python -m bench.scorecard --write",
        minutes=9.6,
        notes=["portkey is not installed"],
    )


def test_the_card_shows_what_is_lost() -> None:
    """Yes and no stand side by side, each with its evidence, in text and on the page."""
    made = card(ours=Verdict(False, "none | < 1"), other=Verdict(True, "503 in 1 ms"))
    assert re.search(r"1 reject at N\+1 in < 50 ms +no +yes", page.terminal(made))
    assert "   other      yes  503 in 1 ms" in page.evidence(made)
    section = page.section(made)
    assert "| 1 | reject at N+1 in &lt; 50 ms | no | **yes** |" in section
    assert "| 1 | ours | no | none \\| &lt; 1 |" in section
    assert "in 10 minutes: ours 1.0, other 1.0." in section


def test_the_section_stays_where_it_is() -> None:
    """It goes before the notes, replaces itself, and survives what the other command writes."""
    section = page.section(card(ours=Verdict(True, "first")))
    again = page.section(card(ours=Verdict(True, "second")))
    with_it = marked.replaced("# Results\n\nnumbers\n\n## Notes\n\n* a note\n", section)
    assert with_it.index("numbers") < with_it.index("## Scorecard") < with_it.index("## Notes")
    twice = marked.replaced(with_it, again)
    assert "first" not in twice
    assert twice.replace("second", "first") == with_it
    assert marked.found(twice) == again
    anew = marked.replaced("# Results\n\nother numbers\n", marked.found(twice))
    assert marked.found(anew) == again
    assert marked.found("# Results\n") == ""
    assert marked.replaced("# Results\n", "") == "# Results\n"


@pytest.mark.parametrize("setup", Setup)
@pytest.mark.parametrize("module", [envoy, smg, litellm, portkey], ids=lambda module: module.__name__)
def test_others_are_configured_for_each_setup(
    module: object, setup: Setup, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever is asked, there is a command, and files that can be read."""
    peer = Peer(name="x", executable="/x", version="1", launch=portkey_peer._launch, headers=portkey_peer._headers)
    source = vars(module)[str(vars(module)["__name__"]).rpartition(".")[2]]
    monkeypatch.setattr(source, "peer", lambda: peer)
    gateway: Gateway = vars(module)["gateway"]()
    place = Place(8001, 8002, 8003, tmp_path)
    launch = gateway.launch(place, setup, Terms())
    assert launch.argv[0] == "/x"
    for name, content in launch.files.items():
        if name.endswith(".py"):
            compile(content, name, "exec")
        else:
            assert json.loads(content)
    assert "8003" in json.dumps([launch.argv, launch.files, gateway.peer.headers(place)])
    assert set(gateway.lacks) <= {each.number for each in QUESTIONS}


def test_the_bridge_is_configured_by_the_flags_that_it_has(tmp_path: Path) -> None:
    """Fair is a limit per caller in a version that has one, else a queue, else a rate."""
    options = vars(aibridge)["_options"]
    assert options(Setup.FAIR, Terms(), "--max-concurrency-per-caller --queue-size")[-1] == "3"
    assert options(Setup.FAIR, Terms(), "--queue-size")[-2:] == ("--queue-size", "109")
    assert options(Setup.FAIR, Terms(), "")[-2:] == ("--rate-limit", "3")


def test_the_readme_names_all() -> None:
    """Every question, gateway and option stands in bench/README.md."""
    text = (BENCH / "README.md").read_text()
    for question in QUESTIONS:
        assert f"| {question.number} | {question.text} |" in text
    for name in KNOWN:
        assert f"| `{name}` |" in text
    for option in re.findall(r'"(--\w+)"', (BENCH / "scorecard" / "__main__.py").read_text()):
        assert f"`{option}" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--only", "22"], "'22' is none of 1, 2"), (["--gateways", "nginx"], "'nginx' is none of aibridge")],
)
def test_mistakes_are_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What does not exist is named."""
    with pytest.raises(SystemExit):
        main(arguments)
    assert said in capsys.readouterr().err


@pytest.mark.real
def test_the_command_asks_this_checkouts_bridge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One command starts provider and bridge, prints the table and writes the document."""
    file = tmp_path / "card.json"
    assert main(["--gateways", "aibridge", "--only", "13,19", "--json", str(file)]) == 0
    document = json.loads(file.read_text())
    assert [(row["number"], row["verdict"]["yes"]) for row in document["rows"]] == [(13, True), (19, True)]
    assert "19 CL+TE refused" in capsys.readouterr().out


@pytest.mark.real
def test_the_command_asks_who_runs_already(
    answering: Provider, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A running gateway is asked at its URL; here it is the provider itself, which refuses CL+TE."""
    url = f"http://127.0.0.1:{answering.port}/v1/chat/completions"
    assert main(["--url", url, "--only", "19"]) == 0
    assert main(["--url", "http://192.0.2.1/v1/chat/completions", "--only", "19"]) == 1
    assert "is not on this machine" in capsys.readouterr().err
