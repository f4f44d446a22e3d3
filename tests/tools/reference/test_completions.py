from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from aibridge_trio import providers
from aibridge_trio.cli.main import HELP, commands
from aibridge_trio.cli.parser import Command
from aibridge_trio.config.units import FILE
from tests.support.shells import Bash, Fish, Shell, Zsh
from tools.reference.tree import settings

SCRIPTS = Path(__file__).parents[3] / "completions"
COMMON = {"--help", "-h", "--version"}
FILES = {"bridge.toml", "my file.toml", "certs"}
COMMANDS = pytest.mark.parametrize("command", commands(), ids=lambda command: command.name)

# How completion is loaded; `{}` is where the scripts are.
COMPINIT = "autoload -Uz compinit; compinit -u -D"
BASH, ZSH, FISH = "source {}/aibridge.bash", COMPINIT + "; source {}/_aibridge", "source {}/aibridge.fish"

Kind = Callable[[Path, str], Shell]
Start = Callable[[Kind, str], Shell]

KINDS: dict[str, tuple[Kind, str]] = {"bash": (Bash, BASH), "zsh": (Zsh, ZSH), "fish": (Fish, FISH)}

# The line up to the cursor, what may follow it, and the candidates.
LINES = (
    # Commands come first, and nowhere else.
    ("aibridge se|", "serve"),
    ("aibridge b|", "breaker"),
    ("aibridge h|", "help"),
    ("aibridge help se|", "serve"),
    ("aibridge help serve |", ""),
    ("aibridge help serve -|", ""),
    ("aibridge help -|", ""),
    ("aibridge se| --log-level debug", "serve"),
    ("aibridge -|", "--help, -h, --version"),
    ("aibridge --help |", ""),
    ("aibridge serve se|", ""),
    ("aibridge srve |", ""),
    ("aibridge srve --|", ""),
    # A command has its own flags, each once.
    ("aibridge serve --log-fo|", "--log-format"),
    ("aibridge serve --log| --bind localhost:1", "--log-level, --log-file, --log-format"),
    ("aibridge mock --log|", ""),
    ("aibridge demo -|", "--seconds, --help, -h, --version"),
    ("aibridge demo --help -|", "--seconds, --version"),
    ("aibridge demo -h -|", "--seconds, --version"),
    ("aibridge demo --seconds 1s -|", "--help, -h, --version"),
    ("aibridge demo --seconds=1s -|", "--help, -h, --version"),
    ("aibridge serve --log-level debug --log|", "--log-file, --log-format"),
    ("aibridge serve --circuit-breaker --no-circuit|", ""),
    ("aibridge serve --no-circuit-breaker --circuit-breaker-w|", "--circuit-breaker-window"),
    ("aibridge mock --fail 503:0.1 --fail=429:0.1 --f|", "--fail"),
    # A switch takes no word, the others take the next one, whatever is in it.
    ("aibridge serve --circuit-breaker --log-fo|", "--log-format"),
    ("aibridge serve --bind localhost:4001 --log-fo|", "--log-format"),
    ("aibridge serve --bind=localhost:4001 --log-fo|", "--log-format"),
    ("aibridge serve --config my\\ file.toml --log-fo|", "--log-format"),
    ("aibridge serve --config 'my file.toml' --log-fo|", "--log-format"),
    ("aibridge serve --log-level w|", "warning"),
    ("aibridge serve --log-level=w|", "warning"),
    ("aibridge serve --log-level w| --log-format json", "warning"),
    ("aibridge serve --log-level x|", ""),
    ("aibridge serve --log-level=x|", ""),
    ("aibridge serve --unknown d|", ""),
    ("aibridge serve --unknown=d|", ""),
    # Arguments are counted.
    ("aibridge breaker o|", "open"),
    ("aibridge breaker open o|", "openai"),
    ("aibridge breaker open o| --url http://h:1", "openai"),
    ("aibridge breaker open openai o|", ""),
    ("aibridge breaker --url o|", ""),
    ("aibridge breaker --url http://h:1 o|", "open"),
    ("aibridge breaker --url=http://h:1 o|", "open"),
    ("aibridge breaker --url http://h:1/a=b open o|", "openai"),
    ("aibridge breaker open --url http://h:1 o|", "openai"),
    ("aibridge breaker 'o|", "open"),
    ("aibridge completion b|", "bash"),
    ("aibridge man aibridge.|", "aibridge.toml"),
    # Behind -- there are no flags.
    ("aibridge breaker -- o|", "open"),
    ("aibridge breaker -- open o|", "openai"),
    ("aibridge breaker -- -- o|", "openai"),
    ("aibridge breaker -- -x o|", "openai"),
    ("aibridge breaker -- -|", ""),
    ("aibridge serve -- --|", ""),
    # Of a list the next item is completed, with one that is not there yet.
    ("aibridge serve --shadow ra|", "rate"),
    ("aibridge serve --shadow rate,br|", "breaker"),
    ("aibridge serve --shadow=rate,br|", "breaker"),
    ("aibridge serve --shadow rate,rat|", ""),
    ("aibridge serve --shadow rate,breaker,cr|", "credential"),
    # Of a setting first the name, then the value where there are few.
    ("aibridge simulate --setting max_concurrency_per_c|", "max_concurrency_per_caller="),
    (
        "aibridge simulate --setting circuit_breaker_4|",
        "circuit_breaker_429=provider, circuit_breaker_429=credential",
    ),
    # A scenario has a name, or is a file.
    ("aibridge simulate bri|", "bridge.toml"),
    ("aibridge simulate bro|", "brownout"),
    ("aibridge simulate outage bri|", "bridge.toml"),
    # Files stand where a file is asked for, and nowhere else.
    ("aibridge serve --config my|", "my file.toml"),
    ("aibridge serve --config=my|", "my file.toml"),
    ("aibridge serve --config my\\ f|", "my file.toml"),
    ("aibridge serve --config=my\\ f|", "my file.toml"),
    ("aibridge serve --config 'my f|", "my file.toml"),
    ('aibridge serve --config "my f|', "my file.toml"),
    ("aibridge serve --config b| --bind localhost:1", "bridge.toml"),
    ("aibridge serve --config certs/|", "ca.pem"),
    ("aibridge serve --config=certs/c|", "ca.pem"),
    ("aibridge serve --bind b|", ""),
    ("aibridge serve b|", ""),
    ("aibridge my|", ""),
    # However the program is called.
    ("./aibridge se|", "serve"),
    ("/opt/bin/aibridge serve --log-level=w|", "warning"),
    ("true; A=1 aibridge serve --log-level=w|", "warning"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "certs").mkdir()
    for name in ("bridge.toml", "my file.toml", "certs/ca.pem"):
        (folder / name).touch()
    return folder


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start a shell that loads completion in its own way."""
    shells: list[Shell] = []

    def start(kind: Kind, load: str) -> Shell:
        shells.append(kind(folder, there(load)))
        return shells[-1]

    yield start
    for shell in shells:
        shell.close()


@pytest.fixture(scope="module", params=KINDS)
def shell(request: pytest.FixtureRequest, folder: Path) -> Iterator[Shell]:
    """Each shell in turn, as it comes, with the script loaded."""
    kind, load = KINDS[request.param]
    shell = kind(folder, there(load))
    yield shell
    shell.close()


def there(load: str, scripts: Path = SCRIPTS) -> str:
    """The command that loads the scripts from there."""
    return load.replace("{}", shlex.quote(str(scripts)))


def flags_of(command: Command) -> set[str]:
    """Every flag that a command takes."""
    told = {name for option in command.options for name in (option.flag, option.negative) if name}
    return told | COMMON


def sentence(text: str) -> str:
    """The first sentence, without its full stop."""
    return text.partition(". ")[0].removesuffix(".")


# What the code knows.


def test_every_command_is_offered(shell: Shell) -> None:
    """The first word can be each of the commands, and nothing else."""
    assert set(shell.offers("aibridge ")) == {HELP, *(command.name for command in commands())}


def test_help_is_offered_on_every_command(shell: Shell) -> None:
    """Behind `help` stands the name of a command, as it does in front of --help."""
    assert set(shell.offers(f"aibridge {HELP} ")) == {command.name for command in commands()}


@COMMANDS
def test_every_flag_is_offered(shell: Shell, command: Command) -> None:
    """Behind a command a dash brings all of its flags, and no other's; two dashes bring the long ones."""
    assert set(shell.offers(f"aibridge {command.name} -")) == flags_of(command)
    assert set(shell.offers(f"aibridge {command.name} --")) == flags_of(command) - {"-h"}


@COMMANDS
@pytest.mark.parametrize("form", ["aibridge {} {} ", "aibridge {} {}="])
def test_every_value_is_offered(shell: Shell, command: Command, form: str) -> None:
    """A flag's value can be each of its words, or a file where it names one; else nothing is offered."""
    for option in command.options:
        if option.flag and not option.switch:
            expected = FILES if option.unit is FILE else set(option.unit.choices)
            expected = set(settings()) if option.unit.metavar == "NAME=VALUE" else expected
            assert set(shell.offers(form.format(command.name, option.flag))) == expected, option.flag


@COMMANDS
def test_every_argument_is_offered(shell: Shell, command: Command) -> None:
    """An argument can be each of its words: modes, provider names, shells, pages. A free one has none to offer."""
    line = f"aibridge {command.name} "
    for each in command.positionals:
        words = command.words.get(each.name) or get_args(each.annotation)
        files = FILES if each.name == "scenario" else set()
        if not (words or files):
            assert each.annotation is str
            break
        assert set(shell.offers(line)) == set(words) | files != set()
        line += f"{words[0]} "


def test_provider_names_are_offered(shell: Shell) -> None:
    """The breaker's second argument is one of the built-in providers; a file's are not known to the shell."""
    assert set(shell.offers("aibridge breaker open ")) == {provider.name for provider in providers.ALL}


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_what_fits_is_offered(shell: Shell, line: str, expected: str) -> None:
    """Whatever stands in the line, what fits at the cursor is offered, and nothing else."""
    # Of a list some shells show all of it, and some only what they add.
    assert {word.rpartition(",")[2] for word in shell.offers(line)} == set(filter(None, expected.split(", ")))


@pytest.mark.parametrize("line", ["aibridge demo ", "aibridge breaker open openai "])
def test_flags_are_offered_where_nothing_else_fits(shell: Shell, line: str) -> None:
    """Where no argument fits, an empty word brings the flags; in fish it takes a dash, as everywhere in fish."""
    assert set(shell.offers(line)) == (set() if isinstance(shell, Fish) else set(shell.offers(f"{line}-")))


# What is said of the candidates.


def test_every_flag_is_explained(shell: Shell) -> None:
    """Zsh and fish show the first sentence of a flag's help, as it stands there; bash shows none."""
    for command in commands():
        shown = shell.offers(f"aibridge {command.name} -")
        for option in command.options:
            if option.flag:
                assert shown[option.flag] == ("" if isinstance(shell, Bash) else sentence(option.help))
            if option.negative:
                assert shown[option.negative] == (
                    "" if isinstance(shell, Bash) else f"The opposite of {option.flag}"
                )


def test_every_command_is_explained(shell: Shell) -> None:
    """Zsh and fish show the first sentence of a command's help; bash shows none."""
    shown = shell.offers("aibridge ")
    for command in commands():
        first = str(command.function.__doc__).splitlines()[0]
        assert shown[command.name] == ("" if isinstance(shell, Bash) else sentence(first))


# Ways to load them, and users' settings.


WAYS = (
    (Bash, 'eval "$(cat {}/aibridge.bash)"'),
    (Bash, f"{BASH}; {BASH}"),
    (Bash, f"{BASH}; set -euo pipefail"),
    (Bash, f"{BASH}; shopt -s failglob nullglob; set -f"),
    (Bash, f"{BASH}; IFS=e"),
    (Bash, f"{BASH}; set -o posix"),
    (Zsh, COMPINIT + "; source <(cat {}/_aibridge)"),
    (Zsh, COMPINIT + '; eval "$(cat {}/_aibridge)"'),
    (Zsh, "fpath=({} $fpath); " + COMPINIT),
    (Zsh, f"setopt nounset ksharrays shwordsplit; {ZSH}"),
    (Zsh, f"{ZSH}; setopt nounset ksharrays shwordsplit noglob"),
    (Zsh, f"zstyle ':completion:*' group-name ''; zstyle ':completion:*' format '%d'; {ZSH}"),
    (Fish, "cat {}/aibridge.fish | source"),
    (Fish, f"{FISH}; {FISH}"),
    (Fish, "set -p fish_complete_path {}"),
)


@pytest.mark.parametrize(("kind", "load"), WAYS)
def test_every_way_to_load_does(start: Start, kind: Kind, load: str) -> None:
    """Sourced, evaluated, found in its folder, loaded twice, under a user's own settings: it is the same."""
    shell = start(kind, load)
    names = {command.name for command in commands()}
    assert set(shell.offers("aibridge ")) == names | {HELP}
    assert set(shell.offers("aibridge serve --log-level=")) == {"debug", "info", "warning", "error"}
    assert set(shell.offers("aibridge breaker --url=http://h:1 open o")) == {"openai"}
    assert set(shell.offers("aibridge serve --config m")) == {"my file.toml"}
    assert set(shell.offers("aibridge serve --nothing")) == set()


@pytest.mark.parametrize(
    ("kind", "load"),
    [
        (Bash, f"{BASH}; alias ab=aibridge; complete -F _aibridge ab"),
        (Zsh, f"{ZSH}; alias ab=aibridge"),
        (Fish, f"{FISH}; alias ab aibridge"),
    ],
)
def test_an_alias_is_completed(start: Start, kind: Kind, load: str) -> None:
    """Under another name it is the same; only bash needs a command for the name."""
    assert set(start(kind, load).offers("ab serve --log-level=w")) == {"warning"}


@pytest.mark.parametrize(
    ("line", "expected"), [("aibridge se|x", {"serve"}), ("aibridge serve --log-l|xyz", {"--log-level"})]
)
def test_bash_completes_in_front_of_the_cursor(start: Start, line: str, expected: set[str]) -> None:
    """What is behind the cursor in a word does not count, as everywhere in bash."""
    assert set(start(Bash, BASH).offers(line)) == expected


def test_the_value_of_a_setting_is_completed(start: Start) -> None:
    """Behind the second equals sign too, whether or not bash splits words there."""
    for more in ("", "; COMP_WORDBREAKS=${COMP_WORDBREAKS//=}"):
        shell = start(Bash, BASH + more)
        assert set(shell.offers("aibridge simulate --setting circuit_breaker_429=p")) == {"provider"}
        assert set(shell.offers("aibridge simulate --setting=circuit_breaker_429=c")) == {"credential"}


def test_equals_signs_may_belong_to_words(start: Start) -> None:
    """Bash completes --flag=value, too, where something has told it not to split words at an equals sign."""
    shell = start(Bash, BASH + "; COMP_WORDBREAKS=${COMP_WORDBREAKS//=}")
    assert set(shell.offers("aibridge serve --log-level=")) == {"debug", "info", "warning", "error"}
    assert set(shell.offers("aibridge breaker --url=http://h:1 o")) == {"open"}
