"""From flags, environment and file to `Settings`, remembering where each value came from.

Flag before environment before file before default. Everything wrong is a `UsageError` that names its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aibridge_trio.config import files
from aibridge_trio.config.conflicts import clash
from aibridge_trio.config.loop_check import check_base_urls
from aibridge_trio.config.settings import CONFIG, OPTIONS, Address, Settings
from aibridge_trio.config.suggestions import guess
from aibridge_trio.config.units import SECRET, InvalidValue, nearest
from aibridge_trio.errors import UsageError
from aibridge_trio.printable import quoted, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from aibridge_trio.config.settings import Option

# What the command line has of an option: its text, each time it was given, or a switch.
Raw = str | list[str] | bool | None
# The client's variables are none of the bridge's business, but no mistakes either.
_CLIENT_VARIABLES = ("AIBRIDGE_ADMIN_URL", "AIBRIDGE_ADMIN_TOKEN")

# Kubernetes puts these into every container beside a Service called aibridge or aibridge-something.
_SERVICE_LINK = re.compile(
    r"AIBRIDGE_([A-Z0-9_]+_)?"
    r"(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)=.*"
    r"|AIBRIDGE_([A-Z0-9_]+_)?PORT=(tcp|udp|sctp)://.*",
    re.DOTALL,
)


@dataclass(frozen=True)
class Origin:
    """Where a value came from; `name` is the flag, the variable or the key there."""

    kind: Literal["flag", "environment", "file", "default"]
    name: str = ""
    file: str = ""

    def __str__(self) -> str:
        return {"file": self.place, "default": "default"}.get(self.kind) or f"{self.kind} {self.name}"

    @property
    def place(self) -> str:
        """`--flag`, `VARIABLE` or `FILE: key`."""
        return f"{visible(self.file)}: {self.name}" if self.kind == "file" else self.name

    def assignment(self, option: Option, value: str) -> str:
        """How this value would be written at this place."""
        if self.kind == "environment":
            return f"{self.name}={value}"
        if self.kind == "file":
            return f"{self.name} = {_TOML_FORMS.get(option.unit.toml, '{}').format(value)}"
        return f"{option.flag} {value}"

    def usage_error(self, problem: str, remedy: str) -> UsageError:
        """What is wrong here and how to mend it, in one line."""
        return UsageError(f"{self.place}: {problem}; {remedy}")


DEFAULT = Origin("default")


@dataclass(frozen=True)
class Loaded:
    """The settings in force; `origins` says of each option, by name, where its value came from."""

    settings: Settings
    origins: Mapping[str, Origin]
    config: Path | None = None

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Option, value without secrets, origin: for reading."""
        yield CONFIG.label, visible(CONFIG.show(self.config)), str(self.origins[CONFIG.name])
        for option in OPTIONS:
            value = option.show(getattr(self.settings, option.name))
            yield option.label, visible(value), str(self.origins[option.name])


@dataclass(frozen=True)
class _Sources:
    flags: Mapping[str, Raw]
    environ: Mapping[str, str]
    file: str = ""
    table: Mapping[str, Any] = field(default_factory=dict)

    def find(self, option: Option) -> tuple[object, Origin]:
        """What the first source that knows the option has, raw, and where; None if none has."""
        if (raw := self.flags.get(option.name)) is not None:
            return raw, Origin("flag", str(option.negative if raw is False else option.flag))
        for variable in option.all_variables:
            if text := self.environ.get(variable):
                return text, Origin("environment", variable)
        if option.key and option.key in self.table:
            return self.table[option.key], Origin("file", option.key, self.file)
        return None, DEFAULT


def load(flags: Mapping[str, Raw], environ: Mapping[str, str]) -> Loaded:
    """Read every source; `flags` are raw, by option name. Opens files, nothing else. Raises UsageError."""
    _refuse_unknown_variables(environ)
    config, origin = _value(CONFIG, _Sources(flags, environ))
    table = _checked(files.table, config, origin=origin, remedy="name a readable TOML file") if config else {}
    _refuse_unknown_keys(str(config), table)

    sources = _Sources(flags, environ, str(config), table)
    found: dict[str, Any] = {}
    origins = {CONFIG.name: origin}
    for option in OPTIONS:
        if option.name in {"https_proxy", "no_proxy"} and found["upstream_proxy"]:
            origins[option.name] = DEFAULT  # out of force, so not judged either
        else:
            found[option.name], origins[option.name] = _value(option, sources)
    if token_file := found["admin_token_file"]:
        found["admin_token"] = _secret_from(token_file, origins["admin_token_file"])

    settings = Settings(**found)
    _check_certificates(settings, origins)
    _check_exposure(settings, origins)
    _check_company(settings, origins)
    check_base_urls(settings, origins)
    return Loaded(settings, origins, config)


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
    return _read(option, raw, origin), origin


def _text(option: Option, raw: object, origin: Origin) -> str:
    """The raw value as text. In the file its type must be the option's; a list may be one string too."""
    kind, text = type(raw), str(raw) if isinstance(raw, str) else ""
    if isinstance(raw, bool):
        text = str(raw).lower()
    elif isinstance(raw, int):
        # Python refuses to print what TOML's hexadecimals can hold.
        text = str(raw) if raw.bit_length() < _PRINTABLE_BITS else f"{raw:#x}"
    elif isinstance(raw, list) and all(isinstance(item, str) for item in raw):
        text = ",".join(raw)
    elif not isinstance(raw, str):
        kind = type(None)
    wanted = option.unit.toml if origin.kind == "file" else kind
    if kind is not wanted and not (kind is str and wanted is list):
        found = "another array" if isinstance(raw, list) else _TOML_NAMES.get(type(raw), "a date or a time")
        problem = f"{found} stands where {_TOML_NAMES[wanted]} belongs"
        raise origin.usage_error(problem, f"write e.g. {origin.assignment(option, option.example)}")
    return text


_PRINTABLE_BITS = 4096
_TOML_FORMS: dict[type, str] = {str: '"{}"', list: '["{}"]'}
_TOML_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    list: "an array of strings",
    dict: "a table",
}


# Names that nobody knows.


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    known = {name.removeprefix("AIBRIDGE_"): name for name in _CLIENT_VARIABLES}
    for option in (CONFIG, *OPTIONS):
        known |= {name.removeprefix("AIBRIDGE_"): name for name in option.all_variables}
    for name in sorted({name for name in environ if name.startswith("AIBRIDGE_")} - {*known.values()}):
        if not _SERVICE_LINK.fullmatch(f"{name}={environ[name]}"):
            remedy = _meant(name.removeprefix("AIBRIDGE_"), known, "unset it")
            raise UsageError(f"{visible(name, 80)}: unknown variable; {remedy}")


def _refuse_unknown_keys(file: str, table: Mapping[str, Any]) -> None:
    known = {option.name: option for option in OPTIONS}
    keys = {option.key: option.key for option in OPTIONS if option.key}
    for key, value in table.items():
        if key in keys:
            continue
        what = "table" if isinstance(value, dict) else "key"
        if key in known:  # a private one
            remedy = f"set {known[key].label} in the environment"
        else:
            remedy = _meant(key, keys, "remove it" if what == "key" else "write flat keys, without tables")
        place = f"[{visible(key, 80)}]" if what == "table" else visible(key, 80)
        raise UsageError(f"{visible(file)}: {place}: unknown {what}; {remedy}")


def _meant(name: str, known: Mapping[str, str], otherwise: str) -> str:
    near = guess(name, known) or nearest(name, known)
    return f"did you mean {known[near]}?" if near else otherwise


# Files.


def _checked(check: Callable[..., Any], *paths: Path, origin: Origin, remedy: str) -> Any:
    """What `check` says of these files, its complaint made a UsageError that quotes the first name."""
    try:
        return check(*paths)
    except InvalidValue as invalid:
        raise origin.usage_error(f"{quoted(str(paths[0]), 255)} {invalid}", remedy) from None


def _secret_from(path: Path, origin: Origin) -> Any:
    try:
        return files.secret(path)
    except InvalidValue as invalid:
        # The name isn't quoted: it may be the secret, put in the wrong place.
        raise origin.usage_error(f"the file {invalid}", "name one that holds nothing but the secret") from None


def _check_certificates(settings: Settings, origins: Mapping[str, Origin]) -> None:
    certificate, key, authorities = settings.tls_cert, settings.tls_key, settings.upstream_ca
    for name, path in (("tls_cert", certificate), ("tls_key", key)):
        if path:
            _checked(files.check_readable, path, origin=origins[name], remedy="name a readable PEM file")
    if certificate and key:
        remedy = "name a PEM certificate chain and its own private key, without a passphrase"
        _checked(files.check_chain, certificate, key, origin=origins["tls_cert"], remedy=remedy)
    elif certificate:
        raise origins["tls_cert"].usage_error("the certificate has no key", "add --tls-key FILE")
    elif key:
        raise origins["tls_key"].usage_error("the key has no certificate", "add --tls-cert FILE")
    if authorities:
        remedy = "name a PEM file with certificates"
        _checked(files.check_authorities, authorities, origin=origins["upstream_ca"], remedy=remedy)


# What only shows when options are seen together.


def _check_company(settings: Settings, origins: Mapping[str, Origin]) -> None:
    """Refuse a scope without its models, models without their scope, a queue without a limit to wait for."""
    if settings.circuit_breaker_scope == "model" and not settings.circuit_breaker_models:
        raise origins["circuit_breaker_scope"].usage_error(
            "no model is named", "add --circuit-breaker-models NAME,... or choose another scope"
        )
    if settings.circuit_breaker_models and settings.circuit_breaker_scope != "model":
        raise origins["circuit_breaker_models"].usage_error(
            f"the scope is {settings.circuit_breaker_scope}", "add --circuit-breaker-scope model"
        )
    limits = (
        settings.max_concurrency,
        settings.max_concurrency_per_caller,
        settings.max_concurrency_per_provider,
        settings.rate_limit,
    )
    if settings.queue_size and not any(limits):
        raise origins["queue_size"].usage_error("there is no limit to wait for", "add --max-concurrency N")


def _check_exposure(settings: Settings, origins: Mapping[str, Origin]) -> None:
    admin, exposed = settings.admin_bind, settings.exposed()
    if two := clash(settings):  # the second could not start
        name = "admin_bind" if admin in two and origins["admin_bind"] is not DEFAULT else "bind"
        raise origins[name].usage_error(f"{two[0]} and {two[1]} are one port", "give each listener its own")
    if settings.has_central_key and exposed and not settings.allow_anonymous:
        port = next(bind.port for bind in settings.bind if isinstance(bind, Address) and not bind.is_loopback)
        raise origins["bind"].usage_error(
            f"whoever can connect to {exposed} could use the central key",
            f"listen on loopback (--bind 127.0.0.1:{port}) or permit it (--allow-anonymous)",
        )
    if not admin.is_loopback and not settings.admin_token:
        raise origins["admin_bind"].usage_error(
            f"whoever can connect to {admin} could operate the bridge",
            f"add --admin-token-file FILE or listen on loopback (--admin-bind 127.0.0.1:{admin.port})",
        )
