"""Reads flags, environment and file into `Settings`, with the origin of each value.

Precedence: flag, environment, file, default. Any wrong value raises a `UsageError` that names its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aibridge_trio.config import files
from aibridge_trio.config.document import Document
from aibridge_trio.config.handed_over import NO_SOCKETS, HandedOver
from aibridge_trio.config.loop_check import check_base_urls
from aibridge_trio.config.origin import DEFAULT, Origin
from aibridge_trio.config.requirements import check_requirements
from aibridge_trio.config.settings import CONFIG, OPTIONS, Settings
from aibridge_trio.config.suggestions import guess
from aibridge_trio.config.tables import every as tables
from aibridge_trio.config.units import SECRET, InvalidValue, Secret, nearest
from aibridge_trio.errors import UsageError
from aibridge_trio.printable import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from aibridge_trio.config.settings import Option

# An option's value from the command line: its text, a list for a repeatable flag, or a switch.
Raw = str | list[str] | bool | None
# Variables of the commands that connect to a running bridge; `serve` ignores them.
_CLIENT_VARIABLES = ("AIBRIDGE_ADMIN_URL", "AIBRIDGE_ADMIN_TOKEN")

# Variables that Kubernetes sets in every container for a Service named aibridge or aibridge-something.
_SERVICE_LINK = re.compile(
    r"AIBRIDGE_([A-Z0-9_]+_)?"
    r"(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)=.*"
    r"|AIBRIDGE_([A-Z0-9_]+_)?PORT=(tcp|udp|sctp)://.*",
    re.DOTALL,
)


@dataclass(frozen=True)
class Loaded:
    """The settings in force; `origins` has the origin of each option's value by the option's name.

    `document` is the configuration file, `callers` the file with callers and classes, which may be the same.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    config: Path | None = None
    document: Document = field(default_factory=Document)
    callers: Document = field(default_factory=Document)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield option, value and origin as text, secrets masked."""
        yield CONFIG.label, visible(CONFIG.show(self.config)), str(self.origins[CONFIG.name])
        for option in OPTIONS:
            value = option.show(getattr(self.settings, option.name))
            yield option.label, visible(value), str(self.origins[option.name])


@dataclass(frozen=True)
class _Sources:
    flags: Mapping[str, Raw]
    environ: Mapping[str, str]
    document: Document = field(default_factory=Document)

    def find(self, option: Option) -> tuple[object, Origin]:
        """Return the raw value from the first source that has one, and its origin; None if no source has."""
        if (raw := self.flags.get(option.name)) is not None:
            return raw, Origin("flag", str(option.negative if raw is False else option.flag))
        for variable in option.all_variables:
            if text := self.environ.get(variable):
                return text, Origin("environment", variable)
        if option.key and option.key in self.document.values:
            place = self.document.at((option.key,))
            return self.document.values[option.key], Origin("file", option.key, self.document.name, *place)
        return None, DEFAULT


def load(flags: Mapping[str, Raw], environ: Mapping[str, str], handed_over: HandedOver = NO_SOCKETS) -> Loaded:
    """Return the settings; `flags` has raw values by option name. Opens files only. Raises UsageError.

    The service manager may have handed over listening sockets.
    """
    config, origin = _value(CONFIG, _Sources(flags, environ))
    document = Document()
    if config:
        document = origin.check_file(files.document, config, remedy="name a readable TOML file")
    _refuse_unknown_variables(environ, tables.variables(document))
    _refuse_unknown_keys(document)

    sources = _Sources(flags, environ, document)
    found: dict[str, Any] = {}
    origins = {CONFIG.name: origin}
    for option in OPTIONS:
        if option.name in {"https_proxy", "no_proxy"} and found["upstream_proxy"]:
            origins[option.name] = DEFAULT  # not used, so not validated
        else:
            found[option.name], origins[option.name] = _value(option, sources)
    if token_file := found["admin_token_file"]:
        found["admin_token"] = _secret_from(token_file, origins["admin_token_file"])

    handed_over.apply(found, origins)
    settings, callers = tables.add(Settings(**found), document, origins, environ)
    check_requirements(settings, origins)
    check_base_urls(settings, origins)
    return Loaded(settings, origins, config, document, callers)


def values(options: Iterable[Option], flags: Mapping[str, Raw], environ: Mapping[str, str]) -> dict[str, Any]:
    """The values of options outside `Settings`, which no file holds. Raises UsageError."""
    _refuse_unknown_variables(environ)
    return {option.name: _value(option, _Sources(flags, environ))[0] for option in options}


def _read(option: Option, raw: object, origin: Origin) -> Any:
    try:
        return option.unit.parse(_text(option, raw, origin))
    except InvalidValue as invalid:
        example = origin.assignment(option, invalid.instead or option.example)
        raise origin.usage_error(str(invalid), f"write e.g. {example}") from None


def _value(option: Option, sources: _Sources) -> tuple[Any, Origin]:
    raw, origin = sources.find(option)
    if raw is None:
        return (None if option.default is None else option.unit.parse(option.default)), origin
    if option.secret_file and origin.name == option.secret_file:
        held = _secret_from(Path(str(raw)), origin)
        plain = option.unit is SECRET
        return held if plain else replace(_read(option, held.reveal(), origin), file=held.file), origin
    if option.secret_file and sources.environ.get(option.secret_file):
        raise origin.usage_error(f"{option.secret_file} is set too", "unset one of them")
    value = _read(option, raw, origin)
    if isinstance(value, Secret) and origin.kind == "flag":
        value = replace(value, in_flag=True)
    return value, origin


def _text(option: Option, raw: object, origin: Origin) -> str:
    """Return the raw value as text. A value in the file must have the option's type; a list may be a string."""
    kind, text = type(raw), str(raw) if isinstance(raw, str) else ""
    if isinstance(raw, bool):
        text = str(raw).lower()
    elif isinstance(raw, int):
        # Python refuses to print integers as long as TOML's hexadecimals can be.
        text = str(raw) if raw.bit_length() < _PRINTABLE_BITS else f"{raw:#x}"
    elif isinstance(raw, list) and all(isinstance(item, str) for item in raw):
        text = ",".join(raw)
    elif not isinstance(raw, str):
        kind = type(None)
    wanted = option.unit.toml if origin.kind == "file" else kind
    if kind is not wanted and not (kind is str and wanted is list):
        found = "another array" if isinstance(raw, list) else _TOML_NAMES.get(type(raw), "a date or a time")
        problem = f"{found} is given where {_TOML_NAMES[wanted]} is expected"
        raise origin.usage_error(problem, f"write e.g. {origin.assignment(option, option.example)}")
    return text


_PRINTABLE_BITS = 4096
_TOML_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    list: "an array of strings",
    dict: "a table",
}


# Unknown names.


def _refuse_unknown_variables(environ: Mapping[str, str], named: Iterable[str] = ()) -> None:
    """Raise UsageError for an AIBRIDGE_ variable that neither an option has nor the file names."""
    names = [*_CLIENT_VARIABLES, *(name for option in (CONFIG, *OPTIONS) for name in option.all_variables)]
    # AIBRIDGE_OTEL_SERVICE_NAME and OTEL_SERVICE_NAME are one name here; the last one stays, so the own ones.
    known = {name.removeprefix("AIBRIDGE_"): name for name in reversed(names)}
    for name in sorted({name for name in environ if name.startswith("AIBRIDGE_")} - {*names, *named}):
        if not _SERVICE_LINK.fullmatch(f"{name}={environ[name]}"):
            remedy = _did_you_mean(name.removeprefix("AIBRIDGE_"), known, "unset it")
            raise UsageError(f"{visible(name, 80)}: unknown variable; {remedy}")


def _refuse_unknown_keys(document: Document) -> None:
    known = {option.name: option for option in OPTIONS}
    keys = {option.key: option.key for option in OPTIONS if option.key}
    for key, value in document.values.items():
        if key in keys or key in tables.NAMES:
            continue
        what = "table" if isinstance(value, dict) else "key"
        if key in known:  # a private option
            remedy = f"set {known[key].label} in the environment"
        else:
            near = {**keys, **{name: tables.form(name) for name in tables.NAMES}}
            remedy = _did_you_mean(key, near, "remove it")
        line, column = document.at((key,))
        place = f"[{visible(key, 80)}]" if what == "table" else visible(key, 80)
        raise UsageError(f"{visible(document.name)}:{line}:{column}: {place}: unknown {what}; {remedy}")


def _did_you_mean(name: str, known: Mapping[str, str], otherwise: str) -> str:
    near = guess(name, known) or nearest(name, known)
    return f"did you mean {known[near]}?" if near else otherwise


# Files.


def _secret_from(path: Path, origin: Origin) -> Any:
    try:
        return files.secret(path)
    except InvalidValue as invalid:
        # The path is not quoted: it may be the secret itself, given by mistake.
        raise origin.usage_error(f"the file {invalid}", "name a file that holds only the secret") from None
