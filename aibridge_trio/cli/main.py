"""The commands: a short function each, which imports the rest when it runs.

Exit status: 0 done, 1 failed at run time, 2 wrong usage or configuration, 130 interrupted.
"""

# ruff: noqa: PLC0415 - importing everything costs 350 ms, and `--version` needs none of it

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Literal

from aibridge_trio import __version__
from aibridge_trio.cli.output import print_error, print_line, print_text, values
from aibridge_trio.errors import CommandError, UsageError
from aibridge_trio.process import signals, standard_streams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aibridge_trio.cli.parser import Command
    from aibridge_trio.config.settings import Settings

# `aibridge help COMMAND` is `aibridge COMMAND --help`.
HELP = "help"
Shell = Literal["bash", "zsh", "fish"]
TokenAction = Literal["new", "list", "revoke"]
SchemaOf = Literal["aibridge.toml", "callers.toml"]

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default the process's own, and return its exit status."""
    if arguments is None:
        signals.catch()
    standard_streams.prepare()
    try:
        status = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except UsageError as error:
        status = print_error(error, 2)
    except CommandError as error:
        status = print_error(error, 1)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except BrokenPipeError:
        status = 1  # the reader of stdout has left
    except OSError as error:
        status = print_error(CommandError(f"cannot go on: {error.strerror or error}"), 1)
    for stream in (sys.stdout, sys.stderr):
        standard_streams.flush_or_discard(stream)
    return status


def _run(given: list[str]) -> int:
    match given:
        # Shells run these at every start: they import no library.
        case ["--version"]:
            return print_text(f"aibridge {__version__}\n")
        case ["completion", ("bash" | "zsh" | "fish") as shell]:
            return completion(shell)
        # What a supervisor starts; no command for people.
        case ["worker", descriptor] if descriptor.isdigit():
            from aibridge_trio.workers.worker import run

            return run(int(descriptor))
        # As in git: `help serve`.
        case [word, *command] if word == HELP:
            given = [*command, "--help"]
    from aibridge_trio.cli import parser

    return parser.run(commands(), given)


# The commands. Each reads its flags first, so that errors do not wait for slow imports.


def serve(**flags: Any) -> int:
    """Run the proxy and its admin listener until SIGINT or SIGTERM; on SIGHUP reread the configuration."""
    from aibridge_trio.config.loader import load
    from aibridge_trio.server.inherited_sockets import InheritedSockets

    sockets = InheritedSockets.of(os.environ)
    environ = dict(os.environ)

    def read() -> Settings:
        return load(flags, environ, sockets.handed_over).settings

    settings = read()
    if settings.workers > 1:
        from aibridge_trio import workers

        return workers.serve(settings, sockets, read)
    from aibridge_trio import bridge

    return bridge.serve(settings, sockets, read)


def check(**flags: Any) -> int:
    """Print the configuration in force and where each value came from; start nothing."""
    import json

    from aibridge_trio.cli import check as checked
    from aibridge_trio.cli.flags import CHECK_ONLY
    from aibridge_trio.config.loader import load

    options = values(CHECK_ONLY, flags)
    try:
        loaded = load(flags, os.environ)
    except UsageError as error:
        if options["json"]:
            print_line(json.dumps(checked.invalid(error)))
        raise
    if options["json"]:
        print_line(json.dumps(checked.document(loaded, diff=options["diff"]), indent=2))
    else:
        for line in checked.lines(loaded, diff=options["diff"]):
            print_line(line)
    return 0


def doctor(**flags: Any) -> int:
    """Examine providers, keys, clock, descriptors, files and limits before callers depend on them.

    Exit status 0 if all is well, 1 with a warning or an error.
    """
    import json

    from aibridge_trio.cli.check import invalid
    from aibridge_trio.cli.flags import DOCTOR_ONLY
    from aibridge_trio.config.loader import load

    options = values(DOCTOR_ONLY, flags)
    try:
        loaded = load(flags, os.environ)
    except UsageError as error:
        if options["json"]:
            print_line(json.dumps(invalid(error)))
        raise
    from aibridge_trio import doctor as examination

    findings = examination.run(loaded, timeout=options["timeout"])
    if options["json"]:
        print_line(json.dumps(examination.document(findings), indent=2))
    else:
        for line in examination.lines(findings):
            print_line(line)
    return 0 if examination.well(findings) else 1


def init(**flags: Any) -> int:
    """Write a first configuration file, from a few questions or from flags."""
    from aibridge_trio.cli.flags import INIT

    options = values(INIT, flags)
    from aibridge_trio.cli import init as first

    given = [name for name, value in flags.items() if value is not None]
    return print_text(first.run(options, given, os.environ) + "\n")


def mock(**flags: Any) -> int:
    """Run a mock provider: OpenAI and Anthropic APIs, streams, failures on demand."""
    from aibridge_trio.cli.flags import MOCK

    options = values(MOCK, flags)
    from aibridge_trio import mock as provider

    return provider.serve(provider.MockOptions(**options))


def demo(**flags: Any) -> int:
    """Show what a bridge is worth while a provider fails; needs no key.

    On a terminal it goes on in the dashboard, and repeats until q is pressed.
    """
    from aibridge_trio.cli.flags import DEMO

    options = values(DEMO, flags)
    from aibridge_trio.demo import show

    return show.run(**options)


def simulate(*scenario: str, **flags: Any) -> int:
    """Simulate load and failures against settings in virtual time: an hour takes seconds."""
    from aibridge_trio.cli.flags import SIMULATE

    options = values(SIMULATE, flags)
    from aibridge_trio import simulate as simulation

    return simulation.run(scenario, **options)


def token(action: TokenAction, name: str = "", /, **flags: Any) -> int:
    """Make, list and revoke the tokens of known callers."""
    from aibridge_trio.cli.flags import TOKEN

    options = values(TOKEN, flags)
    from aibridge_trio.cli import tokens

    said = tokens.run(action, name, options)
    print_text(said.result)
    for note in said.notes:
        print_line(note, sys.stderr)
    return 0


def top(**flags: Any) -> int:
    """Watch a running bridge: rejects by protection, callers, and the health of each provider."""
    from aibridge_trio.cli.flags import TOP

    options = values(TOP, flags)
    from aibridge_trio import top as dashboard

    return dashboard.run(**options)


def completion(shell: Shell, /) -> int:
    """Print a shell's completion script.

    Its first lines say where to install it.
    """
    from aibridge_trio.cli.assets import script

    return print_text(script(shell))


def man(page: str = "aibridge", /) -> int:
    """Print the source of a man page: aibridge, aibridge.toml, or a command's.

    Where they are not installed: aibridge man serve | man -l -
    """
    from aibridge_trio.cli.assets import man_page

    [*_, this] = commands()
    return print_text(man_page(page, this.words["page"]))


def schema(file: SchemaOf = "aibridge.toml", /) -> int:
    """Print the JSON Schema of aibridge.toml, or of the callers' file.

    An editor that knows TOML completes and checks the file with it.
    """
    from aibridge_trio.cli.assets import json_schema

    return print_text(json_schema(file))


def commands() -> tuple[Command, ...]:
    """Return every command, in the order of the help page."""
    from aibridge_trio.cli.commands import COMMANDS

    return COMMANDS
