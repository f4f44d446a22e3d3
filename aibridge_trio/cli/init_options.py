"""The options of `aibridge init`: each is an answer to one of its questions."""

from __future__ import annotations

from typing import Any

from aibridge_trio.config.addresses import BASE_URL, BINDS
from aibridge_trio.config.option import Option
from aibridge_trio.config.tables.kinds import PROVIDER_NAME
from aibridge_trio.config.units import BOOLEAN, COUNT, FILE, InvalidValue, Unit
from aibridge_trio.printable import quoted

Pairs = tuple[tuple[str, str], ...]

_ANSWERS, _OUTPUT = "Answers", "Output"


def _pairs(text: str, unit: Unit[Any], form: str) -> Pairs:
    found = []
    for item in (each.strip() for each in text.split(",")) if text else ():
        name, equals, value = item.partition("=")
        if not equals:
            raise InvalidValue(f"{quoted(item)} is not {form}")
        found.append((PROVIDER_NAME.read(name), str(unit.parse(value))))
    if len({name for name, _ in found}) < len(found):
        raise InvalidValue("a name is given twice")
    return tuple(found)


def _show(pairs: Pairs) -> str:
    return ",".join(f"{name}={value}" for name, value in pairs)


_URLS = Unit(
    lambda text: _pairs(text, BASE_URL, "NAME=URL"),
    "NAME=URL",
    "azure=https://x.example/v1",
    _show,
)
_FILES = Unit(lambda text: _pairs(text, FILE, "NAME=FILE"), "NAME=FILE", "azure=/etc/aibridge/azure.key", _show)

INIT = (
    Option(
        name="output",
        unit=FILE,
        default="aibridge.toml",
        help="File to write.",
        group=_OUTPUT,
    ),
    Option(
        name="force",
        unit=BOOLEAN,
        default="false",
        help="Replace the file if it exists.",
        group=_OUTPUT,
    ),
    Option(
        name="bind",
        unit=BINDS,
        default="127.0.0.1:4001",
        help="Address for callers.",
        repeatable=True,
        group=_ANSWERS,
    ),
    Option(
        name="openai_key_file",
        unit=FILE,
        default=None,
        help="File that holds the central key for OpenAI.",
        group=_ANSWERS,
    ),
    Option(
        name="anthropic_key_file",
        unit=FILE,
        default=None,
        help="File that holds the central key for Anthropic.",
        group=_ANSWERS,
    ),
    Option(
        name="provider",
        unit=_URLS,
        default="",
        help="Another provider with OpenAI's API: its name and its base URL. Can be given again.",
        repeatable=True,
        group=_ANSWERS,
    ),
    Option(
        name="provider_key_file",
        unit=_FILES,
        default="",
        help="File that holds the central key for such a provider. Can be given again.",
        repeatable=True,
        group=_ANSWERS,
    ),
    Option(
        name="callers_file",
        unit=FILE,
        default=None,
        help="File with the callers that are known; it is written, too, if it does not exist.",
        group=_ANSWERS,
    ),
    Option(
        name="adaptive",
        unit=BOOLEAN,
        default="false",
        help="Learn how much each provider takes; hold requests instead of rejecting them.",
        group=_ANSWERS,
    ),
    Option(
        name="max_concurrency",
        unit=COUNT,
        default="0",
        help="Maximum requests in flight; 0 is unlimited.",
        group=_ANSWERS,
    ),
    Option(
        name="rate_limit",
        unit=COUNT,
        default="0",
        help="Maximum requests per second of one caller; 0 is unlimited.",
        group=_ANSWERS,
    ),
)
