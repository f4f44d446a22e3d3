"""Commands in the documents work: the program takes its own, and other blocks say what runs them, or why not."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from aibridge_trio import providers
from aibridge_trio.admin import orders
from aibridge_trio.cli import main as cli
from aibridge_trio.config.loader import load
from aibridge_trio.config.provider_tables import effective
from aibridge_trio.core.limits.lease import Limits
from aibridge_trio.gateway.admission import Admission
from aibridge_trio.telemetry.counters import Counters
from aibridge_trio.telemetry.metrics import Metrics
from tests.core.breaker.test_verdict_documented import ANSWERS

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
SHELL = {"sh", "bash", "console", "shell"}
# Shell words that start no program.
BUILT_IN = {"cd", "export"}
# Directories of the examples that no test machine has: their files stand in the working directory instead.
ELSEWHERE = re.compile(r"/etc/aibridge/|/run/secrets/|/secrets/|/usr/local/bin/")
# A call of the program with its variables, up to a pipe, a redirection, a comment or another command.
CALL = re.compile(
    r"(?:^|[;&(|] *)((?:\w+=\S+ +)*)aibridge((?: +(?:'[^']*'|\"[^\"]*\"|[^\s;&|<>()#'\"]+))*)", re.MULTILINE
)
FENCE = re.compile(
    r"(?:<!--(?P<marker>[^>]*?)-->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A fenced block of a page: its language, its text, and the comment on the line above it."""

    page: Path
    language: str
    text: str
    marker: str

    @property
    def lines(self) -> list[str]:
        """The commands, one per item: continued lines joined, comments removed."""
        joined = re.sub(r"\\\n\s*", "", self.text)
        bare = (re.sub(r"(^|\s)#.*$", "", line).removeprefix("$ ").strip() for line in joined.splitlines())
        return [line for line in bare if line]


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of a page."""
    fence = re.compile(
        r"(?:<!--(?P<marker>[^>]*?)-->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
        re.MULTILINE | re.DOTALL,
    )
    for found in fence.finditer(re.sub(r"^ +(?=<!--)", "", page.read_text(), flags=re.MULTILINE)):
        text = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
        yield Block(page, found["language"], text, (found["marker"] or "").strip())


BLOCKS = [block for page in PAGES for block in blocks(page)]
SHELL_BLOCKS = [block for block in BLOCKS if block.language in SHELL]


def name(block: Block) -> str:
    """What a block is called in a failure."""
    return f"{block.page.relative_to(ROOT)}: {block.text.strip().splitlines()[0]}"


def calls(block: Block) -> list[tuple[str, str]]:
    """The calls of the program in a block: variables, and arguments."""
    match block.language:
        case "ini":
            return [
                ("", arguments)
                for arguments in re.findall(r"^Exec\w+=\S*/aibridge (.*)$", block.text, re.MULTILINE)
            ]
        case "dockerfile":
            return [
                ("", " ".join(json.loads(words)))
                for words in re.findall(r"^CMD (\[.*\])$", block.text, re.MULTILINE)
            ]
        case "yaml":
            lists = re.findall(r"^ +args:\n((?: +- .*\n)+)", block.text, re.MULTILINE)
            found = [" ".join(re.findall(r"- (.*)", each)) for each in lists]
        case language if language in SHELL:
            return [(call[1], call[2]) for call in CALL.finditer("\n".join(block.lines))]
        case _:
            found = []
    return [("", arguments) for arguments in found]


CALLING = [block for block in BLOCKS if calls(block)]


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is started; files that the examples name are there; no variable of this environment counts."""
    for variable in [each for each in os.environ if "AIBRIDGE" in each or "API_KEY" in each]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    for file in ("aibridge.toml", "docs", "bench"):
        if (ROOT / file).exists():
            (tmp_path / file).symlink_to(ROOT / file)
        else:
            (tmp_path / file).touch()
    for file in ("anthropic", "openai", "admin-token", "token"):
        (tmp_path / file).write_text("a-secret-of-an-example")
    (tmp_path / "my.toml").write_text((ROOT / "docs/tuning/team.toml").read_text())
    for started in ("bridge.serve", "mock.serve", "demo.show.run", "top.run"):
        monkeypatch.setattr(f"aibridge_trio.{started}", lambda *_, **__: 0)
    monkeypatch.setattr("aibridge_trio.admin.orders.override", lambda *_, **__: orders.Outcome())
    monkeypatch.setattr("aibridge_trio.cli.init.run", lambda *_: "")
    monkeypatch.setattr("aibridge_trio.doctor.run", lambda *_, **__: [])


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("block", CALLING, ids=map(name, CALLING))
def test_the_program_takes_its_documented_commands(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call of the program in a page is understood, in the environment that the example sets."""
    for variables, arguments in calls(block):
        with monkeypatch.context() as context:
            for variable, value in re.findall(r"(\w+)=(\S+)", ELSEWHERE.sub("", variables)):
                context.setenv(variable, value.replace("$M", "http://127.0.0.1:4010"))
            typed = shlex.split(ELSEWHERE.sub("", arguments))
            short = ["--duration", "20s"] if typed[:1] == ["simulate"] and "--list" not in typed else []
            assert cli.main([*typed, *short]) == 0, arguments


@pytest.mark.parametrize("block", SHELL_BLOCKS, ids=map(name, SHELL_BLOCKS))
def test_every_other_command_is_run_somewhere_or_says_why_not(block: Block) -> None:
    """A block with other programs names the file that runs it, or the reason why it is not run."""
    kind, _, rest = block.marker.partition(":")
    if kind == "not run":
        assert len(rest.strip()) > len("no reason")
    elif block.marker.startswith("run by "):
        runner = ROOT / block.marker.removeprefix("run by ")
        text = runner.read_text()
        assert str(block.page.relative_to(ROOT)) in text or all(line in text for line in block.lines)
    else:
        for line in block.lines:
            words = [word for word in line.rstrip(" &").split() if not re.match(r"\w+=", word)]
            assert not words or words[0] in {"aibridge", *BUILT_IN}, line


def test_the_patterns_find_commands() -> None:
    """There are blocks of each kind."""
    assert len(SHELL_BLOCKS) > 30
    assert len(CALLING) > 20
    assert {block.language for block in CALLING} >= {"sh", "ini", "yaml", "dockerfile"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_metrics_in_documents_exist(page: Path) -> None:
    """Every metric that a page names is exposed, rules for alerts included."""
    admission = Admission(Limits(), lambda: 0.0)
    exposed = Metrics(Counters(providers.ALL), admission.statistics).render().decode()
    known = set(re.findall(r"^# TYPE (\S+)", exposed, re.MULTILINE))
    for found in re.findall(r"\baibridge_(?!trio)\w*\w", page.read_text()):
        assert re.sub(r"_(bucket|sum|count)$", "", found) in known, found


COMPATIBLE = (ROOT / "docs" / "providers.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", COMPATIBLE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("section", SECTIONS)
def test_the_table_of_a_compatible_provider_works(section: str, tmp_path: Path) -> None:
    """Each table of docs/providers.md is valid, warns of nothing, and names its sources."""
    blocks = re.findall(r"```toml\n(.*?)```", SECTIONS[section], re.DOTALL)
    assert blocks
    assert "Documented answers" in SECTIONS[section]
    assert re.search(r"^Sources: \[", SECTIONS[section], re.MULTILINE)
    for block in blocks:
        file = tmp_path / "aibridge.toml"
        file.write_text(block)
        keys = dict.fromkeys(re.findall(r'key_env = "(\w+)"', block), "key-0123456789")
        settings = load({"config": str(file)}, keys).settings
        [name] = re.findall(r"\[providers\.(.+)\]", block)
        *_, table = effective(settings)
        assert table.name == name
        assert bool(table.keys) != table.keyless
        assert not [warning for warning in settings.warnings() if name in warning]


def test_every_documented_answer_is_of_a_compatible_provider() -> None:
    """And every one of these has some."""
    assert {answer.provider for answer in ANSWERS} == {section.partition(",")[0] for section in SECTIONS}
