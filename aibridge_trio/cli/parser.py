"""Parses the command line with cyclopts: commands, their flags, and errors of one line.

Flags are passed on as raw text: flags, variables and file share the units' parsers and error messages.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from cyclopts import App, CycloptsError, Group, Parameter, exceptions

from aibridge_trio import __version__
from aibridge_trio.cli import flags
from aibridge_trio.cli.help import EPILOGUE, Page, block, definition, facts
from aibridge_trio.config.settings import Option
from aibridge_trio.config.suggestions import guess
from aibridge_trio.config.units import FILE, nearest
from aibridge_trio.errors import UsageError
from aibridge_trio.printable import quoted, visible

VERSION = f"aibridge {__version__}"
# Other programs' names of --version.
_VERSIONS = ("version", "-v", "-version")
_HELP = frozenset({"--help", "-h", "--version"})
ABOUT = "A proxy that protects AI providers and their callers from overload."


@dataclass(frozen=True)
class Command:
    """A command: its function and how it is called. It has the function's name; its options are in `flags`.

    `words` are the values of positional arguments that a shell can complete; `arguments` is their help.
    """

    function: Callable[..., int]
    example: str
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name on the command line."""
        return self.function.__name__

    @property
    def options(self) -> tuple[Option, ...]:
        """Its options, from `flags`."""
        options: tuple[Option, ...] = getattr(flags, self.name.upper(), ())
        return options

    @property
    def positionals(self) -> tuple[inspect.Parameter, ...]:
        """Its positional arguments, in order."""
        every = inspect.signature(self.function, eval_str=True).parameters.values()
        return tuple(each for each in every if each.kind in (each.POSITIONAL_ONLY, each.VAR_POSITIONAL))

    @property
    def usage(self) -> str:
        """`aibridge breaker [OPTIONS] MODE PROVIDER`."""
        words = ["[OPTIONS]"] if self.options else []
        words += [_form(each) for each in self.positionals]
        return f"aibridge {self.name} {' '.join(words)}".format(*(each.name.upper() for each in self.positionals))


def _form(positional: inspect.Parameter) -> str:
    if positional.kind is positional.VAR_POSITIONAL:
        return "[{} ...]"
    return "{}" if positional.default is positional.empty else "[{}]"


def run(commands: Sequence[Command], arguments: Sequence[str]) -> int:
    """Run the command in the arguments and return its exit status. Raises UsageError."""
    words = _joined(arguments)
    with suppress(CycloptsError):  # what is wrong is said by knowing all commands and options
        if words and not _HELP.intersection(words):
            return app(commands, words=words)(words) or 0
    try:
        return app(commands)(words) or 0
    except CycloptsError as error:
        raise _usage_error(error, commands) from None


def _joined(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `--interval -1s` as `--interval=-1s`: cyclopts takes the former for two flags."""
    joined: list[str] = []
    for word in arguments:
        behind_flag = joined and "--" not in joined and re.fullmatch(r"--[^=]+", joined[-1])
        if behind_flag and re.match(r"-\.?[0-9]", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def app(commands: Sequence[Command], *, candidates: bool = False, words: Sequence[str] | None = None) -> App:
    """Return the commands as an App. With `candidates`, values have types from which a shell can complete.

    With `words`, only what they name is in it: cyclopts takes a tenth of the start for the options of `serve`.
    """
    root = App(
        name="aibridge",
        help=ABOUT,
        help_prologue=f"Example: {commands[0].example}",
        help_format="plaintext",
        help_epilogue=EPILOGUE,
        help_formatter=Page(),
        usage="aibridge COMMAND [OPTIONS]",
        version=VERSION,
        suppress_keyboard_interrupt=False,
        print_error=False,
        exit_on_error=False,
        result_action="return_value",
    )
    for place, command in enumerate(commands):
        if words is not None and command.name != words[0]:
            continue
        root.command(
            _with_signature(command, _named(command.options, words), candidates=candidates),
            name=command.name,
            help_prologue=f"Example: {command.example}",
            help_epilogue=_epilogue(command),
            usage=command.usage,
            sort_key=place,
        )
    own = Group("Options", sort_key=1)
    for flag in ("--help", "--version"):
        root[flag].group = own
    return root


def _named(options: Sequence[Option], words: Sequence[str] | None) -> Sequence[Option]:
    """Return the options whose flags are among the words of a command line, all without one."""
    if words is None:
        return options
    given = {word.partition("=")[0] for word in words}
    return [option for option in options if not given.isdisjoint((option.flag, option.negative))]


def _with_signature(command: Command, options: Sequence[Option], *, candidates: bool) -> Callable[..., int]:
    """Return the command's function with the signature for cyclopts: its positionals, and a flag per option."""

    def call(*positionals: Any, **flags: Any) -> int:
        return command.function(*positionals, **flags)

    own = [_positional(each, command, candidates=candidates) for each in command.positionals]
    named = _flags(options, candidates=candidates)
    vars(call)["__signature__"] = inspect.Signature([*own, *named], return_annotation=int)
    call.__name__ = command.name
    call.__doc__ = command.function.__doc__
    return call


def _positional(own: inspect.Parameter, command: Command, *, candidates: bool) -> inspect.Parameter:
    kind = (candidates and _one_of(command.words.get(own.name))) or own.annotation
    described = Parameter(help=command.arguments.get(own.name), show_default=False, show_choices=False)
    return own.replace(annotation=Annotated[kind, described])


def _flags(options: Sequence[Option], *, candidates: bool) -> Iterator[inspect.Parameter]:
    titles = list(dict.fromkeys(option.group for option in options))
    groups = {title: Group(title, sort_key=place) for place, title in enumerate(titles)}
    for option in options:
        if not option.flag:
            continue
        described = Parameter(
            name=option.flag,
            negative=option.negative or (),
            metavar=option.unit.metavar,
            group=groups[option.group],
            help="\n".join(filter(None, (option.help, facts(option)))),
            show_default=False,
        )
        yield inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[_type(option, candidates=candidates) | None, described],
        )


def _type(option: Option, *, candidates: bool) -> Any:
    if option.switch:
        return bool
    if option.repeatable:
        return list[str]
    if candidates and option.unit is FILE:
        return Path
    return (candidates and _one_of(option.unit.choices)) or str


def _one_of(words: tuple[str, ...] | None) -> Any:
    return Literal[words] if words else None


def _epilogue(command: Command) -> str:
    """Return the options that are read from the environment only, and the man page's name."""
    private = [option for option in command.options if option.private]
    lines = [line for option in private for line in definition(", ".join(option.all_variables), option.help)]
    environment = block("Only in the environment", lines) if lines else ""
    return f"{environment}More: man aibridge-{command.name}"


def _usage_error(error: CycloptsError, commands: Sequence[Command]) -> UsageError:
    """Return an error of cyclopts as one line: where, what is wrong, and how to correct it."""
    chain = error.command_chain or ()
    command = next((command for command in commands if chain and command.name == chain[0]), None)
    see = f"see {' '.join(('aibridge', *chain))} --help"
    line = f"{visible(str(error))} {see}"
    match error:
        case exceptions.UnknownCommandError(unused_tokens=[word, *_]):
            option = word.startswith("-")
            known = ("--help", "--version") if option else [command.name for command in commands]
            what = f"unknown {'option' if option else 'command'}"
            remedy = "did you mean --version?" if word.lower() in _VERSIONS else _did_you_mean(word, known)
            if option and not remedy:
                what = "options follow the command"
            line = f"{quoted(word)}: {what}; {remedy or see}"
        case exceptions.UnknownOptionError(token=token, argument_collection=arguments):
            flag = (token.keyword or token.value).partition("=")[0]
            known = [name for argument in arguments for name in argument.names]
            remedy = (
                _set_in_environment(flag, command)
                or _foreign_flag(flag, command)
                or _did_you_mean(flag, known)
                or see
            )
            line = f"{visible(flag, 60)}: unknown option; {remedy}"
        case exceptions.UnusedCliTokensError(unused_tokens=[word, *_]):
            line = f"{quoted(word)}: one argument too many; {see}"
        case exceptions.RepeatArgumentError(token=token):
            line = f"{token.keyword}: given more than once; give it once"
        case exceptions.MissingArgumentError(argument=argument) if argument and command:
            line = f"{argument.name}: a value is missing; write e.g. {_example(argument.name, command)}"
        case exceptions.CoercionError(argument=argument, token=token) if argument and token and command:
            words = [word for word in get_args(argument.hint) if isinstance(word, str)]
            remedy = _did_you_mean(token.value, words) or f"write e.g. {_example(argument.name, command)}"
            line = f"{token.keyword or argument.name}: {quoted(token.value)} is not a valid value; {remedy}"
    return UsageError(line)


def _did_you_mean(word: str, known: Iterable[str]) -> str | None:
    near = nearest(word, known) or nearest(word.lower(), known)
    return f"did you mean {near}?" if near else None


def _foreign_flag(flag: str, command: Command | None) -> str | None:
    """Return the flag that corresponds to another program's flag, with the form of its value."""
    options = {option.name: option for option in command.options if option.flag} if command else {}
    name = guess(flag, options)
    if name is None:
        return None
    return f"did you mean {options[name].flag} {options[name].unit.metavar.removesuffix(',...')}".rstrip() + "?"


def _set_in_environment(flag: str, command: Command | None) -> str | None:
    private = [option for option in command.options if option.private] if command else []
    variable = {f"--{option.name.replace('_', '-')}": option.label for option in private}
    return f"set {variable[flag]} in the environment" if flag in variable else None


def _example(name: str, command: Command) -> str:
    """Return an example of the flag, or of the whole command if the name is not a flag."""
    for option in command.options:
        if option.flag == name:
            forms = (name, option.negative) if option.switch else (f"{name} {option.example}",)
            return " or ".join(filter(None, forms))
    return command.example
