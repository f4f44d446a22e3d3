"""Kinds: which TOML values a key may have, how they are read, and their JSON Schema.

`read` takes any TOML value and raises `InvalidValue` only. Whatever it takes, the schema accepts. What the schema
accepts, `read` takes, except for texts whose rules no schema can tell: dates that do not exist, hosts of URLs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aibridge_trio.config.addresses import BASE_URL
from aibridge_trio.config.units import BOOLEAN, FILE, RATE, InvalidValue, Unit, nearest
from aibridge_trio.printable import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from aibridge_trio.core.terms import Rate

T = TypeVar("T")
Schema = dict[str, Any]

# The largest integer of a file: as many digits as a flag's number may have.
LARGEST = 10**18 - 1
# Bounds of lists, so that no file makes the work of a request grow.
_MOST_ITEMS = 256


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A kind of TOML value. `example` is a value as TOML; `names` is what its value is called in the docs."""

    read: Callable[[Any], T]
    schema: Mapping[str, Any]
    example: str
    names: str


def _type_name(value: object) -> str:
    for kind, name in _TYPE_NAMES.items():
        if isinstance(value, kind):
            return name
    return "a date or a time"


# In the order of the checks: a boolean is an int, too.
_TYPE_NAMES: dict[type, str] = {
    bool: "a boolean",
    str: "a string",
    int: "an integer",
    float: "a float",
    list: "an array",
    dict: "a table",
}


def typed(value: object, kind: type[T]) -> T:
    """Return the value if it has exactly this type. Raises InvalidValue."""
    if type(value) is not kind:
        raise InvalidValue(f"{_type_name(value)} is given where {_TYPE_NAMES[kind]} is expected")
    return value


def text(pattern: str, what: str, example: str, names: str, *, secret: bool = False) -> Kind[str]:
    """Return the kind of strings that match a pattern, whole; `what` ends the sentence that one does not.

    An error does not quote a string that may be a `secret`, given by mistake.
    """

    def read(value: object) -> str:
        found = typed(value, str)
        if not re.fullmatch(pattern, found):
            raise InvalidValue(f"{'the text' if secret else quoted(found)} is not {what}")
        return found

    return Kind(read, {"type": "string", "pattern": f"^(?:{pattern})$"}, f'"{example}"', names)


def integer(least: int, most: int, example: int) -> Kind[int]:
    """Return the kind of integers within these bounds."""

    def read(value: object) -> int:
        number = typed(value, int)
        if not least <= number <= most:
            shown = number if abs(number) <= LARGEST else "it"
            raise InvalidValue(
                f"{shown} is less than {least}" if number < least else f"{shown} is more than {most}"
            )
        return number

    return Kind(read, {"type": "integer", "minimum": least, "maximum": most}, str(example), "N")


def words(*known: str) -> Kind[str]:
    """Return the kind whose values are these words."""

    def read(value: object) -> str:
        if (found := typed(value, str)) not in known:
            problem = f"{quoted(found)} is none of {', '.join(known)}"
            raise InvalidValue(problem, nearest(found.lower(), known))
        return found

    return Kind(read, {"enum": list(known)}, f'"{known[0]}"', "|".join(known))


def several(kind: Kind[str], *, most: int = _MOST_ITEMS) -> Kind[tuple[str, ...]]:
    """Return the kind of arrays of strings of another kind: at least one, none twice."""

    def read(value: object) -> tuple[str, ...]:
        found = tuple(kind.read(item) for item in typed(value, list))
        if not found:
            raise InvalidValue("the array is empty")
        if len(found) > most:
            raise InvalidValue(f"it has more than {most} elements")
        if len(set(found)) < len(found):
            raise InvalidValue("an element is given twice")
        return found

    schema = {"type": "array", "items": dict(kind.schema), "minItems": 1, "maxItems": most, "uniqueItems": True}
    return Kind(read, schema, f"[{kind.example}]", f"[{kind.names}, …]")


def _of_unit(unit: Unit[T], pattern: str) -> Kind[T]:
    return Kind(
        lambda value: unit.parse(typed(value, str)),
        {"type": "string", "pattern": pattern},
        f'"{unit.example}"',
        unit.metavar,
    )


# Rates.


def _rate(value: object) -> Rate | None:
    if type(value) is int:
        return RATE.parse(str(COUNT.read(value)))
    if not isinstance(value, str):
        raise InvalidValue(f"{_type_name(value)} is given where a rate is expected")
    return RATE.parse(value)


# Tokens' hashes.

_HASH = text(r"[0-9A-Fa-f]{64}", "the SHA-256 of a token: 64 hexadecimal digits", "0" * 64, "SHA256", secret=True)
_HASHES = several(_HASH, most=16)


def _hashes(value: object) -> tuple[str, ...]:
    found = _HASHES.read(value) if isinstance(value, list) else (_HASH.read(value),)
    return tuple(each.lower() for each in found)


# Dates. TOML's own have no type in JSON Schema: editors show them as strings.


def _date(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise InvalidValue(f"there is no day {value}") from None
    shown = quoted(value) if isinstance(value, str) else _type_name(value)
    raise InvalidValue(f"{shown} is not a date, such as 2027-03-31")


# Headers that go up with every request of a provider.

_HEADER_NAME = r"[A-Za-z0-9-]{1,64}"
_HEADER_VALUE = r"[!-~](?:[ -~]{0,1022}[!-~])?"
_MOST_HEADERS = 32


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    found = typed(value, dict)
    if len(found) > _MOST_HEADERS:
        raise InvalidValue(f"it has more than {_MOST_HEADERS} headers")
    for name, held in found.items():
        if not re.fullmatch(_HEADER_NAME, name):
            raise InvalidValue(f"{quoted(name)} is not the name of a header")
        # The value is not quoted: it may be a secret, given by mistake.
        if not isinstance(held, str) or not re.fullmatch(_HEADER_VALUE, held):
            raise InvalidValue(f"the value of {name} is not a line of visible ASCII")
    return tuple((name.lower(), held) for name, held in found.items())


# The texts that name things. Classes and providers are labels of metrics; `none` and `other` are taken there.

_LABEL = r"(?!(?:none|other)$)[a-z][a-z0-9-]{0,31}"
_LABELS = "lower-case letters, digits and -, at most 32, from a letter on; none and other are taken"

CALLER_NAME = text(
    r"(?!aib_[A-Za-z0-9]{49}$)[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}",
    "a name: letters, digits, . _ @ + -, at most 64, from a letter or digit on",
    "dev-07",
    "NAME",
)
CLASS_NAME = text(_LABEL, f"a class's name: {_LABELS}", "people", "NAME")
PROVIDER_NAME = text(rf"(?!v1$){_LABEL}", f"a provider's name: {_LABELS}, and so is v1", "azure", "NAME")
CERTIFICATE_NAME = text(
    r"[^\x00-\x1f\x7f]{1,253}", "a name in a certificate, at most 253 characters", "dev-07.example", "NAME"
)
MODEL = text(
    r"[!-)+-~]{1,255}|[!-)+-~]{0,255}\*",
    "a model's name or a prefix that ends in *",
    "claude-*",
    "MODEL",
)
VARIABLE = text(
    r"[A-Za-z_][A-Za-z0-9_]{0,127}", "the name of a variable", "AZURE_API_KEY", "VARIABLE", secret=True
)
HEADER_NAME = text(_HEADER_NAME, "the name of a header", "api-key", "HEADER", secret=True)

COUNT = integer(0, LARGEST, 8)
POSITIVE = integer(1, LARGEST, 50_000_000)
WEIGHT = integer(1, 1000, 3)
SWITCH: Kind[bool] = Kind(lambda value: typed(value, bool), {"type": "boolean"}, BOOLEAN.example, "true|false")
RATE_OF: Kind[Rate | None] = Kind(
    _rate,
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": LARGEST},
            {"type": "string", "pattern": "^[0-9]{1,18}(?:/[smh])?$"},
        ]
    },
    f'"{RATE.example}"',
    "N|RATE",
)
MODELS = several(MODEL)
PROVIDERS = several(PROVIDER_NAME, most=64)
HASHES: Kind[tuple[str, ...]] = Kind(
    _hashes, {"anyOf": [dict(_HASH.schema), dict(_HASHES.schema)]}, '"…"', "SHA256|[SHA256, …]"
)
DATE: Kind[date] = Kind(
    _date, {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}, "2027-03-31", "DATE"
)
FILE_NAME: Kind[Path] = _of_unit(FILE, "^[^\\x00]+$")
URL: Kind[str] = _of_unit(BASE_URL, r"^[Hh][Tt][Tt][Pp][Ss]?://[!-\"$-<>A-\[\]-~=]*$")
HEADERS: Kind[tuple[tuple[str, str], ...]] = Kind(
    _headers,
    {
        "type": "object",
        "maxProperties": _MOST_HEADERS,
        "propertyNames": {"pattern": f"^{_HEADER_NAME}$"},
        "additionalProperties": {"type": "string", "pattern": f"^{_HEADER_VALUE}$"},
    },
    '{ x-team = "research" }',
    "{ NAME = VALUE, … }",
)
