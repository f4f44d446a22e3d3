"""The front door: one short function per command, everything else imported when it is needed.

Flags arrive as raw text, so that flag, variable and file are read by the same parser and a mistake sounds the
same wherever it was made. Exit status: 0 done, 1 failed at run time, 2 wrong usage or configuration.
"""

# ruff: noqa: PLC0415 - importing everything costs 350 ms, and `--version` needs none of it

from __future__ import annotations

import inspect
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

from aibridge_trio import __version__
from aibridge_trio.errors import Failure, Mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cyclopts import App, CycloptsError

    from aibridge_trio.settings import Option

Mode = Literal["open", "close", "auto"]

_VERSION = f"aibridge {__version__}"
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, by default the process's own, and give its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given == ["--version"]:
            _say(_VERSION)
            status = 0
        else:
            status = _run(given)
        sys.stdout.flush()
    except Mistake as mistake:
        return _complain(mistake, 2)
    except Failure as failure:
        return _complain(failure, 1)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has left; at exit Python would try to flush again, and say so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


# The commands. What was wrong is told before the heavy part is imported.


def serve(**flags: Any) -> int:
    """Run the proxy and its admin listener until SIGINT or SIGTERM."""
    from aibridge_trio.configuration import load

    settings = load(flags, os.environ).settings
    from aibridge_trio import bridge

    return bridge.serve(settings)


def check(**flags: Any) -> int:
    """Print the configuration in force and where each value came from; start nothing."""
    from aibridge_trio.configuration import load

    loaded = load(flags, os.environ)
    for label, value, origin in loaded.rows():
        _say(f"{label:<40}  {value:<29}  {origin}")
    _say("configuration is valid")
    for warning in loaded.settings.warnings():
        _say(f"warning: {warning}")
    return 0


def mock(**flags: Any) -> int:
    """Run a provider to try things on: OpenAI and Anthropic, streams, failures on demand."""
    from aibridge_trio.flags import MOCK

    told = _values(MOCK, flags)
    from aibridge_trio import mock as provider

    return provider.serve(provider.MockOptions(**told))


def demo(**flags: Any) -> int:
    """Run mock, bridge and a light load with outages; needs no key."""
    from aibridge_trio.flags import DEMO

    told = _values(DEMO, flags)
    from aibridge_trio import demo as show

    return show.run(**told)


def breaker(mode: Mode, provider: str, /, **flags: Any) -> int:
    """Override a provider's circuit breaker on a running bridge.

    open refuses its requests, close lets them through whatever happens, auto gives the choice back.
    """
    from aibridge_trio.flags import BREAKER

    told = _values(BREAKER, flags)
    from aibridge_trio import client

    token = told["token"].reveal() if told["token"] else None
    _say(client.override(told["url"], token, provider, mode))
    return 0


_EXAMPLES: dict[Callable[..., int], str] = {
    serve: "aibridge serve --max-concurrency 50 --rate-limit 10 --circuit-breaker",
    check: "aibridge check --config aibridge.toml",
    mock: "aibridge mock --fail 503:0.1 --fail 429:0.05 --latency 200ms",
    demo: "aibridge demo",
    breaker: "aibridge breaker open openai",
}


def _values(options: Iterable[Option], flags: dict[str, Any]) -> dict[str, Any]:
    from aibridge_trio.configuration import values

    return values(options, flags, os.environ)


def _complain(error: Exception, status: int) -> int:
    from aibridge_trio.units import visible

    _say(f"aibridge: {visible(str(error))}", sys.stderr)
    return status


def _say(line: str, stream: Any = None) -> None:
    """Write a line, whatever its characters and the terminal's encoding."""
    out = stream or sys.stdout
    encoding = out.encoding or "utf-8"
    out.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


# cyclopts.


def app() -> App:
    """The command line as cyclopts knows it."""
    from cyclopts import App

    from aibridge_trio import flags
    from aibridge_trio.page import Page

    front = App(
        name="aibridge",
        help="A proxy that protects AI providers and their callers from overload.",
        help_prologue=f"Example: {_EXAMPLES[serve]}",
        help_format="plaintext",
        help_formatter=Page(),
        version=_VERSION,
        suppress_keyboard_interrupt=False,
        print_error=False,
        exit_on_error=False,
        result_action="return_value",
    )
    for place, (command, example) in enumerate(_EXAMPLES.items()):
        options = getattr(flags, command.__name__.upper())
        front.command(
            _with_flags(command, options),
            name=command.__name__,
            help_prologue=f"Example: {example}",
            help_epilogue=_only_in_environment(options),
            sort_key=place,
        )
    return front


def _run(arguments: Sequence[str]) -> int:
    from cyclopts import CycloptsError

    try:
        return app()(arguments) or 0
    except CycloptsError as error:
        raise _mistake(error) from None


def _with_flags(command: Callable[..., int], options: Sequence[Option]) -> Callable[..., int]:
    """Give the command the signature that cyclopts is to see: its own positionals, and a flag per option."""
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is p.POSITIONAL_ONLY]
    command.__signature__ = signature.replace(parameters=[*own, *_flags(options)])  # type: ignore[attr-defined]
    return command


def _flags(options: Sequence[Option]) -> Iterator[inspect.Parameter]:
    from cyclopts import Group, Parameter

    titles = list(dict.fromkeys(option.group for option in options))
    groups = {title: Group(title, sort_key=place) for place, title in enumerate(titles)}
    for option in options:
        if not option.flag:
            continue
        kind = bool if option.negative else list[str] if option.repeatable else str
        described = Parameter(
            name=option.flag,
            negative=option.negative or (),
            metavar=option.unit.metavar,
            group=groups[option.group],
            help=_described(option),
            show_default=False,
        )
        yield inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[kind | None, described],
        )


def _described(option: Option) -> str:
    """Help text, and on a line of its own default and variables."""
    default = f"default {option.default}" if option.default else ""
    facts = ", ".join(filter(None, (default, *option.all_variables)))
    return f"{option.help}\n[{facts}]" if facts else option.help


def _only_in_environment(options: Iterable[Option]) -> str | None:
    from aibridge_trio.page import definition

    lines = [
        line
        for option in options
        if option.private
        for line in definition(", ".join(option.all_variables), option.help)
    ]
    return "\n".join(["Only in the environment", *lines]) if lines else None


def _mistake(error: CycloptsError) -> Mistake:
    """What cyclopts complains about, in one line: where, what, how to mend it."""
    from cyclopts import exceptions as said

    from aibridge_trio.units import quoted, visible

    chain = error.command_chain or ()
    see = f"see {' '.join(('aibridge', *chain))} --help"
    line = f"{visible(str(error))} {see}"
    match error:
        case said.UnknownCommandError(unused_tokens=[word, *_]):
            known = [command.__name__ for command in _EXAMPLES]
            remedy = "options follow the command, " + see if word.startswith("-") else _meant(word, known) or see
            line = f"{quoted(word)}: unknown command; {remedy}"
        case said.UnknownOptionError(token=token, argument_collection=arguments):
            flag = (token.keyword or token.value).partition("=")[0]
            known = [name for argument in arguments for name in argument.names]
            remedy = _set_in_environment(flag) or _meant(flag, known) or see
            line = f"{visible(flag, 60)}: unknown option; {remedy}"
        case said.UnusedCliTokensError(unused_tokens=[word, *_]):
            line = f"{quoted(word)}: one argument too many; {see}"
        case said.RepeatArgumentError(token=token):
            line = f"{token.keyword}: given more than once; give it once"
        case said.MissingArgumentError(argument=argument) if argument:
            line = f"{argument.name}: a value is missing; write e.g. {_example(argument.name, chain)}"
        case said.CoercionError(argument=argument, token=token) if argument and token:
            place, example = token.keyword or argument.name, _example(argument.name, chain)
            line = f"{place}: {quoted(token.value)} does not fit; write e.g. {example}"
    return Mistake(line)


def _meant(word: str, known: Iterable[str]) -> str | None:
    from aibridge_trio.units import nearest

    near = nearest(word, known)
    return f"did you mean {near}?" if near else None


def _set_in_environment(flag: str) -> str | None:
    from aibridge_trio.flags import SERVE

    secret = {f"--{option.name.replace('_', '-')}": option.label for option in SERVE if option.private}
    return f"set {secret[flag]} in the environment" if flag in secret else None


def _example(name: str, chain: Sequence[str]) -> str:
    """How a flag would be given, or else the whole command."""
    from aibridge_trio import flags

    command = next(command for command in _EXAMPLES if command.__name__ == chain[0])
    for option in getattr(flags, chain[0].upper()):
        if option.flag == name:
            return f"{name} or {option.negative}" if option.negative else f"{name} {option.example}"
    return _EXAMPLES[command]
