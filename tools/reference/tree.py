"""The command line as a tree for completion, from cyclopts' commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args, get_origin

from cyclopts import App
from cyclopts.argument import Argument

from aibridge_trio.cli.main import HELP
from aibridge_trio.simulate.scenario.settings import KNOWN

_SETTING = "NAME=VALUE"

# Arguments that are a known word or a file.
_OR_FILES = ("scenario",)


@dataclass(frozen=True)
class Place:
    """A value: its name, and its candidates.

    One of `words`, or several separated by commas if `listed`; or a file name if `file`.
    """

    name: str
    words: tuple[str, ...] = ()
    file: bool = False
    listed: bool = False


@dataclass(frozen=True)
class Flag:
    """A flag with its description, or exclusive flags; a switch has no value."""

    about: dict[str, str]
    value: Place | None = None
    repeatable: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Its names."""
        return tuple(self.about)


@dataclass(frozen=True)
class Branch:
    """What can follow these commands. The trunk's first value is the command itself."""

    commands: tuple[str, ...]
    flags: tuple[Flag, ...]
    places: tuple[Place, ...]

    @property
    def valued(self) -> tuple[str, ...]:
        """The flags that take the next word."""
        return tuple(name for flag in self.flags if flag.value for name in flag.names)

    @property
    def repeatable(self) -> tuple[str, ...]:
        """The flags that may be given again."""
        return tuple(name for flag in self.flags if flag.repeatable for name in flag.names)

    @property
    def values(self) -> Iterator[tuple[str, Place]]:
        """Each value with its flag, or its number among the arguments."""
        yield from ((name, flag.value) for flag in self.flags if flag.value for name in flag.names)
        yield from ((str(number), place) for number, place in enumerate(self.places, 1))


@dataclass(frozen=True)
class Tree:
    """The whole command line: descriptions of commands, and what can be before and after each command."""

    about: dict[str, str]
    trunk: Branch
    branches: tuple[Branch, ...]


def tree(front: App) -> Tree:
    """Return the tree; commands with the same flags and values share a branch."""
    about = {name: _sentence(front[name].help) for name in front if not name.startswith("-")}
    commands = Place("command", tuple(about))
    found: list[Branch] = []
    for name in about:
        branch = _branch(name, front[name])
        same = next((each for each in found if (each.flags, each.places) == (branch.flags, branch.places)), None)
        if same:
            found[found.index(same)] = Branch((*same.commands, name), same.flags, same.places)
        else:
            found.append(branch)
    # Not a command of cyclopts: cli.main turns `help COMMAND` into `COMMAND --help`.
    found.append(Branch((HELP,), (), (commands,)))
    about[HELP] = "Show what a command does, and its options"
    return Tree(about, Branch(("",), _common(front), (Place("command", tuple(about)),)), tuple(found))


def _branch(name: str, command: App) -> Branch:
    arguments = command.assemble_argument_collection()
    flags = tuple(_flag(each) for each in arguments if each.index is None)
    places = tuple(place for each in arguments if each.index is not None for place in _places(each))
    return Branch((name,), (*flags, *_common(command)), places)


def _common(command: App) -> tuple[Flag, ...]:
    """The flags that every command has."""
    return (
        Flag(dict.fromkeys(command.help_flags, "Show help")),
        Flag(dict.fromkeys(command.version_flags, "Show the version")),
    )


def _flag(argument: Argument) -> Flag:
    name, *negatives = argument.names
    about = {name: _sentence(argument.parameter.help), **dict.fromkeys(negatives, f"The opposite of {name}")}
    kinds = get_args(argument.hint)
    value = None if bool in kinds else _place(argument)
    return Flag(about, value, repeatable=any(get_origin(kind) is list for kind in kinds))


def _places(argument: Argument) -> list[Place]:
    """Return an argument's value, repeated once per word if the argument may be repeated."""
    place = _place(argument)
    several = argument.field_info.kind is argument.field_info.VAR_POSITIONAL
    return [place] * (len(place.words) if several else 1)


def _place(argument: Argument) -> Place:
    name = argument.parameter.metavar or argument.name.lower()
    words = settings() if name == _SETTING else argument.get_choices(force=True) or ()
    # A scenario is a name or a file.
    file = Path in get_args(argument.hint) or (name in _OR_FILES and bool(words))
    return Place(str(name), words, file, listed=bool(words) and str(name).endswith(",..."))


def settings() -> tuple[str, ...]:
    """Return candidates for `--setting`: NAME=, with each value if there are few."""
    found: list[str] = []
    for name, option in KNOWN.items():
        values = ("true", "false") if option.switch else option.unit.choices if option.unit.toml is str else ()
        found += [f"{name}={value}" for value in values or ("",)]
    return tuple(found)


def _sentence(text: str | None) -> str:
    """The first sentence, without its full stop."""
    return (text or "").strip().partition("\n")[0].partition(". ")[0].removesuffix(".")


def head(shell: str, places: Sequence[str]) -> str:
    """Return a script's first lines: how to install it, and how it was generated."""
    lines = [f"Completion of aibridge for {shell}. It goes here:", *(f"  {place}" for place in places)]
    lines.append("Generated from the program's commands and options: python -m tools.reference")
    return "".join(f"# {line}\n" for line in lines)


def quoted(text: str) -> str:
    """Return the text as one word of bash or zsh."""
    return "'" + text.replace("'", r"'\''") + "'"
