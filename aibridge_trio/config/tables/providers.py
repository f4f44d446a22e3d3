"""`[providers.*]`: the providers that the file names, and those that it switches off. Opens key files."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aibridge_trio.config import files
from aibridge_trio.config.loop_check import leads_back
from aibridge_trio.config.provider_tables import BUILT_IN, KeyTable, ProviderTable, built_in
from aibridge_trio.config.tables import shape
from aibridge_trio.config.units import SECRET, InvalidValue, Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aibridge_trio.config import toml_positions
    from aibridge_trio.config.document import Document
    from aibridge_trio.config.origin import Origin
    from aibridge_trio.config.settings import Settings
    from aibridge_trio.config.tables.shape import Values

# Headers that the bridge itself writes.
_OURS = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("accept-encoding", "content-encoding", "content-length", "expect", "host", "x-request-id"),
    }
)
# Headers for keys, whatever the dialect: a key does not belong in the file.
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key", "x-aibridge-token"})
# Dialects whose keys are the callers' only.
_WITHOUT_CENTRAL_KEY = frozenset({"copilot"})


def providers(
    document: Document, settings: Settings, origins: Mapping[str, Origin], environ: Mapping[str, str]
) -> tuple[tuple[ProviderTable, ...], frozenset[str]]:
    """Return the providers of a document, and the names of those that it switches off. Raises UsageError."""
    found: list[ProviderTable] = []
    disabled: set[str] = set()
    for name, values in shape.providers(document, BUILT_IN).items():
        _check(document, name, values, settings, origins)
        if values.get("enabled", True):
            found.append(_provider(document, name, values, settings, environ))
        else:
            disabled.add(name)
    if not found and disabled >= set(BUILT_IN):
        raise document.error(("providers",), "all providers are switched off", "leave one on")
    return tuple(found), frozenset(disabled)


def variables(document: Document) -> Iterator[str]:
    """Yield the variables that hold keys, as far as the document has the right shape."""
    tables = document.values.get("providers")
    for table in tables.values() if isinstance(tables, dict) else ():
        if isinstance(table, dict):
            keys = table.get("keys")
            yield from _texts([table.get("key_env")])
            yield from _texts(
                [key.get("env") for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
            )


def _texts(values: list[object]) -> Iterator[str]:
    return (value for value in values if isinstance(value, str))


def _provider(
    document: Document, name: str, values: Values, settings: Settings, environ: Mapping[str, str]
) -> ProviderTable:
    usual = built_in(name, settings) if name in BUILT_IN else None
    keys = tuple(_keys(document, name, values, environ))
    table = ProviderTable(
        name=name,
        dialect=values.get("dialect", name),
        base_url=values["base_url"] if "base_url" in values or not usual else usual.base_url,
        keys=_labelled(keys) if keys or "key" in values or not usual else usual.keys,
        keyless="key" in values,
        key_header=values["key_header"].lower() if "key_header" in values else None,
        key_choice=values.get("key_choice", "weighted"),
        headers=values.get("headers", ()),
        forward_caller_keys=values.get("forward_caller_keys"),
        max_concurrency=values.get("max_concurrency"),
        rate=values.get("rate_limit"),
        token_rate=values.get("token_rate_limit"),
    )
    if table.key_header and not table.keys:
        raise document.error(_path(name, "key_header"), "there is no central key", "add key_file or key_env")
    return table


# Keys.


def _keys(document: Document, name: str, values: Values, environ: Mapping[str, str]) -> Iterator[KeyTable]:
    if "key_file" in values:
        yield _from_file(document, _path(name, "key_file"), values["key_file"])
    if "key_env" in values:
        yield _from_variable(document, _path(name, "key_env"), values["key_env"], environ)
    for index, each in enumerate(values.get("keys", [])):
        path = _path(name, "keys", index)
        key = (
            _from_file(document, (*path, "file"), each["file"])
            if "file" in each
            else _from_variable(document, (*path, "env"), each["env"], environ)
        )
        yield replace(
            key, weight=each.get("weight", 1), rate=each.get("rate_limit"), token_rate=each.get("token_rate_limit")
        )


def _from_file(document: Document, path: toml_positions.Path, file: Path) -> KeyTable:
    try:
        return KeyTable(label=str(file), secret=files.secret(file), file=file)
    except InvalidValue as invalid:
        # The path is not quoted: it may be the key itself, given by mistake.
        raise document.error(path, f"the file {invalid}", "name a file that holds only the key") from None


def _from_variable(
    document: Document, path: toml_positions.Path, variable: str, environ: Mapping[str, str]
) -> KeyTable:
    try:
        secret: Secret = SECRET.parse(environ.get(variable, ""))
    except InvalidValue as invalid:
        # The variable is not named: its name may be the key itself, given by mistake.
        problem = f"in the variable {invalid}" if environ.get(variable) else "the variable is not set"
        raise document.error(path, problem, "set it to the key") from None
    return KeyTable(label=variable, secret=secret)


def _labelled(keys: tuple[KeyTable, ...]) -> tuple[KeyTable, ...]:
    """Return the keys with their files' last names as labels, as long as these differ."""
    names = [key.file.name if key.file else key.label for key in keys]
    often = Counter(names)
    return tuple(
        replace(key, label=name) if often[name] == 1 else key for key, name in zip(keys, names, strict=True)
    )


# Checks of a table that its shape cannot tell.


def _check(
    document: Document, name: str, values: Values, settings: Settings, origins: Mapping[str, Origin]
) -> None:
    dialect = values.get("dialect", name)
    if name in BUILT_IN:
        if dialect != name:
            raise document.error(_path(name, "dialect"), f"{name} speaks {name}", "choose another name")
        _refuse_twice(document, name, values, origins)
    central = next((key for key in ("key_file", "key_env", "keys") if key in values), None)
    if central and dialect in _WITHOUT_CENTRAL_KEY:
        problem = f"the {dialect} dialect has no central key"
        raise document.error(_path(name, central), problem, "remove it: callers' own keys go up")
    if "base_url" in values and (own := leads_back(values["base_url"], settings.addresses())):
        problem = f"it leads to the bridge itself, on {own}"
        raise document.error(_path(name, "base_url"), problem, "name the provider's URL")
    if "key_header" in values and values["key_header"].lower() in _OURS:
        raise document.error(_path(name, "key_header"), "the bridge itself writes this header", "name another")
    _check_headers(document, name, values)
    _check_keys(document, name, values)


def _refuse_twice(document: Document, name: str, values: Values, origins: Mapping[str, Origin]) -> None:
    """Require that a built-in provider's base URL and key come from one place."""
    option = origins[f"{name}_base_url"]
    if "base_url" in values and option.kind != "default":
        raise document.error(_path(name, "base_url"), f"{option.place} is set too", "keep one of them")
    key = origins.get(f"{name}_api_key")
    for each in ("key_file", "key_env", "key", "keys"):
        if each in values and key and key.kind != "default" and key.place != values.get("key_env"):
            raise document.error(_path(name, each), f"{key.place} is set too", "unset it, or remove this key")


def _check_headers(document: Document, name: str, values: Values) -> None:
    taken: set[str] = set()
    key_header = values.get("key_header", "").lower()
    for header, _ in values.get("headers", ()):
        path = _path(name, "headers")
        if header in _CREDENTIALS or header == key_header:
            raise document.error(path, f"{header} is for the key", "write key_file or key_env, and key_header")
        if header in _OURS or header.startswith("x-aibridge-"):
            raise document.error(path, f"the bridge itself writes {header}", "remove it")
        if header in taken:
            raise document.error(path, f"{header} is given twice", "keep one of them")
        taken.add(header)


def _check_keys(document: Document, name: str, values: Values) -> None:
    taken: set[str] = set()
    for index, each in enumerate(values.get("keys", [])):
        source = "file" if "file" in each else "env"
        if str(each[source]) in taken:
            raise document.error(_path(name, "keys", index, source), "it is given twice", "keep one of them")
        taken.add(str(each[source]))


def _path(name: str, *keys: str | int) -> toml_positions.Path:
    return ("providers", name, *keys)
