"""Providers of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aibridge_trio.config.loader import load
from aibridge_trio.config.provider_tables import ProviderTable, effective
from aibridge_trio.config.tables.providers import variables
from aibridge_trio.core.terms import Rate
from aibridge_trio.errors import UsageError
from tests.config.tables.support import document

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "a.toml"


def read(toml: Path, text: str, environ: dict[str, str] | None = None, **flags: str) -> dict[str, ProviderTable]:
    """Return the providers in force, by name."""
    toml.write_text(text)
    return {table.name: table for table in effective(load({"config": str(toml), **flags}, environ or {}).settings)}


def error(toml: Path, text: str, environ: dict[str, str] | None = None, **flags: str) -> str:
    """Return the error, without the file's name."""
    with pytest.raises(UsageError) as found:
        read(toml, text, environ, **flags)
    assert "canary" not in str(found.value)
    return str(found.value).removeprefix(f"{toml}:")


AZURE = '[providers.azure]\ndialect = "openai"\nbase_url = "https://x.example/openai/v1"\n'


def test_a_provider_with_all_its_keys(toml: Path, tmp_path: Path) -> None:
    """Each in its place."""
    key = tmp_path / "azure-key"
    key.write_text("sk-1\n")
    tables = read(
        toml,
        AZURE
        + f"""
        keys = [{{ file = "{key}", weight = 3, rate_limit = "100/m" }}, {{ env = "AZURE", token_rate_limit = 9 }}]
        key_header = "API-Key"
        key_choice = "least-used"
        headers = {{ X-Team = "research and more" }}
        forward_caller_keys = true
        max_concurrency = 30
        rate_limit = 10
        token_rate_limit = "200000/m"
        """,
        {"AZURE": "sk-2"},
    )
    assert list(tables) == ["openai", "anthropic", "copilot", "azure"]
    azure = tables["azure"]
    first, second = azure.keys
    assert (first.label, first.secret.reveal(), first.file, first.weight) == ("azure-key", "sk-1", key, 3)
    assert (first.rate, first.token_rate) == (Rate(100, 60), None)
    assert (second.label, second.secret.reveal(), second.file, second.weight) == ("AZURE", "sk-2", None, 1)
    assert second.token_rate == Rate(9)
    assert azure.key_header == "api-key"
    assert azure.key_choice == "least-used"
    assert azure.headers == (("x-team", "research and more"),)
    assert (azure.forward_caller_keys, azure.max_concurrency) == (True, 30)
    assert (azure.rate, azure.token_rate) == (Rate(10), Rate(200_000, 60))
    assert not azure.keyless


def test_files_of_one_name_have_their_paths_as_labels(toml: Path, tmp_path: Path) -> None:
    """So that logs tell keys apart."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "key").write_text("sk-1")
    files = ", ".join(f'{{ file = "{tmp_path}/{folder}/key" }}' for folder in ("a", "b"))
    assert [key.label for key in read(toml, f"{AZURE}keys = [{files}]")["azure"].keys] == [
        f"{tmp_path}/a/key",
        f"{tmp_path}/b/key",
    ]


def test_a_provider_without_a_key(toml: Path) -> None:
    """Is not one that takes callers' keys."""
    assert read(toml, f'{AZURE}key = "none"')["azure"].keyless
    assert not read(toml, AZURE)["azure"].keyless


def test_a_built_in_one_has_what_the_options_say(toml: Path) -> None:
    """Unless its table says otherwise."""
    environ = {"OPENAI_API_KEY": "sk-1"}
    text = f"{AZURE}[providers.openai]\nmax_concurrency = 3\n[providers.copilot]\nenabled = false"
    tables = read(toml, text, environ)
    assert list(tables) == ["openai", "anthropic", "azure"]
    openai = tables["openai"]
    assert (openai.dialect, openai.base_url, openai.max_concurrency) == ("openai", "https://api.openai.com/v1", 3)
    assert [(key.label, key.secret.reveal()) for key in openai.keys] == [("OPENAI_API_KEY", "sk-1")]
    tables = read(
        toml, '[providers.openai]\nbase_url = "https://eu.example/v1"\nkey_env = "OPENAI_API_KEY"', environ
    )
    assert tables["openai"].base_url == "https://eu.example/v1"
    assert tables["openai"].keys[0].secret.reveal() == "sk-1"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '[providers.openai]\nbase_url = "https://eu.example/v1"',
            "2:1: [providers.openai] base_url: --openai-base-url is set too; keep one of them",
        ),
        (
            '[providers.openai]\nkey = "none"',
            "2:1: [providers.openai] key: OPENAI_API_KEY is set too; unset it, or remove this key",
        ),
    ],
)
def test_nothing_is_said_in_two_places(text: str, line: str, toml: Path) -> None:
    """A table beside an option that says the same thing would win or lose silently."""
    flags = {"openai_base_url": "https://other.example/v1"}
    assert error(toml, text, {"OPENAI_API_KEY": "sk-canary"}, **flags) == line


def test_tables_leave_to_options_what_they_do_not_say(toml: Path) -> None:
    """Limits and whose key goes up: None is not 0 or false."""
    azure = read(toml, AZURE)["azure"]
    assert (azure.max_concurrency, azure.forward_caller_keys) == (None, None)
    azure = read(toml, f"{AZURE}max_concurrency = 0\nforward_caller_keys = false")["azure"]
    assert (azure.max_concurrency, azure.forward_caller_keys) == (0, False)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '[providers.openai]\ndialect = "anthropic"',
            "2:1: [providers.openai] dialect: openai speaks openai; choose another name",
        ),
        (
            f'{AZURE}key_file = "sk-canary"',
            (
                "4:1: [providers.azure] key_file: the file cannot be read: No such file or directory; "
                "name a file that holds only the key"
            ),
        ),
        (
            f'{AZURE}key_env = "canary"',
            "4:1: [providers.azure] key_env: the variable is not set; set it to the key",
        ),
        (
            f'{AZURE}key_env = "sk-canary"',
            (
                "4:1: [providers.azure] key_env: the text is not the name of a variable; "
                'write e.g. key_env = "AZURE_API_KEY"'
            ),
        ),
        (
            f'{AZURE}keys = [{{ env = "QUOTED" }}]',
            (
                "4:11: [providers.azure] keys[0].env: in the variable the secret is in quotes, "
                "which would be sent with it; set it to the key"
            ),
        ),
        (
            f'{AZURE}keys = [{{ env = "OPENAI_API_KEY" }}, {{ env = "OPENAI_API_KEY" }}]',
            "4:39: [providers.azure] keys[1].env: it is given twice; keep one of them",
        ),
        (
            f'{AZURE}key_header = "api-key"',
            "4:1: [providers.azure] key_header: there is no central key; add key_file or key_env",
        ),
        (
            f'{AZURE}key_header = "Host"',
            "4:1: [providers.azure] key_header: the bridge itself writes this header; name another",
        ),
        (
            f'{AZURE}headers = {{ Authorization = "canary" }}',
            (
                "4:1: [providers.azure] headers: authorization is for the key; "
                "write key_file or key_env, and key_header"
            ),
        ),
        (
            f'{AZURE}headers = {{ X-AIBridge-Hops = "1" }}',
            "4:1: [providers.azure] headers: the bridge itself writes x-aibridge-hops; remove it",
        ),
        (
            f'{AZURE}headers = {{ x-a = "1", X-A = "2" }}',
            "4:1: [providers.azure] headers: x-a is given twice; keep one of them",
        ),
        (
            '[providers.me]\ndialect = "openai"\nbase_url = "http://localhost:4001/openai/v1"',
            (
                "3:1: [providers.me] base_url: it leads to the bridge itself, on 127.0.0.1:4001; "
                "name the provider's URL"
            ),
        ),
        (
            '[providers.copilot]\nkey_env = "OPENAI_API_KEY"',
            (
                "2:1: [providers.copilot] key_env: the copilot dialect has no central key; "
                "remove it: callers' own keys go up"
            ),
        ),
        (
            "".join(f"[providers.{name}]\nenabled = false\n" for name in ("openai", "anthropic", "copilot")),
            "1:2: [providers]: all providers are switched off; leave one on",
        ),
    ],
)
def test_what_a_provider_must_be(text: str, line: str, toml: Path) -> None:
    """Beyond the shape of its table."""
    assert error(toml, text, {"OPENAI_API_KEY": "sk-canary", "QUOTED": "'sk-canary'"}) == line


def test_a_provider_that_is_switched_off_opens_no_file(toml: Path) -> None:
    """Its key may be gone already."""
    assert "azure" not in read(toml, f'{AZURE}enabled = false\nkey_file = "/nonexistent"')


def test_the_file_names_variables(toml: Path) -> None:
    """One that begins like ours is known, then; a document of any shape can be asked."""
    environ = {"AIBRIDGE_AZURE_KEY": "sk-1"}
    assert read(toml, f'{AZURE}key_env = "AIBRIDGE_AZURE_KEY"', environ)["azure"].keys
    assert error(toml, AZURE, environ).startswith("AIBRIDGE_AZURE_KEY: unknown variable; ")
    for text in (
        "providers = 1",
        "[providers]\na = 1",
        "[providers.a]\nkeys = 1\nkey_env = 1",
        "[providers.a]\nkeys = [1]",
    ):
        assert not list(variables(document(text)))
