"""The options of the commands beside `serve`: what to try things with, and what operates a running bridge."""

from __future__ import annotations

from aibridge_trio.addresses import ADDRESS, BASE_URL
from aibridge_trio.settings import CONFIG, OPTIONS, Option
from aibridge_trio.units import BOOLEAN, COUNT, DURATION, FAILURES, NUMBER, SECRET, SPAN

SERVE = CHECK = (CONFIG, *OPTIONS)

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
