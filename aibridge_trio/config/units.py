"""Units: the kinds of values, each with its parser and its formatter.

A parser takes any text and raises `InvalidValue` only; `parse(show(value))` is the value.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aibridge_trio.config.unit import InvalidValue, Secret, Unit, nearest
from aibridge_trio.core.terms import Rate
from aibridge_trio.printable import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["InvalidValue", "Secret", "Unit", "nearest"]

# Counts and switches. Lengths are bounded, so that no number overflows or takes long to parse.


_MOST_DIGITS = 18


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]+", text):
        raise InvalidValue(f"{quoted(text)} is not a whole number")
    if len(text) > _MOST_DIGITS:
        raise InvalidValue(f"{quoted(text)} is too large")
    return int(text)


def _positive(text: str) -> int:
    if not (count := _count(text)):
        raise InvalidValue("0 is too few")
    return count


MOST_WORKERS = 64


def _workers(text: str) -> int:
    if (count := _positive(text)) > MOST_WORKERS:
        raise InvalidValue(f"{count} are too many", str(MOST_WORKERS))
    return count


def _boolean(text: str) -> bool:
    word = text.lower()
    if word in {"1", "true", "on", "yes"}:
        return True
    if word in {"0", "false", "off", "no"}:
        return False
    raise InvalidValue(f"{quoted(text)} is neither true nor false")


def choice(*words: str) -> Unit[str]:
    """Return the unit whose values are these words."""

    def parse(text: str) -> str:
        if text not in words:
            raise InvalidValue(f"{quoted(text)} is none of {', '.join(words)}", nearest(text.lower(), words))
        return text

    return Unit(parse, "|".join(words), words[0], choices=words)


def several(*words: str) -> Unit[tuple[str, ...]]:
    """Return the unit whose values are sets of these words, separated by commas."""

    def parse(text: str) -> tuple[str, ...]:
        found = tuple(item.strip() for item in text.split(",")) if text else ()
        for item in found:
            if item not in words:
                raise InvalidValue(f"{quoted(item)} is none of {', '.join(words)}", nearest(item.lower(), words))
        return tuple(word for word in words if word in found)

    return Unit(parse, "NAME,...", ",".join(words[:2]), ",".join, toml=list, choices=words)


def _model_names(text: str) -> tuple[str, ...]:
    names = tuple(item.strip() for item in text.split(",")) if text else ()
    for name in names:
        if not re.fullmatch(r"[!-)+-~]{1,255}\*?", name):
            raise InvalidValue(f"{quoted(name)} is neither a model name nor a prefix that ends in *")
    if len(set(names)) < len(names):
        raise InvalidValue("a name is given twice")
    return names


def _number(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text):
        raise InvalidValue(f"{quoted(text)} is not a number")
    return float(text)


_PERCENT = 100
# From here on a number without the sign was surely meant in percent.
_SURELY_PERCENT = 2


def _share(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(%?)", text)
    if not match:
        raise InvalidValue(f"{quoted(text)} is not a share, such as 0.5 or 50%")
    share = Decimal(match[1]) / (_PERCENT if match[2] else 1)
    if share > 1:
        percent = f"{text}%" if _SURELY_PERCENT <= share <= _PERCENT and not match[2] else None
        raise InvalidValue(f"{quoted(text)} is more than 1, which is all", percent)
    return float(share)


def _show_share(share: float) -> str:
    """Return `50%`; nothing at all is `0`."""
    return f"{(Decimal(repr(share)) * _PERCENT).normalize():f}%" if share else "0"


def _failures(text: str) -> tuple[tuple[int, float], ...]:
    failures = tuple(_failure(item.strip()) for item in text.split(",")) if text else ()
    if math.fsum(probability for _, probability in failures) > 1:
        raise InvalidValue("the probabilities add up to more than 1")
    return failures


def _failure(text: str) -> tuple[int, float]:
    if not (match := re.fullmatch(r"([45][0-9]{2}):([0-9.]+)", text)):
        raise InvalidValue(f"{quoted(text)} is not STATUS:PROBABILITY with a status of 400 to 599")
    return int(match[1]), _number(match[2])


# Durations and sizes: a number and a unit. Decimal, because 0.1 ms has no exact float.

_MOST_DECIMALS = 6
_SECONDS = {"h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("0.001")}
_BYTES = {"GiB": Decimal(1 << 30), "MiB": Decimal(1 << 20), "KiB": Decimal(1 << 10), "B": Decimal(1)}


def _amount(text: str, factors: dict[str, Decimal], what: str, usual: str) -> Decimal:
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)([A-Za-z]*)", text)
    if match and match[2] in factors:
        return Decimal(match[1]) * factors[match[2]]
    if match and not match[2]:
        raise InvalidValue(f"{quoted(text)} has no unit ({', '.join(reversed(factors))})", text + usual)
    raise InvalidValue(f"{quoted(text)} is not a {what}")


# Compound durations, from the largest unit down, as `aibridge top` shows them: 1m30s, 2h05m, 1s500ms.
_COMPOUND = re.compile(r"(?:[0-9]{1,15}h)?(?:[0-9]{1,15}m(?!s))?(?:[0-9]{1,15}s)?(?:[0-9]{1,15}ms)?")
_PART = re.compile(r"([0-9]+)(h|ms|m|s)")


def _duration(text: str) -> float:
    if _COMPOUND.fullmatch(text) and text:
        return float(sum(Decimal(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))
    match = re.fullmatch(r"((?:[0-9]{1,15}h)?(?:[0-9]{1,15}m)?)([0-9]{1,15}\.[0-9]{1,6}s)", text)
    if match and match[1]:  # 1m05.5s
        return _duration(match[1]) + float(_amount(match[2], _SECONDS, "duration", "s"))
    return float(_amount(text, _SECONDS, "duration", "s"))


def _span(text: str) -> float:
    if not text.strip("0.") or not (seconds := _duration(text)):
        raise InvalidValue(f"{quoted(text)} is too short")
    return seconds


def _timeout(text: str) -> float:
    return _duration(text) or math.inf


def _size(text: str) -> int:
    size = _amount(text, _BYTES, "size", "MiB")
    if size < 1 or size % 1:
        raise InvalidValue(f"{quoted(text)} is not a whole number of bytes, 1 or more")
    return int(size)


def _in_largest(amount: Decimal, factors: dict[str, Decimal]) -> str | None:
    """Return the amount in the largest unit that gives a whole number, None if no unit does."""
    for unit, factor in factors.items():
        if amount and not amount % factor:
            return f"{int(amount / factor)}{unit}"
    return None


def show_duration(seconds: float) -> str:
    """Return `10s`, `5m`, `1.5s`, `250ms`; zero and an infinite timeout (off) are `0s`."""
    if not seconds or math.isinf(seconds):
        return "0s"
    exact = Decimal(f"{seconds:.9f}").normalize()
    if exact > 1 and exact % 1 and exact == round(exact, _MOST_DECIMALS):
        return f"{exact:f}s"
    return _in_largest(exact, _SECONDS) or f"{(exact * 1000).normalize():f}ms"


def show_size(size: int) -> str:
    """Return `32MiB`, `1000B`."""
    return _in_largest(Decimal(size), _BYTES) or f"{size}B"


# Rates: an amount, and the span of time in which it is allowed.

_SPANS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def _rate(text: str) -> Rate | None:
    match = re.fullmatch(r"([^/]*)(?:/([smh]))?", text)
    if not match:
        raise InvalidValue(f"{quoted(text)} is not a rate, such as 10/s, 200000/m or 5000/h")
    amount = _count(match[1])
    return Rate(amount, _SPANS[match[2] or "s"]) if amount else None


def _show_rate(rate: Rate | None) -> str:
    if rate is None:
        return "0"
    return f"{rate.amount}/{next(unit for unit, span in _SPANS.items() if span == rate.span)}"


# Files and secrets.


def _mode(text: str) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise InvalidValue(f"{quoted(text)} is not a file's permissions in octal")
    return int(text, 8)


def _file(text: str) -> Path:
    if not text or "\0" in text:
        raise InvalidValue(f"{quoted(text)} is not the name of a file")
    return Path(text)


def _header_value(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,256}", text):
        raise InvalidValue(f"{quoted(text)} is not a word of visible ASCII")
    return text


def _secret(text: str) -> Secret:
    if not (value := text.strip()):
        raise InvalidValue("the secret is empty")
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'`":
        raise InvalidValue("the secret is in quotes, which would be sent with it")
    if not re.fullmatch(r"[!-~]+", value):
        raise InvalidValue("the secret has characters other than visible ASCII")
    return Secret(value)


def _show_failures(failures: Iterable[tuple[int, float]]) -> str:
    return ",".join(f"{status}:{probability}" for status, probability in failures)


def show_secret(secret: Secret) -> str:
    """Return the masked text of a secret."""
    return secret.shown


COUNT = Unit(_count, "N", "10", toml=int)
POSITIVE = Unit(_positive, "N", "5", toml=int)
WORKERS = Unit(_workers, "N", "2", toml=int)
BOOLEAN = Unit(_boolean, "", "true", lambda value: str(value).lower(), toml=bool)
RATE = Unit(_rate, "RATE", "200000/m", _show_rate)
NUMBER = Unit(_number, "X", "50")
SHARE = Unit(_share, "SHARE", "50%", _show_share)
FAILURES = Unit(_failures, "STATUS:PROBABILITY", "503:0.1", _show_failures)
DURATION = Unit(_duration, "D", "5s", show_duration)
SPAN = Unit(_span, "D", "10s", show_duration)
TIMEOUT = Unit(_timeout, "D", "30s", show_duration)
SIZE = Unit(_size, "SIZE", "32MiB", show_size)
MODELS = Unit(_model_names, "NAME,...", "claude-opus-*,gpt-5", ",".join, toml=list)
TEXT: Unit[Any] = Unit(str, "TEXT", "localhost,.internal")
MODE = Unit(_mode, "MODE", "0660", "{:04o}".format)
FILE = Unit(_file, "FILE", "/etc/aibridge/file")
HEADER_VALUE = Unit(_header_value, "ID", "org-0123456789")
SECRET = Unit(_secret, "SECRET", "...", show_secret)
