"""How the command line is read, and the error message for each kind of wrong usage."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Any, cast

import pytest
from cyclopts import App

from aibridge_trio.cli import flags, parser
from aibridge_trio.cli import main as cli
from aibridge_trio.cli.parser import Command
from aibridge_trio.config.settings import Option
from aibridge_trio.errors import UsageError


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear the variables that the command line reads."""
    for name in os.environ:
        if "AIBRIDGE_" in name or "API_KEY" in name or name.lower() in {"https_proxy", "no_proxy"}:
            monkeypatch.delenv(name)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one error line on stderr without its prefix; the exit status is 2 and stdout is empty."""
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("aibridge: ")
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    return err[len("aibridge: ") : -1]


# Wrong command lines, each followed by its error message.
MISTAKES = """
sreve
    "sreve": unknown command; did you mean serve?

SERVE
    "SERVE": unknown command; did you mean serve?

help sreve
    "sreve": unknown command; did you mean serve?

xyzzy
    "xyzzy": unknown command; see aibridge --help

--verison
    "--verison": unknown option; did you mean --version?

--bind x
    "--bind": options follow the command; see aibridge --help

version
    "version": unknown command; did you mean --version?

Version
    "Version": unknown command; did you mean --version?

-V
    "-V": unknown option; did you mean --version?

-v
    "-v": unknown option; did you mean --version?

top --interval -1s
    --interval: "-1s" is not a duration; write e.g. --interval 1s

top --interval=-1s
    --interval: "-1s" is not a duration; write e.g. --interval 1s

top --interval -.5s --once
    --interval: "-.5s" is not a duration; write e.g. --interval 1s

top --interval --once
    --interval: a value is missing; write e.g. --interval 1s

top --once -1
    --once: "-1" is not a valid value; write e.g. --once

top --json=maybe
    --json: "maybe" is not a valid value; write e.g. --json

breaker open -- -1 x
    "x": one argument too many; see aibridge breaker --help

serve --bnd x
    --bnd: unknown option; did you mean --bind?

serve --bnd=x
    --bnd: unknown option; did you mean --bind?

serve --port 5
    --port: unknown option; did you mean --bind HOST:PORT?

check --host=x
    --host: unknown option; did you mean --bind HOST:PORT?

serve --admin-port 5
    --admin-port: unknown option; did you mean --admin-bind HOST:PORT?

serve --config-file x
    --config-file: unknown option; did you mean --config FILE?

serve --debug
    --debug: unknown option; did you mean --log-level debug|info|warning|error?

mock --port 5
    --port: unknown option; did you mean --bind HOST:PORT?

top --port 5
    --port: unknown option; did you mean --url URL?

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

serve --tls-cert a --tls-cert b
    --tls-cert: given more than once; give it once

check --max-concurency 5
    --max-concurency: unknown option; did you mean --max-concurrency?

check --no-circuit-braker
    --no-circuit-braker: unknown option; did you mean --no-circuit-breaker?

check --log-level inof
    --log-level: "inof" is none of debug, info, warning, error; write e.g. --log-level info

check --log-format yaml
    --log-format: "yaml" is none of auto, human, json; write e.g. --log-format auto

check --circuit-breaker=maybe
    --circuit-breaker: "maybe" is not a valid value; write e.g. --circuit-breaker or --no-circuit-breaker

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
    --seconds: "0s" is too short; write e.g. --seconds 30s

breaker
    MODE: a value is missing; write e.g. aibridge breaker open openai --for 10m --reason INC-12

breaker open
    PROVIDER: a value is missing; write e.g. aibridge breaker open openai --for 10m --reason INC-12

breaker shut openai
    MODE: "shut" is not a valid value; write e.g. aibridge breaker open openai --for 10m --reason INC-12

breaker clos openai
    MODE: "clos" is not a valid value; did you mean close?

completion
    SHELL: a value is missing; write e.g. aibridge completion bash

completion BASH
    SHELL: "BASH" is not a valid value; did you mean bash?

completion sh
    SHELL: "sh" is not a valid value; did you mean zsh?

man serv
    PAGE: there is none on "serv"; did you mean serve?

top --intervall 2s
    --intervall: unknown option; did you mean --interval?

breaker open a b
    "b": one argument too many; see aibridge breaker --help

breaker open a --url x
    --url: "x" is not a URL with http:// or https://; write e.g. --url http://127.0.0.1:4002
"""


@pytest.mark.parametrize(("line", "said"), [pair.split("\n") for pair in MISTAKES.strip().split("\n\n")])
def test_wrong_usage_is_one_line(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each wrong usage has an error of one line: where, what is wrong, and how to correct it."""
    assert complaint(capsys, *line.split()) == said.strip()


@pytest.mark.parametrize(
    "word", ["", "\n", "\x1b[31m", "\udcff", "[bold]", "@file", "x" * 10_000, "--\n", "-\x00"]
)
@pytest.mark.parametrize("before", [[], ["serve"], ["serve", "--bind"], ["breaker"], ["breaker", "open", "x"]])
def test_no_argument_breaks_the_line(before: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Control codes, markup and overlong arguments give one bounded line, like any wrong usage."""
    assert len(complaint(capsys, *before, word)) < 400


@pytest.mark.parametrize(("typed", "meant"), [("tpo", "top"), ("mna", "man"), ("srve", "serve"), ("dmeo", "demo")])
def test_a_typing_error_gets_the_right_command(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Two letters in the wrong order, or one missing letter, are close enough."""
    assert complaint(capsys, typed) == f'"{typed}": unknown command; did you mean {meant}?'


def test_a_suggested_duration_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    """For a duration that must not be 0, the example in the error is not 0 either."""
    said = complaint(capsys, "top", "--interval", "0")
    assert said == '--interval: "0" is too short; write e.g. --interval 1s'


def test_a_command_is_called_with_its_raw_flags() -> None:
    """Flags arrive as text under the options' names, repeated ones as lists, switches as booleans."""
    seen: list[tuple[object, ...]] = []

    def mock(**flags: object) -> int:
        seen.append(tuple(flags.items()))
        return 3

    line = ["mock", "--tokens", "7", "--fail", "503:0.1", "--fail", "x"]
    assert parser.run((Command(mock, "aibridge mock"),), line) == 3
    assert seen == [(("fail", ["503:0.1", "x"]), ("tokens", "7"))]


def test_a_commands_usage_follows_its_signature() -> None:
    """Positionals are in upper case, optional ones in brackets, and [OPTIONS] only where there are options."""

    def breaker(mode: str, provider: str = "x", /, **_: object) -> int:
        raise AssertionError("only its signature is read")

    def plain(*words: str) -> int:
        raise AssertionError("only its signature is read")

    command = Command(breaker, "")
    assert command.usage == "aibridge breaker [OPTIONS] MODE [PROVIDER]"
    assert [each.name for each in command.positionals] == ["mode", "provider"]
    assert Command(plain, "").usage == "aibridge plain [WORDS ...]"
    assert Command(plain, "").options == ()


def seen_types(app: App) -> dict[str, Any]:
    """Return the types that cyclopts sees of the options of `serve`."""
    signature = inspect.signature(cast("Callable[..., int]", app["serve"].default_command))
    return {each.name: each.annotation for each in signature.parameters.values()}


def test_candidates_give_values_types_for_completion() -> None:
    """With `candidates`, choices and files have types of their own; without, every value is text."""

    def serve(**_: object) -> int:
        raise AssertionError("only its signature is read")

    command = Command(serve, "aibridge serve")
    plain, typed = seen_types(parser.app((command,))), seen_types(parser.app((command,), candidates=True))
    assert plain["log_level"].__args__[0] == str | None
    assert typed["log_level"] != plain["log_level"]
    assert typed["tls_cert"] != plain["tls_cert"]
    assert typed["rate_limit"] == plain["rate_limit"]


def test_only_what_is_named_is_built() -> None:
    """The start of `serve` does not wait for options and commands that its command line does not name."""

    def serve(**_: object) -> int:
        raise AssertionError("only its signature is read")

    def mock(**_: object) -> int:
        raise AssertionError("not named")

    commands = (Command(serve, ""), Command(mock, ""))
    words = ["serve", "--bind=:1", "--rate-limit", "5", "--no-circuit-breaker"]
    built = parser.app(commands, words=words)
    assert set(seen_types(built)) == {"bind", "rate_limit", "circuit_breaker"}
    assert "mock" not in list(built)


@pytest.mark.parametrize("option", [each for each in flags.SERVE if each.flag], ids=lambda each: each.name)
def test_each_option_arrives_alone_as_among_all(option: Option) -> None:
    """What is built for one flag takes it as what is built for all of them."""
    seen: list[dict[str, object]] = []

    def serve(**flags: object) -> int:
        seen.append(flags)
        return 0

    line = ["serve", str(option.flag), *([] if option.switch else [option.example])]
    assert parser.run((Command(serve, ""),), line) == 0
    assert parser.app((Command(serve, ""),))(line) == 0
    alone, among = seen
    assert alone == among
    assert list(alone) == [option.name]


def test_wrong_usage_raises() -> None:
    """run() raises UsageError and prints nothing."""

    def serve(**_: object) -> int:
        raise AssertionError("only its signature is read")

    with pytest.raises(UsageError, match=r"^--bnd: unknown option; did you mean --bind\?$"):
        parser.run((Command(serve, ""),), ["serve", "--bnd", "x"])
