"""What settings must meet together before the bridge starts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from aibridge_trio.config.loader import load
from aibridge_trio.config.protections import is_on
from aibridge_trio.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def mistake(flags: dict[str, Any], environ: dict[str, str] | None = None) -> str:
    """Return the one line of the error that this configuration raises."""
    with pytest.raises(UsageError) as caught:
        load(flags, environ or {})
    line = str(caught.value)
    assert line.isprintable()
    return line


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            {"circuit_breaker_scope": "model"},
            "--circuit-breaker-scope: no model is named; add --circuit-breaker-models",
        ),
        (
            {"circuit_breaker_models": "gpt-5"},
            "--circuit-breaker-models: the scope is provider; add --",
        ),
        ({"queue_size": "9"}, "--queue-size: there is no limit to wait for; add --max-concurrency N"),
        ({"shadow": "rate,concurency"}, '--shadow: "concurency" is none of '),
        ({"circuit_breaker_models": "a,a"}, "--circuit-breaker-models: a name is given twice"),
        ({"circuit_breaker_models": "a b"}, '--circuit-breaker-models: "a b" is neither a model'),
    ],
)
def test_an_option_without_effect_is_an_error(flags: dict[str, str], said: str) -> None:
    """An option that needs another one raises without it, and so does an unknown word in a list."""
    with pytest.raises(UsageError, match=re.escape(said)):
        load(flags, {})


@pytest.mark.parametrize(
    "limit",
    ["max_concurrency", "max_concurrency_per_caller", "max_concurrency_per_provider", "rate_limit"],
)
def test_a_queue_needs_one_limit(limit: str) -> None:
    """Each limit alone is enough for a queue."""
    assert load({"queue_size": "9", limit: "1"}, {}).settings.queue_size == 9


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with an authority, two certificates and their keys."""
    directory = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    for name in ("one", "two"):
        issued = authority.issue_cert("localhost")
        issued.private_key_pem.write_to_path(directory / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(directory / f"{name}.pem")
    (directory / "rubbish.pem").write_text("-----BEGIN CERTIFICATE-----\nrubbish")
    return directory


def test_a_certificate_loads_with_its_key(certificates: Path) -> None:
    """A chain with its own key, and an authority, are accepted."""
    one, key, ca = (str(certificates / name) for name in ("one.pem", "one.key", "ca.pem"))
    settings = load({"tls_cert": one, "tls_key": key, "upstream_ca": ca}, {}).settings
    assert str(settings.tls_cert) == one


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"tls_cert": "one.pem"}, "--tls-cert: the certificate has no key; add --tls-key"),
        ({"tls_key": "one.key"}, "--tls-key: the key has no certificate; add --tls-cert"),
        ({"tls_cert": "none", "tls_key": "one.key"}, "--tls-cert: "),
        ({"tls_cert": "one.pem", "tls_key": "none"}, "--tls-key: "),
        ({"tls_cert": "one.pem", "tls_key": "two.key"}, "does not belong to the private key"),
        ({"tls_cert": "rubbish.pem", "tls_key": "one.key"}, "does not load as PEM"),
        ({"tls_cert": ".", "tls_key": "one.key"}, "--tls-cert: "),
        ({"tls_client_ca": "ca.pem"}, "--tls-client-ca: the listener has no TLS; add --tls-cert"),
        ({"tls_client_ca": "rubbish.pem"}, "holds no certificate"),
        ({"upstream_ca": "none"}, "--upstream-ca: "),
        ({"upstream_ca": "rubbish.pem"}, "holds no certificate"),
        ({"upstream_ca": "one.key"}, "holds no certificate"),
    ],
)
def test_certificates_that_do_not_load_are_errors(flags: dict[str, str], said: str, certificates: Path) -> None:
    """A missing certificate or key, an unreadable file and a mismatch raise before the bridge starts."""
    assert said in mistake({name: str(certificates / path) for name, path in flags.items()})


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"])
def test_a_central_key_off_loopback_must_be_allowed(variable: str) -> None:
    """A central key on an exposed listener raises with two remedies, unless --allow-anonymous is given."""
    environ = {variable: "hunter2", "AIBRIDGE_BIND": "[::]:4001"}
    line = mistake({}, environ)
    assert line.startswith("AIBRIDGE_BIND: ")
    assert "--bind 127.0.0.1:4001" in line
    assert "--allow-anonymous" in line
    assert load({"allow_anonymous": True}, environ).settings.warnings()
    assert load({"bind": "localhost:1"}, environ).settings.warnings() == ()


def test_known_callers_make_a_central_key_safe_off_loopback(tmp_path: Path) -> None:
    """Callers without a token get 401; with --allow-anonymous, too, they are served, which is a warning."""
    (tmp_path / "callers.toml").write_text(f'[[callers]]\nname = "a"\ntoken_sha256 = "{"a" * 64}"')
    flags: dict[str, Any] = {"bind": "[::]:4001", "callers_file": str(tmp_path / "callers.toml")}
    environ = {"OPENAI_API_KEY": "hunter2", "ANTHROPIC_API_KEY": "hunter2"}
    assert "--callers-file" in mistake({"bind": "[::]:4001"}, environ)
    assert load(flags, environ).settings.warnings() == ()
    [line] = load({**flags, "allow_anonymous": True}, environ).settings.warnings()
    assert line.startswith("--allow-anonymous: any client that can connect to [::]:4001 uses the central key")
    without_key = load({"callers_file": flags["callers_file"], "allow_anonymous": True}, {}).settings
    assert without_key.warnings() == ()


@pytest.mark.parametrize(
    "table",
    [
        '[[callers]]\nname = "a"\nrate_limit = 5',
        '[[callers]]\nname = "a"\nmax_concurrency = 5',
        "[classes.ci]\ntotal_max_concurrency = 5",
        "[providers.openai]\nmax_concurrency = 5",
    ],
)
def test_a_limit_in_a_table_is_one_for_the_queue(table: str, tmp_path: Path) -> None:
    """And one to put in shadow."""
    (tmp_path / "a.toml").write_text(table)
    settings = load({"config": str(tmp_path / "a.toml"), "queue_size": "9"}, {}).settings
    names = {"rate", "concurrency-per-caller", "concurrency-per-provider"}
    assert [name for name in names if is_on(settings, name)]


def test_every_address_is_checked_and_a_unix_socket_is_local() -> None:
    """One exposed address among several is enough for the error; unix sockets and loopback are not exposed."""
    environ = {"OPENAI_API_KEY": "hunter2"}
    line = mistake({"bind": ["127.0.0.1:1", "unix:/run/b,10.0.0.1:2"]}, environ)
    assert line.startswith("--bind: any client that can connect to 10.0.0.1:2 could use")
    assert "--bind 127.0.0.1:2" in line
    assert load({"bind": ["127.0.0.1:1", "unix:/run/b"]}, environ).settings.warnings() == ()


def test_the_admin_listener_off_loopback_needs_a_token(tmp_path: Path) -> None:
    """An admin listener that other machines can reach needs a token."""
    line = mistake({"admin_bind": "0.0.0.0:4002"})
    assert line.startswith("--admin-bind: ")
    assert "--admin-token-file" in line
    (tmp_path / "token").write_text("t")
    assert load({"admin_bind": "0.0.0.0:1", "admin_token_file": str(tmp_path / "token")}, {}).settings.admin_token
