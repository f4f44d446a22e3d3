from __future__ import annotations

import io
import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from aibridge_trio import __version__, cli
from aibridge_trio.errors import Failure, Mistake
from aibridge_trio.settings import OPTIONS, Address, Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the environment that tests run in counts."""
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


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on stderr that a mistake gets, without its beginning; exit status 2 and nothing on stdout."""
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("aibridge: ")
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    return err[len("aibridge: ") : -1]


# Commands reach what they start.


def test_serve_starts_the_bridge(stand_in: Callable[..., None]) -> None:
    """Serve hands the settings to the bridge and ends with its exit status."""
    seen: list[Settings] = []
    stand_in("bridge", serve=noting(seen, 7))
    assert cli.main(["serve", "--rate-limit", "5", "--circuit-breaker", "--bind=[::1]:0"]) == 7
    assert seen == [Settings(rate_limit=5, circuit_breaker=True, bind=Address("::1", 0))]


def test_every_flag_reaches_the_settings(stand_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each option that has a flag arrives under its own name, as it was written."""
    seen: list[dict[str, Any]] = []

    def load(flags: dict[str, Any], _environ: object) -> object:
        seen.append(flags)
        return SimpleNamespace(settings=None)

    monkeypatch.setattr("aibridge_trio.configuration.load", load)
    stand_in("bridge", serve=lambda _settings: 0)
    for option in OPTIONS:
        if option.negative:
            cli.main(["serve", str(option.flag)])
            cli.main(["serve", option.negative])
            assert [seen.pop(0), seen.pop(0)] == [{option.name: True}, {option.name: False}]
        elif option.flag:
            cli.main(["serve", option.flag, "ten -5"])
            assert seen.pop(0) == {option.name: "ten -5"}


def test_mock_starts_the_provider(stand_in: Callable[..., None]) -> None:
    """Mock hands its options, as values, to the provider; --fail repeats and takes commas."""
    seen: list[dict[str, Any]] = []
    stand_in("mock", MockOptions=dict, serve=noting(seen))
    assert cli.main(["mock"]) == 0
    line = "mock --bind localhost:0 --fail 503:0.1,500:0.2 --fail 429:0.3 --latency 5ms --tokens 3 --seed 1"
    assert cli.main([*line.split(), "--tokens-per-second", "2.5"]) == 0
    assert seen == [
        {
            "bind": Address("127.0.0.1", 4010),
            "fail": (),
            "latency": 0,
            "tokens_per_second": 0,
            "tokens": 16,
            "seed": None,
        },
        {
            "bind": Address("localhost", 0),
            "fail": ((503, 0.1), (500, 0.2), (429, 0.3)),
            "latency": 0.005,
            "tokens_per_second": 2.5,
            "tokens": 3,
            "seed": 1,
        },
    ]


def test_demo_plays_for_a_while(stand_in: Callable[..., None]) -> None:
    """Demo runs for 20 s unless told otherwise."""
    seen: list[float] = []
    stand_in("demo", run=noting(seen))
    assert cli.main(["demo"]) == cli.main(["demo", "--seconds", "1.5s"]) == 0
    assert seen == [20, 1.5]


def test_breaker_asks_the_bridge(
    stand_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Breaker tells the bridge at --url, else AIBRIDGE_ADMIN_URL, and prints the state that it answers."""
    stand_in("client", override=lambda *arguments: repr(arguments))
    assert cli.main(["breaker", "open", "openai"]) == 0
    monkeypatch.setenv("AIBRIDGE_ADMIN_URL", "http://bridge:4002/")
    monkeypatch.setenv("AIBRIDGE_ADMIN_TOKEN", "hunter2")
    assert cli.main(["breaker", "auto", "copilot"]) == 0
    assert cli.main(["breaker", "close", "copilot", "--url", "http://other"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "('http://127.0.0.1:4002', None, 'openai', 'open')",
        "('http://bridge:4002', 'hunter2', 'copilot', 'auto')",
        "('http://other', 'hunter2', 'copilot', 'close')",
    ]


# How commands end.


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Mistake("--bind: port in use\nx"), 2, "aibridge: --bind: port in use\\nx\n"),
        (Failure("no bridge there"), 1, "aibridge: no bridge there\n"),
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

    def serve(_settings: Settings) -> int:
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


# Mistakes.


# A wrong command line, and below it what is said of it.
MISTAKES = """
sreve
    "sreve": unknown command; did you mean serve?

xyzzy
    "xyzzy": unknown command; see aibridge --help

--bind x
    "--bind": unknown command; options follow the command, see aibridge --help

serve --bnd x
    --bnd: unknown option; did you mean --bind?

serve --bnd=x
    --bnd: unknown option; did you mean --bind?

serve -x
    -x: unknown option; see aibridge serve --help

serve --no-bind
    --no-bind: unknown option; did you mean --bind?

serve --openai-api-key hunter2
    --openai-api-key: unknown option; set OPENAI_API_KEY in the environment

serve --openai-api-key=hunter2
    --openai-api-key: unknown option; set OPENAI_API_KEY in the environment

serve --bind
    --bind: a value is missing; write e.g. --bind 127.0.0.1:4001

serve --bind --rate-limit 3
    --bind: a value is missing; write e.g. --bind 127.0.0.1:4001

serve --rate-limit
    --rate-limit: a value is missing; write e.g. --rate-limit 10

serve --bind a:1 --bind b:1
    --bind: given more than once; give it once

check --circuit-breaker=maybe
    --circuit-breaker: "maybe" does not fit; write e.g. --circuit-breaker or --no-circuit-breaker

check x y
    "x": one argument too many; see aibridge check --help

check -- x
    "x": one argument too many; see aibridge check --help

check --rate-limit ten
    --rate-limit: "ten" is not a whole number; write e.g. --rate-limit 10

check --rate-limit -5
    --rate-limit: "-5" is not a whole number; write e.g. --rate-limit 10

check --idle-timeout 5
    --idle-timeout: "5" has no unit (ms, s, m, h); write e.g. --idle-timeout 5s

mock --fail 503
    --fail: "503" is not STATUS:PROBABILITY with a status of 400 to 599; write e.g. --fail 503:0.1

demo --seconds 0s
    --seconds: "0s" is too short; write e.g. --seconds 20s

breaker
    MODE: a value is missing; write e.g. aibridge breaker open openai

breaker open
    PROVIDER: a value is missing; write e.g. aibridge breaker open openai

breaker shut openai
    MODE: "shut" does not fit; write e.g. aibridge breaker open openai

breaker open a b
    "b": one argument too many; see aibridge breaker --help

breaker open a --url x
    --url: "x" is not a URL with http:// or https://; write e.g. --url http://127.0.0.1:4002
"""


@pytest.mark.parametrize(("line", "said"), [pair.split("\n") for pair in MISTAKES.strip().split("\n\n")])
def test_a_mistake_is_one_line(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every wrong usage is answered with one line: where, what and how to mend it."""
    assert complaint(capsys, *line.split()) == said.strip()


@pytest.mark.parametrize(
    "word", ["", "\n", "\x1b[31m", "\udcff", "[bold]", "@file", "x" * 10_000, "--\n", "-\x00"]
)
@pytest.mark.parametrize("before", [[], ["serve"], ["serve", "--bind"], ["breaker"], ["breaker", "open", "x"]])
def test_no_argument_breaks_the_line(before: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Control codes, markup and overlong words are answered on one line like any other mistake."""
    assert len(complaint(capsys, *before, word)) < 400


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
    table = {row.split()[0]: row.split(None, 2)[1:] for row in rows}
    assert set(table) == {"--config", *(option.label for option in OPTIONS)}
    assert table["--config"] == [str(config), "flag --config"]
    assert table["--rate-limit"] == ["3", "flag --rate-limit"]
    assert table["--max-body"] == ["1MiB", f"{config}: max_body"]
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


@pytest.mark.parametrize("command", ["", "serve", "check", "mock", "demo", "breaker"])
def test_help_is_plain_and_fits(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Help begins with an example, is at most 80 columns wide and has no control codes."""
    arguments = [command] if command else []
    assert cli.main([*arguments, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Example: aibridge {command}".rstrip())
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert cli.main([*arguments, "-h"]) == 0
    assert capsys.readouterr().out == text


@pytest.mark.parametrize("command", ["serve", "check"])
def test_help_names_every_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Help shows each option's flag, group, default and variables, private ones included."""
    assert cli.main([command, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for option in OPTIONS:
        assert option.help in text
        assert f" {option.label}" in text
        assert all(variable in text for variable in option.all_variables)
        assert option.private or f" {option.group} --" in text
        assert not option.default or f"[default {option.default}," in text


def test_nothing_at_all_is_answered_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`aibridge` alone prints the help page with all commands, and that is no mistake."""
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {command} " in text for command in ("serve", "check", "mock", "demo", "breaker"))


def test_examples_in_help_are_valid(
    capsys: pytest.CaptureFixture[str],
    stand_in: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The example at the top of each page can be typed as it stands."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "aibridge.toml").touch()
    stand_in("bridge", serve=lambda _: 0)
    stand_in("mock", MockOptions=dict, serve=lambda _: 0)
    stand_in("demo", run=lambda seconds: int(seconds * 0))
    stand_in("client", override=lambda *_: "")
    for example in cli._EXAMPLES.values():
        assert cli.main(example.split()[1:]) == 0
    assert capsys.readouterr().err == ""


# Real processes.


def test_version_is_quick() -> None:
    """--version prints name and version and imports neither cyclopts nor rich nor trio."""
    code = (
        "import sys; from aibridge_trio.cli import main; status = main(['--version']);"
        "print(status, sorted({'cyclopts', 'rich', 'trio', 'httpx'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == f"aibridge {__version__}\n0 []\n"


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
