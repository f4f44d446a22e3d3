"""The man pages: prose from `prose/`, with parts generated from the code.

man(7) macros, not mdoc(7): marked words can be inside a sentence, where mdoc needs a line for each, and groff's
mdoc prints BSD's name on every page. groff and mandoc render both alike.

They are generated in a checkout: rejects and exit statuses come from docs/reference.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import get_args

from aibridge_trio import __version__, providers
from aibridge_trio.cli import main as cli
from aibridge_trio.cli.assets import man_name
from aibridge_trio.cli.help import usual
from aibridge_trio.cli.parser import ABOUT, Command
from aibridge_trio.config.settings import OPTIONS, Option
from aibridge_trio.errors import Reject
from aibridge_trio.providers import Provider
from aibridge_trio.top.keyboard import KEYS
from aibridge_trio.top.screen.panels import LEGEND
from tools.reference import roff, tables

_ROOT = Path(__file__).parents[2]
_PROSE = Path(__file__).parent / "prose"

# With more options the synopsis has [option ...].
_MOST_IN_SYNOPSIS = 6
# For these commands an interrupt is a graceful end, without a status of its own.
_INTERRUPTED = "130"
_UNTIL_INTERRUPTED = ("serve", "mock", "demo")
_TOML_TYPES = {str: "string", bool: "boolean", int: "integer", list: "array of strings"}
_TOML_FORMS: dict[type, str] = {str: '"{}"', list: '["{}", ...]'}


def pages() -> dict[str, str]:
    """Return every page's source, by its path in the repository."""
    commands = {command.name: command for command in cli.commands()}
    found = {}
    for topic in ("aibridge", *commands, "aibridge.toml"):
        name, _, section = man_name(topic).rpartition(".")
        words = _filled((_PROSE / f"{name}.{section}.md").read_text(encoding="utf-8"), commands.get(topic))
        found[f"man/{name}.{section}"] = roff.page(name, int(section), _date(), f"AI Bridge {__version__}", words)
    return found


def _date() -> str:
    """The release date of this version, from the changelog."""
    changelog = (_ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \S+ - (\d{4}-\d{2}-\d{2})$", changelog, re.MULTILINE)
    assert newest
    return newest[1]


def _filled(prose: str, command: Command | None) -> str:
    """The prose with its {placeholders} filled from the code."""
    known: dict[str, Callable[[], str]] = {
        "about": lambda: f"aibridge - {_lower(ABOUT)}",
        "columns": lambda: "\n".join(f"`{title}`\n: {text.rstrip('.')}." for title, text in LEGEND),
        "commands": lambda: "\n".join(_command(each) for each in cli.commands()),
        "exit": lambda: "\n".join(_exits(command)),
        "exit_in_short": lambda: re.sub(r"[,;].*\.$", ".", known["exit"](), flags=re.MULTILINE),
        "keys": lambda: "\n".join(f"`{_named(key.keys)}`\n: {_sentence(key.does)}" for key in KEYS),
        "providers": lambda: "\n".join(map(_provider, providers.ALL)),
        "rejects": lambda: "\n\n".join(_rejects()),
        "tables": lambda: "\n\n".join(tables.described()),
        "settings": lambda: "\n\n".join(_grouped((each for each in OPTIONS if each.key), _setting)),
    }
    if command:
        known |= {
            "name": lambda: f"aibridge-{command.name} - {_does(command)}",
            "synopsis": lambda: _synopsis(command),
            "options": lambda: "\n\n".join(_options(command)),
            "environment": lambda: "\n\n".join(_only_in_environment(command)),
        }
    return re.sub(r"^\{(\w+)\}$", lambda word: known[word[1]](), prose, flags=re.MULTILINE)


# Commands and their options.


def _does(command: Command) -> str:
    first, *_ = (command.function.__doc__ or "").split("\n\n")
    return _lower(" ".join(first.split()))


def _command(command: Command) -> str:
    return f"aibridge-{command.name}(1)\n: {_sentence(_does(command))}"


def _synopsis(command: Command) -> str:
    named = [each for each in command.options if each.flag]
    options = [f"[{_term(each, each.flag)}]{' ...' if each.repeatable else ''}" for each in named]
    if len(named) > _MOST_IN_SYNOPSIS:
        options = ["[*option* ...]"]
    return " ".join([f"`aibridge {command.name}`", *options, *_positionals(command)])


def _positionals(command: Command) -> Iterator[str]:
    for each in command.positionals:
        words = get_args(each.annotation)
        shown = "|".join(f"`{word}`" for word in words) if words else f"*{each.name.upper()}*"
        several = each.kind is each.VAR_POSITIONAL
        yield f"[{shown} ...]" if several else shown if each.default is each.empty else f"[{shown}]"


def _options(command: Command) -> Iterator[str]:
    for name, text in command.arguments.items():
        yield f"*{name.upper()}*\n: " + _marked(text).replace("\n", "\\\n")
    yield from _grouped((each for each in command.options if each.flag), _option)


def _grouped(options: Iterable[Option], shown: Callable[[Option], str]) -> Iterator[str]:
    """The options as a page of --help has them: in their order, each group below its title."""
    group = "Options"
    for option in options:
        if option.group != group:
            group = option.group
            yield f"### {group}"
        yield shown(option)


def _option(option: Option) -> str:
    flags = ", ".join(_term(option, flag) for flag in (option.flag, option.negative) if flag)
    return "\n".join([flags, *_means(option.help, usual(option), option.all_variables)])


def _term(option: Option, flag: str | None) -> str:
    words = option.unit.choices if option.unit.toml is str else ()
    value = "|".join(f"`{word}`" for word in words) or f"*{option.unit.metavar}*"
    return f"`{flag}`" if option.switch else f"`{flag}` {value}"


def _only_in_environment(command: Command) -> Iterator[str]:
    for option in command.options:
        if option.private:
            yield f"{', '.join(f'`{name}`' for name in option.all_variables)}\n: {_marked(option.help)}"


def _setting(option: Option) -> str:
    form = _TOML_FORMS.get(option.unit.toml, "{}").format(option.unit.metavar.removesuffix(",...") or "true|false")
    means = _means(option.help, option.default, option.all_variables, _TOML_TYPES[option.unit.toml])
    return "\n".join([f"`{option.key} = {form}`", *means])


def _means(text: str, default: str | None, variables: Iterable[str], *kind: str) -> list[str]:
    """An option's help, and on a second line its type, default and variables."""
    facts = [*kind, *([f"default {default}"] if default else []), *(f"`{name}`" for name in variables)]
    return [f": {_marked(text)}\\", f"[{', '.join(facts)}]"] if facts else [f": {_marked(text)}"]


# Providers, rejects, exit statuses.


def _provider(provider: Provider) -> str:
    patterns = dict.fromkeys(route.pattern for route in provider.routes)
    return f"`{provider.prefix}`\n: {', '.join(f'`{pattern}`' for pattern in patterns)}."


def _rejects() -> Iterator[str]:
    told = {reason.strip("`"): (when, wait) for reason, _, when, wait in _rows("reason")}
    for kind in Reject.__subclasses__():
        when, wait = told[kind.reason]
        yield f"`{kind.reason}`, {kind.status}\n: {_sentence(when)}" + (f" Wait: {wait}." if wait else "")


def _exits(command: Command | None) -> Iterator[str]:
    for status, text in _rows("exit status"):
        if status != _INTERRUPTED or not command or command.name not in _UNTIL_INTERRUPTED:
            yield f"`{status}`\n: {_sentence(text)}"


def _rows(heading: str) -> list[list[str]]:
    """The rows of the reference's table with this first heading."""
    lines = (_ROOT / "docs" / "reference.md").read_text(encoding="utf-8").splitlines()
    table = dropwhile(lambda line: not line.startswith(f"| {heading} |"), lines)
    _, _, *rows = takewhile(lambda line: line.startswith("|"), table)
    return [[cell.strip() for cell in row.strip("|").split(" |")] for row in rows]


# Text.


def _named(keys: str) -> str:
    """Names of keys in letters, for terminals without arrows."""
    return keys.replace("↑", "Up").replace("↓", "Down")


def _marked(text: str) -> str:
    """The text with flags and variables marked as literal."""
    return re.sub(r"(?<![\w`-])(--[a-z][a-z-]*[a-z]|[A-Z]+(?:_[A-Z]+)+)", r"`\1`", text)


def _lower(sentence: str) -> str:
    """The sentence as part of another one."""
    return sentence[0].lower() + sentence[1:].rstrip(".")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".") + "."
