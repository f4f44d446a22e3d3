"""Every key of every table. The loader, the JSON Schema, the man page and docs/reference.md follow from these."""

from __future__ import annotations

from dataclasses import replace

from aibridge_trio.config.tables import kinds
from aibridge_trio.config.tables.key import Key, Shape

# How many tables of a sort there may be. Providers and classes are labels of metrics.
MOST_CLASSES = 64
MOST_CALLERS = 200_000
MOST_PROVIDERS = 64
MOST_ROUTES = 256

_BUDGET = Shape(
    keys=(
        Key(name="tokens", kind=kinds.POSITIVE, help="Tokens, in and out.", required=True),
        Key(
            name="per",
            kind=kinds.words("day", "week", "month"),
            help="The calendar's day, week (from Monday) or month, UTC.",
            required=True,
        ),
    )
)

# What one caller may use: keys of a class, and of a caller, which overrides its class.
TERMS = (
    Key(
        name="max_concurrency",
        kind=kinds.COUNT,
        help="Requests in flight of one caller; 0 is unlimited.",
        default="--max-concurrency-per-caller",
    ),
    Key(
        name="rate_limit",
        kind=kinds.RATE_OF,
        help="Requests of one caller: a number is per second; 0 is unlimited.",
        default="--rate-limit",
    ),
    Key(
        name="token_rate_limit",
        kind=kinds.RATE_OF,
        help='Tokens of one caller, e.g. "200000/m"; 0 is unlimited.',
        default="unlimited",
    ),
    Key(
        name="priority",
        kind=kinds.words("normal", "low"),
        help="low: behind all others that wait, but never starved.",
        default="normal",
    ),
    Key(
        name="models",
        kind=kinds.MODELS,
        help="Models it may use: names, or prefixes that end in *.",
        default="every model",
    ),
    Key(name="budget", shape=_BUDGET, help="Tokens of one caller by the calendar.", default="unlimited"),
)

CLASS = Shape(
    keys=(
        *TERMS,
        Key(
            name="total_max_concurrency",
            kind=kinds.COUNT,
            help="Requests in flight of all callers of the class together; 0 is unlimited.",
            default="unlimited",
        ),
        Key(
            name="total_rate_limit",
            kind=kinds.RATE_OF,
            help="Requests of all callers of the class together; 0 is unlimited.",
            default="unlimited",
        ),
        Key(
            name="total_token_rate_limit",
            kind=kinds.RATE_OF,
            help="Tokens of all callers of the class together; 0 is unlimited.",
            default="unlimited",
        ),
    )
)

CALLER = Shape(
    keys=(
        Key(
            name="name",
            kind=kinds.CALLER_NAME,
            help="Its name in logs, in /status and in the dashboard.",
            required=True,
        ),
        Key(name="class", kind=kinds.CLASS_NAME, help="Its class, whose terms it has.", default="none"),
        Key(
            name="token_sha256",
            kind=kinds.HASHES,
            help="Hex SHA-256 of its token, or of several; `aibridge token new` makes one.",
        ),
        Key(
            name="certificate",
            kind=kinds.CERTIFICATE_NAME,
            help="Common name or subject alternative name of its client certificate.",
        ),
        Key(name="expires", kind=kinds.DATE, help="The last day on which it is valid, UTC.", default="never"),
        *(replace(key, default="its class's") for key in TERMS),
    )
)

_RATES = (
    Key(
        name="rate_limit",
        kind=kinds.RATE_OF,
        help="Requests: a number is per second; 0 is unlimited.",
        default="unlimited",
    ),
    Key(
        name="token_rate_limit",
        kind=kinds.RATE_OF,
        help='Tokens, e.g. "200000/m"; 0 is unlimited.',
        default="unlimited",
    ),
)

_ONE_OF_KEYS = Shape(
    keys=(
        Key(name="file", kind=kinds.FILE_NAME, help="File that holds only the key."),
        Key(name="env", kind=kinds.VARIABLE, help="Variable that holds the key."),
        Key(name="weight", kind=kinds.WEIGHT, help="Its part of the requests.", default="1"),
        *_RATES,
    ),
    alternatives=("file", "env"),
    one=True,
)

PROVIDER = Shape(
    keys=(
        Key(name="enabled", kind=kinds.SWITCH, help="false: it is switched off.", default="true"),
        Key(
            name="dialect",
            kind=kinds.words("openai", "anthropic", "copilot"),
            help="Its API.",
            required=True,
        ),
        Key(name="base_url", kind=kinds.URL, help="Where requests go.", required=True),
        Key(name="key_file", kind=kinds.FILE_NAME, help="File that holds only the central key."),
        Key(name="key_env", kind=kinds.VARIABLE, help="Variable that holds the central key."),
        Key(name="key", kind=kinds.words("none"), help='"none": it needs no key, and no caller\'s goes up.'),
        Key(name="keys", shape=_ONE_OF_KEYS, most=64, help="Several central keys."),
        Key(
            name="key_header",
            kind=kinds.HEADER_NAME,
            help="Header for the central key.",
            default="the dialect's",
        ),
        Key(
            name="key_choice",
            kind=kinds.words("weighted", "least-used"),
            help="How one of several keys is chosen.",
            default="weighted",
        ),
        Key(
            name="headers",
            kind=kinds.HEADERS,
            help="Headers that go up with every request, in place of a caller's.",
            default="none",
        ),
        Key(
            name="forward_caller_keys",
            kind=kinds.SWITCH,
            help="With a central key: forward the caller's own credential if the request has one.",
            default="--forward-caller-keys",
        ),
        Key(
            name="max_concurrency",
            kind=kinds.COUNT,
            help="Requests in flight to it; 0 is unlimited.",
            default="--max-concurrency-per-provider",
        ),
        *_RATES,
    ),
    alternatives=("key_file", "key_env", "key", "keys"),
)

# Dialect and base URL of the built-in ones are known.
BUILT_IN_PROVIDER = replace(
    PROVIDER, keys=tuple(replace(key, required=False) if key.required else key for key in PROVIDER.keys)
)

ROUTE = Shape(
    keys=(
        Key(
            name="model",
            kind=kinds.MODEL,
            help="The model in a request to /v1: a name, or a prefix that ends in *.",
            required=True,
        ),
        Key(
            name="providers",
            kind=kinds.PROVIDERS,
            help="Who takes it, in the order in which they are tried; all of one dialect.",
            required=True,
        ),
    )
)
