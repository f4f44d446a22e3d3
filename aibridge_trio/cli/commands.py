"""Every command, in the order of the help page: its function, an example, and its positional arguments."""

from __future__ import annotations

from aibridge_trio import providers
from aibridge_trio.cli import client_commands, main
from aibridge_trio.cli.parser import Command

# The scenarios in the package, in the order in which to try them.
_SCENARIOS = (
    *("day", "outage", "brownout", "quota", "flash-crowd", "greedy-caller", "slow", "flapping"),
    *("herd", "long-streams", "wandering", "request-quota", "token-quota", "two-providers", "deploy"),
    *("night-and-day", "thousand", "no-retries", "relentless", "load-independent", "replicas"),
)
_PROVIDERS = tuple(each.name for each in providers.ALL)

_ALL_BUT_MAN = (
    Command(main.serve, "aibridge serve --max-concurrency 50 --rate-limit 10 --circuit-breaker"),
    Command(main.top, "aibridge top"),
    Command(main.check, "aibridge check --config aibridge.toml"),
    Command(main.doctor, "aibridge doctor --config aibridge.toml"),
    Command(
        client_commands.breaker,
        "aibridge breaker open openai --for 10m --reason INC-12",
        {"provider": _PROVIDERS},
        {
            "mode": "open rejects all requests, close admits all requests, auto ends the override.",
            "provider": f"One of {', '.join(_PROVIDERS)}, or a provider of the configuration file.",
        },
    ),
    Command(
        client_commands.explain,
        "aibridge explain req_5a1f0c9be2d34",
        arguments={
            "request_id": "The header x-request-id of the answer; request_id in a reject's body and in "
            "the log.\n[default the latest that were refused]"
        },
    ),
    Command(
        main.token,
        "aibridge token new dev-07 --callers-file callers.toml",
        arguments={
            "action": "new prints a token once, list shows what is known of all, revoke removes a caller or a "
            "token.",
            "name": "The caller; not for list.",
        },
    ),
    Command(client_commands.reload, "aibridge reload"),
    Command(main.init, "aibridge init --openai-key-file /etc/aibridge/openai.key --adaptive"),
    Command(main.mock, "aibridge mock --fail 503:0.1 --fail 429:0.05 --latency 200ms"),
    Command(main.demo, "aibridge demo"),
    Command(
        main.simulate,
        "aibridge simulate outage --compare circuit_breaker_cooldown=10s",
        {"scenario": _SCENARIOS},
        {
            "scenario": f"One of {', '.join(_SCENARIOS)}; or a FILE.toml of your own.\n"
            "[default all but the last; with --replicas the last]"
        },
    ),
    Command(main.completion, "aibridge completion bash", arguments={"shell": "bash, zsh or fish."}),
    Command(
        main.schema,
        "aibridge schema > aibridge.schema.json",
        arguments={"file": "aibridge.toml, or callers.toml.\n[default aibridge.toml]"},
    ),
)
_PAGES = ("aibridge", *(command.name for command in _ALL_BUT_MAN), "man", "aibridge.toml")

COMMANDS = (
    *_ALL_BUT_MAN,
    Command(
        main.man,
        "aibridge man serve",
        {"page": _PAGES},
        {"page": "aibridge, aibridge.toml, or a command's name.\n[default aibridge]"},
    ),
)
