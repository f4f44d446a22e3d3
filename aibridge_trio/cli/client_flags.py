"""The options of the commands that connect to running bridges: `reload`, `breaker`, `explain` and `top`."""

from __future__ import annotations

from aibridge_trio.config.addresses import BASE_URLS
from aibridge_trio.config.settings import Option
from aibridge_trio.config.units import BOOLEAN, SECRET, SPAN, TEXT

RELOAD = (
    Option(
        name="url",
        unit=BASE_URLS,
        default="http://127.0.0.1:4002",
        help="URL of the bridge's admin listener; of several replicas each, or a name with their addresses.",
        variables=("AIBRIDGE_ADMIN_URL",),
        repeatable=True,
    ),
    Option(
        name="token",
        unit=SECRET,
        default=None,
        help="Token that the admin listener requires.",
        variables=("AIBRIDGE_ADMIN_TOKEN",),
        private=True,
    ),
)

BREAKER = (
    *RELOAD,
    Option(
        name="for_",
        unit=SPAN,
        default=None,
        help="How long the override lasts, at most 720h; without it until it is changed.",
    ),
    Option(
        name="reason",
        unit=TEXT,
        default=None,
        help="Why, in one line of at most 200 characters, for the log and the dashboard.",
    ),
)

EXPLAIN = (
    *RELOAD,
    Option(
        name="json",
        unit=BOOLEAN,
        default="false",
        help="Print each request as a JSON document on a line.",
    ),
)

TOP = (
    *RELOAD,
    Option(
        name="once",
        unit=BOOLEAN,
        default="false",
        help="Watch for one interval, print one frame and exit.",
    ),
    Option(
        name="json",
        unit=BOOLEAN,
        default="false",
        help="Print the bridge's status as JSON, one document per line.",
    ),
    Option(
        name="interval",
        unit=SPAN,
        default="1s",
        help="Time between two frames, or two lines of JSON.",
    ),
)
