"""What a shell can complete, from the command line as cyclopts knows it."""

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

# Arguments that are a word, or a file.
_OR_FILES = ("scenario",)


@dataclass(frozen=True)
class Place:
    """Where a value stands: what to call it, and what it can be, as far as a shell can know.

    One of the `words`, or several with commas between if it is `listed`; or the name of a file.
    """

    name: str
    words: tuple[str, ...] = ()
    file: bool = False
    listed: bool = False


@dataclass(frozen=True)
class Flag:
    """A flag and what is said of it, or several of which one may be given. A switch has no value."""

    about: dict[str, str]
    value: Place | None = None
    repeatable: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """How it can be written."""
        return tuple(self.about)


@dataclass(frozen=True)
class Branch:
    """What can follow these commands. The trunk has the commands themselves in its first place."""

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
        """Each place for a value, behind the flag in front of it or its number among the arguments."""
        yield from ((name, flag.value) for flag in self.flags if flag.value for name in flag.names)
        yield from ((str(number), place) for number, place in enumerate(self.places, 1))


@dataclass(frozen=True)
class Tree:
    """The whole command line: the commands and what is said of them, what can stand before and behind each."""

    about: dict[str, str]
    trunk: Branch
    branches: tuple[Branch, ...]


def tree(front: App) -> Tree:
    """Return what can be completed; commands that take the same share a branch."""
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
    # None of cyclopts' commands: the front door makes `COMMAND --help` of `help COMMAND`.
    found.append(Branch((HELP,), (), (commands,)))
    about[HELP] = "Show what a command does, and its options"
    return Tree(about, Branch(("",), _common(front), (Place("command", tuple(about)),)), tuple(found))


def _branch(name: str, command: App) -> Branch:
    arguments = command.assemble_argument_collection()
    flags = tuple(_flag(each) for each in arguments if each.index is None)
    places = tuple(place for each in arguments if each.index is not None for place in _places(each))
    return Branch((name,), (*flags, *_common(command)), places)


def _common(command: App) -> tuple[Flag, ...]:
    """The flags that every command has, in words of our own."""
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
    """Return where an argument can stand: one that takes any number, as often as there are words for it."""
    place = _place(argument)
    several = argument.field_info.kind is argument.field_info.VAR_POSITIONAL
    return [place] * (len(place.words) if several else 1)


def _place(argument: Argument) -> Place:
    name = argument.parameter.metavar or argument.name.lower()
    words = settings() if name == _SETTING else argument.get_choices(force=True) or ()
    # A scenario has a name, or is a file of the user's own.
    file = Path in get_args(argument.hint) or (name in _OR_FILES and bool(words))
    return Place(str(name), words, file, listed=bool(words) and str(name).endswith(",..."))


def settings() -> tuple[str, ...]:
    """Return what `--setting` can be: a name and its sign, with each value where there are few."""
    found: list[str] = []
    for name, option in KNOWN.items():
        values = ("true", "false") if option.switch else option.unit.choices if option.unit.toml is str else ()
        found += [f"{name}={value}" for value in values or ("",)]
    return tuple(found)


def _sentence(text: str | None) -> str:
    """The first sentence, without its full stop."""
    return (text or "").strip().partition("\n")[0].partition(". ")[0].removesuffix(".")


def head(shell: str, places: Sequence[str]) -> str:
    """Return a script's first lines: where it goes, and where it comes from."""
    lines = [f"Completion of aibridge for {shell}. It goes here:", *(f"  {place}" for place in places)]
    lines.append("Generated from the program's commands and options: python -m tools.reference")
    return "".join(f"# {line}\n" for line in lines)


def quoted(text: str) -> str:
    """Return the text as one word of bash or zsh."""
    return "'" + text.replace("'", r"'\''") + "'"
