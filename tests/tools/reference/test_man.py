from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

from aibridge_trio import __version__, providers
from aibridge_trio.admin.orders import Outcome
from aibridge_trio.cli import main as cli
from aibridge_trio.cli.assets import man_name
from aibridge_trio.cli.help import facts
from aibridge_trio.cli.parser import Command
from aibridge_trio.config import loader
from aibridge_trio.config.settings import OPTIONS, Option
from aibridge_trio.core.limits.lease import Limits
from aibridge_trio.errors import REASONS, Reject
from aibridge_trio.gateway.admission import Admission
from aibridge_trio.telemetry.counters import Counters
from aibridge_trio.telemetry.metrics import Metrics
from aibridge_trio.top.keyboard import KEYS
from aibridge_trio.top.screen.panels import LEGEND
from tools.reference import man

ROOT = Path(__file__).parents[3]
COMMANDS = {command.name: command for command in cli.commands()}
PAGES = {path.removeprefix("man/"): text for path, text in man.pages().items()}
CHARACTERS = {r"\-": "-", r"\e": "\\", r"\(aq": "'", r"\(ga": "`", r"\(ha": "^", r"\(ti": "~", r"\(dq": '"'}


def plain(source: str) -> str:
    """The words of a page, without what is only for the eye."""
    text = re.sub(r"\\f[BIR]|\\&", "", source)
    return re.sub(r"\\(?:\(..|[-e])", lambda escape: CHARACTERS[escape[0]], text)


@cache
def words(page: str) -> str:
    """The words of a page in one line, without its macros but headings."""
    lines = [re.sub(r"^\.S[HS] ", "# ", line) for line in PAGES[page].splitlines()]
    return " ".join(plain(" ".join(line for line in lines if not line.startswith("."))).split())


def section(page: str, title: str) -> str:
    """The source of one section."""
    [found] = re.findall(rf"^\.SH {title}\n(.*?)(?=^\.SH |\Z)", PAGES[page], re.MULTILINE | re.DOTALL)
    return str(found)


def examples(source: str) -> list[str]:
    """Every example, as it is read and copied."""
    return [plain(found) for found in re.findall(r"^\.EX\n(.*?)\n\.EE$", source, re.MULTILINE | re.DOTALL)]


def formatter(name: str) -> str:
    """The program, or else the test is skipped; where everything must be tested it is a failure."""
    if found := shutil.which(name):
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed")
    pytest.skip(f"{name} is not installed")


def output(*command: str) -> str:
    """What a program prints and complains, without overstrikes."""
    environ = os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MAN_KEEP_FORMATTING": ""}
    ended = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ, timeout=60, check=False
    )
    return re.sub(r".\x08|\x1b\[[0-9;]*m", "", ended.stdout.decode())


# How they look.


@pytest.mark.parametrize("page", PAGES)
def test_mandoc_has_nothing_to_say(page: str) -> None:
    """Lint, matters of style included, is silent."""
    assert output(formatter("mandoc"), "-T", "lint", str(ROOT / "man" / page)) == ""


@pytest.mark.parametrize("page", PAGES)
def test_groff_has_nothing_to_say(page: str) -> None:
    """A page comes out of groff without a warning."""
    formatter("groff")
    command = [formatter("man"), "--warnings", "-E", "UTF-8", "-l", str(ROOT / "man" / page)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("form", ["utf8", "ascii", "groff"])
def test_a_page_fits_and_can_be_copied_from(page: str, form: str) -> None:
    """At 80 columns no line is longer, and what is typed comes out as it must be typed."""
    file = str(ROOT / "man" / page)
    if form == "groff":
        formatter("groff")
        shown = output(formatter("man"), "-E", "UTF-8", "-l", file)
    else:
        shown = output(formatter("mandoc"), "-T", form, "-O", "width=80", file)
    assert max(map(len, shown.splitlines())) <= 80
    assert not set(shown) & set("‐−‘`")  # noqa: RUF001 - what a shell does not take
    for example in examples(PAGES[page]):
        for line in filter(None, example.splitlines()):
            assert line in shown
    for flag in re.findall(r"--[a-z][a-z-]+", words(page)):
        assert flag in shown


@pytest.mark.parametrize("page", PAGES)
def test_the_header_tells_version_and_date(page: str) -> None:
    """Both are the newest release's, so that the same words are the same bytes on every day."""
    newest = re.search(r"^## \S+ - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    name, _, number = page.rpartition(".")
    title = name.upper().replace("-", r"\-")
    head = f'.TH {title} {number} {newest[1]} "AI Bridge {__version__}" "AI Bridge Manual"'
    assert PAGES[page].splitlines()[1] == head


# What is in them.


@pytest.mark.parametrize("topic", ["aibridge", *COMMANDS, "aibridge.toml"])
def test_every_topic_has_its_page(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`aibridge man` prints the page on each command and on the file, as it lies in man/, as it would be made."""
    assert cli.main(["man", topic]) == 0
    assert capsys.readouterr().out == (ROOT / "man" / man_name(topic)).read_text() == PAGES[man_name(topic)]
    assert len(PAGES) == len(COMMANDS) + 2


def test_the_wheel_installs_every_page() -> None:
    """Where man(1) looks, and beside the code, where `aibridge man` does."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    shared = {f"man/{page}": f"share/man/man{page[-1]}/{page}" for page in PAGES}
    assert {here: there for here, there in wheel["shared-data"].items() if here.startswith("man/")} == shared
    assert wheel["force-include"]["man"] == "aibridge_trio/man"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_the_usual_sections(page: str) -> None:
    """Name, synopsis and description come first, then whatever there is, in the usual order."""
    titles = re.findall(r"^\.SH (.*)$", PAGES[page], re.MULTILINE)
    usual = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES"]
    assert titles[:3] == usual[:3]
    assert titles[-2:] == ["EXAMPLES", "SEE ALSO"]
    assert [title for title in titles if title in usual] == [title for title in usual if title in titles]
    name, _, _ = page.rpartition(".")
    assert section(page, "NAME").startswith(name.replace("-", r"\-") + r" \- ")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_option_stands_in_its_page(command: Command) -> None:
    """Flag, value, help, default and variables stand together as in --help, in the groups of --help."""
    text = words(man_name(command.name))
    for option in command.options:
        if option.private:
            assert f"{', '.join(option.all_variables)} {option.help}" in text
            continue
        flags = ", ".join(f"{flag} {option.unit.metavar}" for flag in (option.flag, option.negative) if flag)
        assert " ".join(f"{flags} {option.help} {facts(option)}".replace(" ,", ",").split()) in text
    groups = list(dict.fromkeys(option.group for option in command.options if option.flag))
    if len(groups) > 1:
        assert re.findall(r"^\.SS (.*)$", section(man_name(command.name), "OPTIONS"), re.MULTILINE) == groups
    for name, means in command.arguments.items():
        assert f"{name.upper()} {' '.join(means.split())}" in text


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_first_page_lists_every_command(command: Command) -> None:
    """By its page and with what it does."""
    does = (command.function.__doc__ or "").split("\n\n")[0]
    assert f"aibridge-{command.name}(1) {' '.join(does.split())}" in words("aibridge.1")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_key_stands_in_the_page_of_the_file(option: Option) -> None:
    """Key, type, default and variables stand together; what is private has no key."""
    text = words("aibridge.toml.5")
    if option.private:
        assert f"{option.name} =" not in text
        return
    kind = {str: "string", bool: "boolean", int: "integer", list: "array of strings"}[option.unit.toml]
    default = [f"default {option.default}"] if option.default else []
    assert re.search(rf" {option.key} = \S.* {re.escape(option.help)} \[", text)
    assert f"{option.help} [{', '.join([kind, *default, *option.all_variables])}]" in text


@pytest.mark.parametrize("page", [page for page in PAGES if page.endswith(".1")])
def test_every_exit_status_is_reported(page: str) -> None:
    """On the page of each command those that it has: what runs until it is interrupted ends with 0 then."""
    every = ["0", "1", "2", "130"]
    until_interrupted = page in {"aibridge-serve.1", "aibridge-mock.1", "aibridge-demo.1"}
    told = re.findall(r"^\\fB(\d+)\\fR$", section(page, "EXIT STATUS"), re.MULTILINE)
    assert told == (every[:-1] if until_interrupted else every)


def test_every_reject_is_named() -> None:
    """Each reason stands with its status, and with the wait where waiting helps."""
    told = section("aibridge-serve.1", "REJECTS")
    found = re.findall(r"^\\fB(\w+)\\fR, (\d+)$", told, re.MULTILINE)
    assert found == [(kind.reason, str(kind.status)) for kind in Reject.__subclasses__()]
    waiting = r"^\\fB{}\\fR, \d+$(?:\n(?!\.TP).*)*?\nWait: "
    waits = {reason for reason in REASONS if re.search(waiting.format(reason), told, re.MULTILINE)}
    without = {
        "model_not_allowed",
        "budget_exhausted",
        "body_too_large",
        "forbidden_origin",
        "stored_reference",
        "not_found",
        "loop_detected",
        "method_not_allowed",
        "upgrade_refused",
        "bad_request",
        "internal_error",
    }
    assert waits == set(REASONS) - without - {"upstream_unreachable", "upstream_timeout"}


def test_every_key_and_column_of_the_dashboard_is_reported() -> None:
    """The page of top has what the dashboard's own help has."""
    text = words("aibridge-top.1").lower()
    for key in KEYS:
        named = key.keys.replace("↑", "Up").replace("↓", "Down")
        assert f"{named} {key.does.rstrip('.')}.".lower() in text
    for title, means in LEGEND:
        assert f"{title} {means.rstrip('.')}.".lower() in text


def test_every_route_is_reported() -> None:
    """The page of serve lists what reaches a provider."""
    for provider in providers.ALL:
        patterns = dict.fromkeys(route.pattern for route in provider.routes)
        assert f"{provider.prefix} {', '.join(patterns)}." in words("aibridge-serve.1")


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_exists(page: str) -> None:
    """Pages it points to, metrics it tells to look at, variables it tells to set."""
    for name, number in re.findall(r"(aibridge[a-z.-]*)\((\d)\)", words(page)):
        assert f"{name}.{number}" in PAGES
    admission = Admission(Limits(), lambda: 0.0)
    exposed = Metrics(Counters(providers.ALL), admission.statistics).render().decode()
    for name in re.findall(r"\baibridge_[a-z_]+", words(page)):
        assert re.search(rf"^# TYPE {name} ", exposed, re.MULTILINE), name
    known = {
        variable for command in COMMANDS.values() for each in command.options for variable in each.all_variables
    }
    assert {*re.findall(r"\bAIBRIDGE_[A-Z_]*[A-Z]", words(page))} <= known


# Examples.


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_examples(page: str) -> None:
    """More than one."""
    assert len(examples(section(page, "EXAMPLES"))) > 1


def test_the_example_files_load(tmp_path: Path) -> None:
    """Each example of the file is valid, and what it says is in force."""
    found = examples(PAGES["aibridge.toml.5"])
    for text in found:
        file = tmp_path / "aibridge.toml"
        file.write_text(text)
        loaded = loader.load({"config": str(file)}, {"AZURE_API_KEY": "sk-1"})
        set_here = {name for name, origin in loaded.origins.items() if origin.kind == "file"}
        options, *tables = re.split(r"^\[", text, flags=re.MULTILINE)
        assert set_here == set(re.findall(r"^(\w+) =", options, re.MULTILINE))
        assert bool(loaded.settings.known_callers) == bool(loaded.settings.routes) == bool(tables)
    assert len(found) == 3


@pytest.mark.parametrize("page", [page for page in PAGES if page.endswith(".1")])
def test_the_examples_can_be_typed(page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every call of the program in a page is understood, in the environment that the example sets."""
    for name in [name for name in os.environ if "AIBRIDGE" in name or "API_KEY" in name]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "aibridge.toml").touch()
    (tmp_path / "key").write_text("sk-1")
    for started in ("bridge.serve", "mock.serve", "demo.show.run", "top.run"):
        monkeypatch.setattr(f"aibridge_trio.{started}", lambda *_, **__: 0)
    monkeypatch.setattr("aibridge_trio.admin.orders.override", lambda *_, **__: Outcome())
    monkeypatch.setattr("aibridge_trio.cli.init.run", lambda *_: "")
    monkeypatch.setattr("aibridge_trio.admin.orders.reload", lambda *_: Outcome())
    monkeypatch.setattr("aibridge_trio.admin.explaining.explain", lambda *_, **__: Outcome())
    monkeypatch.setattr("aibridge_trio.doctor.run", lambda *_, **__: [])
    lines = "\n".join(examples(PAGES[page])).replace("\\\n", "").replace("/run/secrets/anthropic", "key")
    lines = lines.replace("$(cat token)", "token")
    calls = re.findall(r"(?:^|\()((?:export )?(?:\w+=\S+ +)*)(aibridge\b[^|>&)\n]*)", lines, re.MULTILINE)
    assert calls
    for environ, call in calls:
        with monkeypatch.context() as context:
            for variable, value in re.findall(r"(\w+)=(\S+)", environ):
                context.setenv(variable, value)
            short = ["--duration", "20s"] if "simulate" in call else []
            assert cli.main([*shlex.split(call)[1:], *short]) == 0, call


# How they are made.
