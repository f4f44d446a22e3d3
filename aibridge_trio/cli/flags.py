"""The options of the commands beside `serve`: what to try things with, and what operates a running bridge."""

from __future__ import annotations

from aibridge_trio.config.addresses import ADDRESS, BASE_URL
from aibridge_trio.config.settings import CONFIG, OPTIONS, Option
from aibridge_trio.config.units import (
    BOOLEAN,
    COUNT,
    DURATION,
    FAILURES,
    FILE,
    NUMBER,
    POSITIVE,
    SECRET,
    SPAN,
    Unit,
)

SERVE = (CONFIG, *OPTIONS)

CHECK_ONLY = (
    Option(
        name="diff",
        unit=BOOLEAN,
        default="false",
        help="Print only what differs from the defaults.",
        group="What is printed",
    ),
    Option(
        name="json",
        unit=BOOLEAN,
        default="false",
        help="Print one JSON document: of each option its value, default and source; and the warnings.",
        group="What is printed",
    ),
)

CHECK = (*SERVE, *CHECK_ONLY)

# Named like the fields of MockOptions.
MOCK = (
    Option(
        name="bind",
        unit=ADDRESS,
        default="127.0.0.1:4010",
        help="Where it listens.",
    ),
    Option(
        name="fail",
        unit=FAILURES,
        default="",
        help="How often to answer with this status instead; can be given again.",
        repeatable=True,
    ),
    Option(
        name="latency",
        unit=DURATION,
        default="0s",
        help="How long to wait before the response head.",
    ),
    Option(
        name="tokens_per_second",
        unit=NUMBER,
        default="0",
        help="The pace of an answer; 0 is as fast as possible.",
    ),
    Option(
        name="tokens",
        unit=COUNT,
        default="16",
        help="The length of an answer.",
    ),
    Option(
        name="seed",
        unit=COUNT,
        default=None,
        help="Makes the failures repeatable.",
    ),
)

DEMO = (
    Option(
        name="seconds",
        unit=SPAN,
        default="20s",
        help="How long to play.",
    ),
)

BREAKER = (
    Option(
        name="url",
        unit=BASE_URL,
        default="http://127.0.0.1:4002",
        help="The bridge's admin listener.",
        variables=("AIBRIDGE_ADMIN_URL",),
    ),
    Option(
        name="token",
        unit=SECRET,
        default=None,
        help="The token that the admin listener asks for.",
        variables=("AIBRIDGE_ADMIN_TOKEN",),
        private=True,
    ),
)

TOP = (
    *BREAKER,
    Option(
        name="once",
        unit=BOOLEAN,
        default="false",
        help="Watch for one interval, print a frame and end.",
    ),
    Option(
        name="json",
        unit=BOOLEAN,
        default="false",
        help="Print the bridge's status instead, one JSON document a line.",
    ),
    Option(
        name="interval",
        unit=SPAN,
        default="1s",
        help="Time between two frames, or two lines of JSON.",
    ),
)

# Read on by the simulation, which knows the names.
_SETTINGS = Unit(str, "NAME=VALUE", "max_concurrency=50")
_POLICIES = Unit(str, "NAME", "none")
_PLAYED, _OWN, _TOLD = "What is played", "Your own numbers", "What is told"

SIMULATE = (
    Option(
        name="policy",
        unit=_POLICIES,
        default="aibridge,none,go-aibridge,litellm",
        help="What stands in front of the provider: one of these or several, side by side. Can be given again.",
        repeatable=True,
        group=_PLAYED,
    ),
    Option(
        name="setting",
        unit=_SETTINGS,
        default=None,
        help="A setting of the bridge, in place of the scenario's; can be given again.",
        repeatable=True,
        group=_PLAYED,
    ),
    Option(
        name="compare",
        unit=_SETTINGS,
        default=None,
        help="Play the bridge with this setting as well, side by side with those given before and after it.",
        repeatable=True,
        group=_PLAYED,
    ),
    Option(
        name="suggest",
        unit=BOOLEAN,
        default="false",
        help="Try a small grid of settings instead, and print the best.",
        group=_PLAYED,
    ),
    Option(
        name="seed",
        unit=COUNT,
        default="1",
        help="Decides all that is left to chance: the same seed, the same result.",
        group=_PLAYED,
    ),
    Option(
        name="callers",
        unit=POSITIVE,
        default=None,
        help="How many callers there are, in place of the scenario's number.",
        group=_OWN,
    ),
    Option(
        name="requests_per_caller",
        unit=NUMBER,
        default=None,
        help="How many answers each of them wants in a minute.",
        group=_OWN,
    ),
    Option(
        name="requests_per_minute",
        unit=COUNT,
        default=None,
        help="The provider's quota of requests for a key; 0 is unlimited.",
        group=_OWN,
    ),
    Option(
        name="tokens_per_minute",
        unit=COUNT,
        default=None,
        help="The provider's quota of tokens for a key; 0 is unlimited.",
        group=_OWN,
    ),
    Option(
        name="duration",
        unit=SPAN,
        default=None,
        help="How much time is simulated.",
        group=_OWN,
    ),
    Option(
        name="json",
        unit=BOOLEAN,
        default="false",
        help="Print one JSON document instead of tables, with the curves.",
        group=_TOLD,
    ),
    Option(
        name="svg",
        unit=FILE,
        default=None,
        help="Draw the curves into this file.",
        group=_TOLD,
    ),
)
