from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, get_args

import pytest

from aibridge_trio import __version__
from aibridge_trio.cli import main as cli
from aibridge_trio.config.settings import OPTIONS, Address, Settings
from aibridge_trio.config.units import Secret
from aibridge_trio.errors import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aibridge_trio.cli.parser import Command

COMMANDS = {command.name: command for command in cli.commands()}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear the variables that the command line reads."""
    for name in os.environ:
        if "AIBRIDGE_" in name or "API_KEY" in name or name.lower() in {"https_proxy", "no_proxy"}:
            monkeypatch.delenv(name)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put functions in place of a module that a command would start."""

    def replace(name: str, **members: Any) -> None:
        module = ModuleType(f"aibridge_trio.{name}")
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(f"aibridge_trio.{name}", module, raising=False)

    return replace


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "-m", "aibridge_trio", *arguments]
    return subprocess.run(command, env=clean | environ, capture_output=True, text=True, timeout=60, check=False)


def noting(seen: list[Any], status: int = 0) -> Callable[..., int]:
    """A function that notes what it was called with."""

    def note(*told: Any, **named: Any) -> int:
        seen.extend([*told, *named.values()])
        return status

    return note


# Commands reach what they start.


def test_serve_starts_the_bridge(stand_in: Callable[..., None]) -> None:
    """Serve hands the settings to the bridge and ends with its exit status."""
    seen: list[object] = []
    stand_in("bridge", serve=noting(seen, 7))
    assert cli.main(["serve", "--rate-limit", "5", "--circuit-breaker", "--bind=[::1]:0"]) == 7
    assert seen[:1] == [Settings(rate_limit=5, circuit_breaker=True, bind=(Address("::1", 0),))]


def test_every_flag_reaches_the_settings(stand_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each option that has a flag arrives under its own name, as it was written."""
    seen: list[dict[str, Any]] = []

    def load(flags: dict[str, Any], *_: object) -> object:
        seen.append(flags)
        return SimpleNamespace(settings=Settings())

    monkeypatch.setattr("aibridge_trio.config.loader.load", load)
    stand_in("bridge", serve=lambda *_: 0)
    for option in OPTIONS:
        if option.negative:
            cli.main(["serve", str(option.flag)])
            cli.main(["serve", option.negative])
            assert [seen.pop(0), seen.pop(0)] == [{option.name: True}, {option.name: False}]
        elif option.flag:
            cli.main(["serve", option.flag, "ten -5"])
            assert seen.pop(0) == {option.name: ["ten -5"] if option.repeatable else "ten -5"}


def test_mock_starts_the_provider(stand_in: Callable[..., None]) -> None:
    """Mock hands its options, as values, to the provider; --fail repeats and takes commas."""
    seen: list[dict[str, Any]] = []
    stand_in("mock", MockOptions=dict, serve=noting(seen))
    assert cli.main(["mock"]) == 0
    line = "mock --bind localhost:0 --fail 503:0.1,500:0.2 --fail 429:0.3 --latency 5ms --tokens 3 --seed 1"
    line += " --slots 2 --when-full queue --requests-per-minute 60 --tokens-per-minute 6000 --quota-burst 3s"
    assert cli.main([*line.split(), "--tokens-per-second", "2.5"]) == 0
    assert seen == [
        {
            "bind": Address("127.0.0.1", 4010),
            "fail": (),
            "latency": 0,
            "tokens_per_second": 0,
            "tokens": 16,
            "seed": None,
            "slots": 0,
            "when_full": None,
            "requests_per_minute": 0,
            "tokens_per_minute": 0,
            "quota_burst": 10,
        },
        {
            "bind": Address("localhost", 0),
            "fail": ((503, 0.1), (500, 0.2), (429, 0.3)),
            "latency": 0.005,
            "tokens_per_second": 2.5,
            "tokens": 3,
            "seed": 1,
            "slots": 2,
            "when_full": "queue",
            "requests_per_minute": 60,
            "tokens_per_minute": 6000,
            "quota_burst": 3,
        },
    ]


def test_demo_plays_for_a_while(stand_in: Callable[..., None]) -> None:
    """The demo runs for 30 s by default."""
    seen: list[float] = []
    stand_in("demo.show", run=noting(seen))
    assert cli.main(["demo"]) == cli.main(["demo", "--seconds", "1.5s"]) == 0
    assert seen == [30, 1.5]


def test_breaker_asks_the_bridge(
    stand_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Breaker tells the bridge at --url, else AIBRIDGE_ADMIN_URL, and prints the state that it answers."""

    def override(url: tuple[str, ...], token: Secret | None, *rest: str, **more: object) -> SimpleNamespace:
        return SimpleNamespace(lines=[repr((*url, token and token.reveal(), *rest, *more.values()))], failure=None)

    stand_in("admin.orders", override=override)
    assert cli.main(["breaker", "open", "openai", "--for", "10m", "--reason", "INC-12"]) == 0
    monkeypatch.setenv("AIBRIDGE_ADMIN_URL", "http://bridge:4002/")
    monkeypatch.setenv("AIBRIDGE_ADMIN_TOKEN", "hunter2")
    assert cli.main(["breaker", "auto", "copilot"]) == 0
    assert cli.main(["breaker", "close", "copilot", "--url", "http://other"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "('http://127.0.0.1:4002', None, 'openai', 'open', 600.0, 'INC-12')",
        "('http://bridge:4002', 'hunter2', 'copilot', 'auto', None, '')",
        "('http://other', 'hunter2', 'copilot', 'close', None, '')",
    ]


# How commands end.


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UsageError("--bind: port in use\nx"), 2, "aibridge: --bind: port in use\\nx\n"),
        (CommandError("no bridge there"), 1, "aibridge: no bridge there\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_how_a_command_ends(
    error: BaseException,
    status: int,
    said: str,
    stand_in: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A mistake ends with 2, a failure with 1, an interrupt with 130: one line or none, no traceback."""

    def serve(*_: object) -> int:
        raise error

    stand_in("bridge", serve=serve)
    assert cli.main(["serve"]) == status
    assert capsys.readouterr().err == said


def test_a_reader_who_leaves_is_no_traceback() -> None:
    """When the reader of a pipe is gone, check ends quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as out:
        ended = subprocess.run(
            [sys.executable, "-m", "aibridge_trio", "check"],
            env={"PATH": os.environ["PATH"]},
            stdout=out,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (1, b"")


# UsageError.


# Output.


def test_check_prints_what_is_in_force(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Check prints every option, value without secrets and origin, then that all is valid, then warnings."""
    config = tmp_path / "c.toml"
    config.write_text('max_body = "1MiB"')
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2")
    monkeypatch.setenv("AIBRIDGE_UPSTREAM_PROXY", "http://u:hunter2@proxy:1")
    flags = ["--config", str(config), "--bind", "0.0.0.0:1", "--allow-anonymous", "--rate-limit", "3"]
    assert cli.main(["check", *flags]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "hunter2" not in out
    assert "\x1b" not in out
    *rows, valid, warning = out.splitlines()
    table = {row.split()[0]: row.split(None, 2)[1:] for row in rows if row[0] != "["}
    assert set(table) == {"--config", *(option.label for option in OPTIONS)}
    assert table["--config"] == [str(config), "flag --config"]
    assert table["--rate-limit"] == ["3", "flag --rate-limit"]
    assert table["--max-body"] == ["1MiB", f"{config}:1:1: max_body"]
    assert table["OPENAI_API_KEY"] == ["***", "environment OPENAI_API_KEY"]
    assert table["--upstream-proxy"] == ["http://***@proxy:1", "environment AIBRIDGE_UPSTREAM_PROXY"]
    assert table["--idle-timeout"] == ["5m", "default"]
    assert valid == "configuration is valid"
    assert warning.startswith("warning: ")


def test_output_fits_any_encoding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A terminal that knows only ASCII gets escapes, not an error."""
    config = tmp_path / "é.toml"
    config.touch()
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert cli.main(["check", "--config", str(config)]) == 0
    assert b"\\xe9.toml" in raw.getvalue()


# Help.


def page(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is printed; exit status 0 and nothing on stderr."""
    assert cli.main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_plain_and_fits(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Help begins with an example, is at most 80 columns wide, and plain, however it is asked for."""
    words = [command] if command else []
    text = page(capsys, *words, "--help")
    assert text.startswith(f"Example: aibridge {command}".rstrip())
    assert f"\n\nUsage: aibridge {command}".rstrip() in text
    assert max(map(len, text.splitlines())) <= 80
    assert text.replace("\n", "").isprintable()
    assert page(capsys, *words, "-h") == page(capsys, "help", *words) == text


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_help_shows_every_option(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """Flag, value, help, default and variables stand together, in groups, in the order of OPTIONS."""
    text = page(capsys, command.name, "--help")
    words = " ".join(text.split())
    at = 0
    group = ""
    for option in sorted(command.options, key=lambda each: each.private):
        flags = [f"{flag} {option.unit.metavar}".strip() for flag in (option.flag, option.negative) if flag]
        default = {"true": "on", "false": "off"}.get(str(option.default), option.default) or ""
        told = [f"default {default}"] if default and (option.variables or not option.switch) else []
        told += [] if option.private else option.all_variables
        entry = [
            ", ".join(flags or option.all_variables),
            option.help,
            *([f"[{', '.join(told)}]"] if told else []),
        ]
        title = "Only in the environment" if option.private else option.group
        expected = " ".join([*([title] if title != group else []), *entry])
        group = title
        at = words.find(expected, at)
        assert at >= 0, expected
        assert f"\n{title}\n" in text
        assert f"\n  {entry[0]}\n" in text
    assert "default false" not in text


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_help_says_what_each_argument_is(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """What follows the command's name is described, and whether it may be left out."""
    text = page(capsys, command.name, "--help")
    words = " ".join(text.split())
    assert set(command.arguments) == {each.name for each in command.positionals}
    for each in command.positionals:
        name = each.name.upper()
        assert f"{name} {' '.join(command.arguments[each.name].split())}" in words
        several = each.kind is each.VAR_POSITIONAL
        shown = f"[{name} ...]" if several else name if each.default is each.empty else f"[{name}]"
        assert re.search(rf"^Usage: .* {re.escape(shown)}( |$)", text, re.MULTILINE)
        assert all(word in words for word in get_args(each.annotation))


def test_help_leads_on(capsys: pytest.CaptureFixture[str]) -> None:
    """The first page lists every command and ends with a two-line start; each page says where there is more."""
    text = page(capsys, "--help")
    places = [text.index(f"\n  {command} ") for command in COMMANDS]
    assert places == sorted(places)
    start, more = text.split("\n\n")[-2:]
    assert start.startswith("Start\n  aibridge serve ")
    assert start.count("\n") == 2
    assert re.findall(r"^  ([a-zA-Z -]*?)  ", more, re.MULTILINE) == ["aibridge COMMAND --help", "man aibridge"]
    for command in COMMANDS:
        assert page(capsys, command, "--help").endswith(f"\n\nMore: man aibridge-{command}\n")


def test_the_demos_help_says_how_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """The help says that the demo ends in a dashboard, and how to quit it."""
    assert "On a terminal it goes on in the dashboard" in page(capsys, "demo", "--help")
    assert "until q is pressed" in " ".join(page(capsys, "demo", "--help").split())


def test_nothing_at_all_is_answered_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`aibridge` alone prints the first page, and that is no mistake."""
    assert page(capsys) == page(capsys, "--help")


def test_examples_in_help_are_valid(
    capsys: pytest.CaptureFixture[str],
    stand_in: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The example at the top of each page can be typed as it stands."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "aibridge.toml").touch()
    stand_in("bridge", serve=lambda *_: 0)
    stand_in("mock", MockOptions=dict, serve=lambda _: 0)
    stand_in("demo.show", run=lambda seconds: int(seconds * 0))
    done = SimpleNamespace(lines=[], failure=None)
    stand_in("admin.orders", override=lambda *_, **__: done, reload=lambda *_: done)
    stand_in("doctor", run=lambda *_, **__: [], lines=lambda _: [], well=lambda _: True)
    stand_in("admin.explaining", explain=lambda *_, **__: done)
    stand_in("top", run=lambda **_: 0)
    stand_in("simulate", run=lambda *_, **__: 0)
    stand_in("cli.assets", script=lambda _: "", man_page=lambda *_: "", json_schema=lambda _: "")
    stand_in("cli.init", run=lambda *_: "")
    stand_in("cli.tokens", run=lambda *_: SimpleNamespace(result="", notes=()))
    for command in cli.commands():
        assert cli.main(command.example.partition(" > ")[0].split()[1:]) == 0
    assert capsys.readouterr().err == ""


# Real processes.


# What begins every answer of `aibridge` must not wait for what serves, calls or counts. So nothing but these is
# imported: what knows the command line and its values, and cyclopts with what it needs.
SHIPPED = {"errors", "printable", "process", "cli.main", "cli.assets", "cli.output", "config.unit"}
HELP = {
    *(*SHIPPED, "config.units", "cli", "config", "core.terms", "providers", "http.paths", "net.tls_contexts"),
    "sharing.redis.address",
}
# The configuration names sockets that the service manager has opened: which ones there are is read first.
LOADED = {*HELP, "server.inherited_sockets"}
LIBRARIES = {"cyclopts", "rich", "attr", "attrs", "docstring_parser"}


def imported(
    arguments: list[str], status: int, allowed: set[str], libraries: set[str]
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run the command line in a process of its own; return it and what it had imported in the end but these."""
    code = (
        "import sys; before = set(sys.modules); from aibridge_trio.cli.main import main\n"
        f"status = main({arguments!r}); modules = [name.split('.') for name in set(sys.modules) - before]\n"
        "ours = {'.'.join(name[1:]) for name in modules if name[0] == 'aibridge_trio'}\n"
        "ours -= {'', 'cli', 'config', 'core', 'http', 'net', 'server', 'sharing', 'sharing.redis'}\n"
        f"ours = {{name for name in ours if not {{name, name.partition('.')[0]}} & {allowed!r}}}\n"
        f"others = {{name[0] for name in modules}} - sys.stdlib_module_names - {libraries | {'aibridge_trio'}!r}\n"
        "print(status, sorted(ours | others), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    *said, last = ended.stderr.splitlines()
    assert last.startswith(f"{status} ")
    return ended, "\n".join(said) + last.removeprefix(f"{status} ")


@pytest.mark.parametrize("line", ["--version", "completion bash", "completion zsh", "completion fish"])
def test_version_and_completion_need_no_library(line: str) -> None:
    """What shells run at every start imports neither cyclopts nor rich, nor anything heavier."""
    ended, modules = imported(line.split(), 0, SHIPPED, set())
    assert modules == "[]"
    assert ended.stdout.startswith(f"aibridge {__version__}\n" if line == "--version" else "#")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_needs_only_what_makes_it(command: str) -> None:
    """--help imports no library that serves, calls or counts, and none of our modules that use one."""
    ended, modules = imported([*command.split(), "--help"], 0, HELP, LIBRARIES)
    assert modules == "[]"
    assert "Usage: " in ended.stdout


@pytest.mark.parametrize(
    "line", ["sreve", "serve --bnd x", "serve --rate-limit ten", "breaker open", "top --interval x"]
)
def test_a_mistake_needs_only_what_finds_it(line: str) -> None:
    """Wrong usage is one line without a box, printed before slow imports."""
    ended, said = imported(line.split(), 2, LOADED, LIBRARIES)
    assert re.fullmatch(r"aibridge: .*\[\]", said)
    assert said.isascii()
    assert ended.stdout == ""


def test_the_process_ends_with_the_status() -> None:
    """`python -m aibridge_trio` ends with 0 or 2 and keeps to its streams."""
    version = run("--version")
    assert (version.returncode, version.stdout, version.stderr) == (0, f"aibridge {__version__}\n", "")
    assert run("serve", "--version").stdout == version.stdout
    good = run("check", AIBRIDGE_RATE_LIMIT="7")
    assert (good.returncode, good.stderr) == (0, "")
    assert "environment AIBRIDGE_RATE_LIMIT" in good.stdout
    bad = run("check", AIBRIDGE_RATE_LIMIT="x")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("aibridge: AIBRIDGE_RATE_LIMIT: ")
    assert bad.stderr.count("\n") == 1


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"FORCE_COLOR": "1"}, {"COLUMNS": "20"}])
def test_help_does_not_mind_the_terminal(environ: dict[str, str]) -> None:
    """Whatever is said of the terminal, help is printed and is plain."""
    ended = run("serve", "--help", **environ)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "--circuit-breaker-half-open-max-requests N" in ended.stdout
    assert "\x1b" not in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--nonsense"], 2), (["breaker", "open", "openai", "--url", "http://127.0.0.1:1"], 1)],
)
def test_the_status_does_not_depend_on_a_reader_of_stderr(arguments: list[str], status: int) -> None:
    """Where the reader of stderr has left, the exit status is still the one that is promised."""
    reading, writing = os.pipe()
    os.close(reading)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [sys.executable, "-m", "aibridge_trio", *arguments]
    ended = subprocess.run(command, env=environ, stderr=writing, timeout=60, check=False)
    os.close(writing)
    assert ended.returncode == status


@pytest.mark.parametrize("arguments", [["--version"], ["completion", "bash"], ["check"]])
def test_a_full_disk_is_one_line(arguments: list[str]) -> None:
    """Output that cannot be written is a run-time failure without a traceback."""
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "aibridge_trio", *arguments]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "aibridge: cannot go on: No space left on device\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_lose_nothing_but_what_is_said(closed: str) -> None:
    """A program that is started without streams runs all the same."""
    command = f"{sys.executable} -m aibridge_trio check {closed}"
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
