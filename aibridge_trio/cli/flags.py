"""The options of each command: `serve`, `check` and `doctor` share theirs, the others' are defined here."""

from __future__ import annotations

from aibridge_trio.cli import client_flags, init_options, token_flags
from aibridge_trio.config.addresses import ADDRESS
from aibridge_trio.config.settings import CONFIG, OPTIONS, Option
from aibridge_trio.config.units import (
    BOOLEAN,
    COUNT,
    DURATION,
    FAILURES,
    FILE,
    NUMBER,
    POSITIVE,
    SHARE,
    SPAN,
    Unit,
    choice,
)

SERVE = (CONFIG, *OPTIONS)
TOKEN = token_flags.TOKEN
INIT = init_options.INIT

CHECK_ONLY = (
    Option(
        name="diff",
        unit=BOOLEAN,
        default="false",
        help="Print only what differs from the defaults.",
        group="Output",
    ),
    Option(
        name="json",
        unit=BOOLEAN,
        default="false",
        help="Print one JSON document: each option's value, default and source, and the warnings.",
        group="Output",
    ),
)

CHECK = (*SERVE, *CHECK_ONLY)

DOCTOR_ONLY = (
    Option(
        name="timeout",
        unit=SPAN,
        default="10s",
        help="How long each call to a provider may take, from the name's look-up to the answer's head.",
        group="Examination",
    ),
    Option(
        name="json",
        unit=BOOLEAN,
        default="false",
        help="Print one JSON document with all findings.",
        group="Examination",
    ),
)

DOCTOR = (*SERVE, *DOCTOR_ONLY)

# The names are those of MockOptions' fields.
MOCK = (
    Option(
        name="bind",
        unit=ADDRESS,
        default="127.0.0.1:4010",
        help="Address to listen on.",
    ),
    Option(
        name="fail",
        unit=FAILURES,
        default="",
        help="Probability of answering with this error status; can be given again.",
        repeatable=True,
    ),
    Option(
        name="latency",
        unit=DURATION,
        default="0s",
        help="Delay before the response head.",
    ),
    Option(
        name="tokens_per_second",
        unit=NUMBER,
        default="0",
        help="Tokens per second of an answer, streamed or whole; 0 is as fast as possible.",
    ),
    Option(
        name="tokens",
        unit=COUNT,
        default="16",
        help="Tokens per answer.",
    ),
    Option(
        name="seed",
        unit=COUNT,
        default=None,
        help="Seed of the random failures, to make them repeatable.",
    ),
    Option(
        name="slots",
        unit=COUNT,
        default="0",
        help="How many requests are answered at once; 0 is unlimited.",
    ),
    Option(
        name="when_full",
        unit=choice("429", "503", "529", "queue"),
        default=None,
        help="Answer without a free slot: this error status, or wait for one; by default 529 for Anthropic's API, "
        "503 for the others.",
    ),
    Option(
        name="requests_per_minute",
        unit=COUNT,
        default="0",
        help="Quota of requests per minute and credential; 0 is unlimited.",
    ),
    Option(
        name="tokens_per_minute",
        unit=COUNT,
        default="0",
        help="Quota of tokens, in and out, per minute and credential; 0 is unlimited.",
    ),
    Option(
        name="quota_burst",
        unit=SPAN,
        default="10s",
        help="How much of a quota can be used at once: what is refilled in this time.",
    ),
)

DEMO = (
    Option(
        name="seconds",
        unit=SPAN,
        default="30s",
        help="How long requests come; the demo ends when the last of them has ended.",
    ),
)

RELOAD, BREAKER, TOP = client_flags.RELOAD, client_flags.BREAKER, client_flags.TOP
EXPLAIN = client_flags.EXPLAIN

# The simulation parses these texts: it knows the names.
_SETTINGS = Unit(str, "NAME=VALUE", "max_concurrency=50")
_POLICIES = Unit(str, "NAME", "none")
_REPLICAS = Unit(str, "N", "3")
_SIMULATION, _FLEET, _WORKLOAD, _OUTPUT = "Simulation", "Replicas", "Your own numbers", "Output"

SIMULATE = (
    Option(
        name="policy",
        unit=_POLICIES,
        default="aibridge,none,go-aibridge,litellm",
        help="Which proxy the requests go through; several are compared side by side. Can be given again.",
        repeatable=True,
        group=_SIMULATION,
    ),
    Option(
        name="setting",
        unit=_SETTINGS,
        default=None,
        help="Setting of the bridge, in place of the scenario's; can be given again.",
        repeatable=True,
        group=_SIMULATION,
    ),
    Option(
        name="compare",
        unit=_SETTINGS,
        default=None,
        help="Simulate the bridge with this setting too, side by side; can be given again.",
        repeatable=True,
        group=_SIMULATION,
    ),
    Option(
        name="suggest",
        unit=BOOLEAN,
        default="false",
        help="Search a small grid of settings and print the best.",
        group=_SIMULATION,
    ),
    Option(
        name="seed",
        unit=COUNT,
        default="1",
        help="Seed of the random numbers: the same seed gives the same result.",
        group=_SIMULATION,
    ),
    Option(
        name="replicas",
        unit=_REPLICAS,
        default=None,
        help="Simulate so many replicas, and show what they promise together; can be given again.",
        repeatable=True,
        group=_FLEET,
    ),
    Option(
        name="store_round_trip",
        unit=DURATION,
        default="1ms",
        help="Mean time from a replica to the store and back.",
        group=_FLEET,
    ),
    Option(
        name="store_loss",
        unit=SHARE,
        default="0%",
        help="Share of what replicas send to the store that is lost, on the way or on the way back.",
        group=_FLEET,
    ),
    Option(
        name="partition",
        unit=SHARE,
        default="0%",
        help="Share of the replicas that do not reach the store in the middle third of the time.",
        group=_FLEET,
    ),
    Option(
        name="callers",
        unit=POSITIVE,
        default=None,
        help="Number of callers, in place of the scenario's.",
        group=_WORKLOAD,
    ),
    Option(
        name="requests_per_caller",
        unit=NUMBER,
        default=None,
        help="Requests that each caller makes per minute.",
        group=_WORKLOAD,
    ),
    Option(
        name="requests_per_minute",
        unit=COUNT,
        default=None,
        help="The provider's quota of requests per minute and key; 0 is unlimited.",
        group=_WORKLOAD,
    ),
    Option(
        name="tokens_per_minute",
        unit=COUNT,
        default=None,
        help="The provider's quota of tokens per minute and key; 0 is unlimited.",
        group=_WORKLOAD,
    ),
    Option(
        name="duration",
        unit=SPAN,
        default=None,
        help="Simulated time.",
        group=_WORKLOAD,
    ),
    Option(
        name="json",
        unit=BOOLEAN,
        default="false",
        help="Print one JSON document with the curves instead of tables.",
        group=_OUTPUT,
    ),
    Option(
        name="svg",
        unit=FILE,
        default=None,
        help="Draw the curves into this SVG file.",
        group=_OUTPUT,
    ),
)
