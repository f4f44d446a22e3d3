"""The front door: one short function per command, everything else imported when it is needed.

Exit status: 0 done, 1 failed at run time, 2 wrong usage or configuration, 130 interrupted.
"""

# ruff: noqa: PLC0415 - importing everything costs 350 ms, and `--version` needs none of it

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from aibridge_trio import __version__
from aibridge_trio.errors import CommandError, UsageError
from aibridge_trio.process import signals, standard_streams

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aibridge_trio.cli.parser import Command
    from aibridge_trio.config.settings import Option

# What stands in front of a command whose help page is wanted.
HELP = "help"
Mode = Literal["open", "close", "auto"]
Shell = Literal["bash", "zsh", "fish"]

_INTERRUPTED = 130
# Those that come with the program, in the order of a tour.
_SCENARIOS = (
    *("day", "outage", "brownout", "quota", "flash-crowd", "greedy-caller", "slow", "flapping"),
    *("herd", "long-streams"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, by default the process's own, and give its exit status."""
    if arguments is None:
        signals.catch()
    standard_streams.prepare()
    try:
        status = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except UsageError as mistake:
        status = _complain(mistake, 2)
    except CommandError as failure:
        status = _complain(failure, 1)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except BrokenPipeError:
        status = 1  # whoever read the output has what it wanted
    except OSError as error:
        status = _complain(CommandError(f"cannot go on: {error.strerror or error}"), 1)
    for stream in (sys.stdout, sys.stderr):
        standard_streams.flush_or_discard(stream)
    return status


def _run(given: list[str]) -> int:
    match given:
        # Shells ask for these at every start: they wait for no library.
        case ["--version"]:
            return _print(f"aibridge {__version__}\n")
        case ["completion", ("bash" | "zsh" | "fish") as shell]:
            return completion(shell)
        # Whoever knows git types `help serve`.
        case [word, *command] if word == HELP:
            given = [*command, "--help"]
    from aibridge_trio.cli import parser

    return parser.run(commands(), given)


# The commands. What was wrong is told before the heavy part is imported.


def serve(**flags: Any) -> int:
    """Run the proxy and its admin listener until SIGINT, SIGTERM or SIGHUP."""
    from aibridge_trio.config.loader import load

    settings = load(flags, os.environ).settings
    from aibridge_trio import bridge

    return bridge.serve(settings)


def check(**flags: Any) -> int:
    """Print the configuration in force and where each value came from; start nothing."""
    import json

    from aibridge_trio.cli import check as checked
    from aibridge_trio.cli.flags import CHECK_ONLY
    from aibridge_trio.config.loader import load

    told = _values(CHECK_ONLY, flags)
    try:
        loaded = load(flags, os.environ)
    except UsageError as mistake:
        if told["json"]:
            _say(json.dumps(checked.invalid(mistake)))
        raise
    if told["json"]:
        _say(json.dumps(checked.document(loaded, diff=told["diff"]), indent=2))
    else:
        for line in checked.lines(loaded, diff=told["diff"]):
            _say(line)
    return 0


def mock(**flags: Any) -> int:
    """Run a provider to try things on: OpenAI and Anthropic, streams, failures on demand."""
    from aibridge_trio.cli.flags import MOCK

    told = _values(MOCK, flags)
    from aibridge_trio import mock as provider

    return provider.serve(provider.MockOptions(**told))


def demo(**flags: Any) -> int:
    """Run mock, bridge and a light load with outages; needs no key.

    On a terminal it goes on in the dashboard, with the same again and again until q is pressed.
    """
    from aibridge_trio.cli.flags import DEMO

    told = _values(DEMO, flags)
    from aibridge_trio.demo import show

    return show.run(**told)


def simulate(*scenario: str, **flags: Any) -> int:
    """Play load and failures against settings, in virtual time: an hour takes seconds."""
    from aibridge_trio.cli.flags import SIMULATE

    told = _values(SIMULATE, flags)
    from aibridge_trio import simulate as simulation

    return simulation.run(scenario, **told)


def breaker(mode: Mode, provider: str, /, **flags: Any) -> int:
    """Override a provider's circuit breaker on a running bridge."""
    from aibridge_trio.cli.flags import BREAKER

    told = _values(BREAKER, flags)
    from aibridge_trio.admin import client

    _say(client.override(told["url"], told["token"], provider, mode))
    return 0


def top(**flags: Any) -> int:
    """Watch a running bridge: who is turned away, by which protection, and which provider is sick."""
    from aibridge_trio.cli.flags import TOP

    told = _values(TOP, flags)
    from aibridge_trio import top as dashboard

    return dashboard.run(**told)


def completion(shell: Shell, /) -> int:
    """Print the script by which a shell completes commands, flags and values.

    Its first lines say where it goes.
    """
    from aibridge_trio.cli.assets import script

    return _print(script(shell))


def man(page: str = "aibridge", /) -> int:
    """Print the source of a man page: aibridge, aibridge.toml, or a command's.

    Where they are not installed: aibridge man serve | man -l -
    """
    from aibridge_trio.cli.assets import man_page

    [*_, this] = commands()
    return _print(man_page(page, this.words["page"]))


def commands() -> tuple[Command, ...]:
    """Every command, in the order of the help page."""
    from aibridge_trio import providers
    from aibridge_trio.cli.parser import Command

    names = tuple(each.name for each in providers.ALL)
    others = (
        Command(serve, "aibridge serve --max-concurrency 50 --rate-limit 10 --circuit-breaker"),
        Command(top, "aibridge top"),
        Command(check, "aibridge check --config aibridge.toml"),
        Command(
            breaker,
            "aibridge breaker open openai",
            {"provider": names},
            {
                "mode": "open refuses its requests, close lets them through whatever happens, "
                "auto gives the choice back to the breaker.",
                "provider": f"One of {', '.join(names)}.",
            },
        ),
        Command(mock, "aibridge mock --fail 503:0.1 --fail 429:0.05 --latency 200ms"),
        Command(demo, "aibridge demo"),
        Command(
            simulate,
            "aibridge simulate outage --compare circuit_breaker_cooldown=10s",
            {"scenario": _SCENARIOS},
            {"scenario": f"One of {', '.join(_SCENARIOS)}; or a FILE.toml of your own.\n[default all of them]"},
        ),
        Command(completion, "aibridge completion bash", arguments={"shell": "bash, zsh or fish."}),
    )
    pages = ("aibridge", *(command.name for command in others), "man", "aibridge.toml")
    about = "aibridge, aibridge.toml, or a command's name.\n[default aibridge]"
    return (*others, Command(man, "aibridge man serve", {"page": pages}, {"page": about}))


def _values(options: Iterable[Option], flags: dict[str, Any]) -> dict[str, Any]:
    from aibridge_trio.config.loader import values

    return values(options, flags, os.environ)


def _print(text: str) -> int:
    sys.stdout.write(text)
    return 0


def _complain(error: Exception, status: int) -> int:
    from aibridge_trio.printable import visible

    with suppress(OSError):  # nobody reads it; the status still tells
        _say(f"aibridge: {visible(str(error))}", sys.stderr)
    return status


def _say(line: str, stream: Any = None) -> None:
    """Write a line, whatever its characters and the terminal's encoding."""
    out = stream or sys.stdout
    encoding = out.encoding or "utf-8"
    out.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
