from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.cli.flags import BREAKER, DEMO, MOCK, SIMULATE, TOP
from aibridge_trio.config import files
from aibridge_trio.config.document import Document
from aibridge_trio.config.loader import Loaded, load, values
from aibridge_trio.config.settings import CONFIG, OPTIONS, Address, Option, Settings, UnixSocket
from aibridge_trio.errors import UsageError
from tests.config.test_settings import VALUES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FLAGGED = [option for option in OPTIONS if option.flag]
BY_NAME = {option.name: option for option in OPTIONS}


@pytest.fixture
def nothing_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the checks of files and combinations: only where values come from matters."""
    monkeypatch.setattr("aibridge_trio.config.loader.check_requirements", lambda *_: None)
    monkeypatch.setattr(files, "callers", lambda path: Document(str(path)))
    monkeypatch.setattr(files, "secret", lambda path: f"<{path}>")


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], str]:
    """Write a configuration file and give its name."""

    def write(text: str) -> str:
        path = tmp_path / "aibridge.toml"
        path.write_text(text)
        return str(path)

    return write


def toml(option: Option, text: str) -> str:
    """The option as a line of the file."""
    return f"{option.key} = {text}" if option.unit.toml in {int, bool} else f'{option.key} = "{text}"'


def mistake(flags: dict[str, Any] | None = None, environ: dict[str, str] | None = None) -> str:
    """The one line that this configuration is answered with."""
    with pytest.raises(UsageError) as caught:
        load(flags or {}, environ or {})
    line = str(caught.value)
    assert line.isprintable()
    return line


def value_of(loaded: Loaded, name: str) -> tuple[object, str]:
    return getattr(loaded.settings, name), str(loaded.origins[name])


# Where values come from.


def test_nothing_gives_the_defaults() -> None:
    """Without flags, environment and file the settings are the defaults, and said to be."""
    loaded = load({}, {})
    assert loaded.settings == Settings()
    assert {str(origin) for origin in loaded.origins.values()} == {"default"}
    assert set(loaded.origins) == {"config", *VALUES}


@pytest.mark.usefixtures("nothing_checked")
@pytest.mark.parametrize("option", FLAGGED, ids=lambda option: option.name)
def test_every_option_has_a_flag(option: Option) -> None:
    """A flag sets its option and is named as the origin."""
    text, value = VALUES[option.name]
    raw = bool(value) if option.negative else text
    flag = option.negative if raw is False else option.flag
    assert value_of(load({option.name: raw}, {}), option.name) == (value, f"flag {flag}")


@pytest.mark.usefixtures("nothing_checked")
@pytest.mark.parametrize(
    ("name", "variable"), [(option.name, variable) for option in OPTIONS for variable in option.variables]
)
def test_every_option_has_a_variable(name: str, variable: str) -> None:
    """A variable sets its option and is named as the origin; an empty one is unset."""
    text, value = VALUES[name]
    assert value_of(load({}, {variable: text}), name) == (value, f"environment {variable}")
    assert load({}, {variable: ""}).settings == Settings()


@pytest.mark.usefixtures("nothing_checked")
@pytest.mark.parametrize("option", FLAGGED, ids=lambda option: option.name)
def test_every_option_with_a_flag_has_a_key(option: Option, config: Callable[[str], str]) -> None:
    """A key of the file sets its option, and file and key are named as the origin."""
    text, value = VALUES[option.name]
    path = config(toml(option, text))
    expected = (value, f"{path}:1:1: {option.key}")
    assert value_of(load({"config": path}, {}), option.name) == expected
    assert value_of(load({}, {"AIBRIDGE_CONFIG": path}), option.name) == expected


def test_flag_before_environment_before_file_before_default(config: Callable[[str], str]) -> None:
    """Each source overrides those after it; CODER_ names come after ours and before the file."""
    environ = {"AIBRIDGE_CONFIG": config("rate_limit = 4")}
    assert load({}, environ).settings.rate_limit == 4
    environ["CODER_AIBRIDGE_RATE_LIMIT"] = "3"
    assert load({}, environ).settings.rate_limit == 3
    environ["AIBRIDGE_RATE_LIMIT"] = "2"
    assert load({}, environ).settings.rate_limit == 2
    assert load({"rate_limit": "1"}, environ).settings.rate_limit == 1
    assert load({"rate_limit": None}, environ).settings.rate_limit == 2


def test_a_switch_can_be_switched_off(config: Callable[[str], str]) -> None:
    """--no-x overrides a variable and a file that say yes."""
    environ = {"AIBRIDGE_CONFIG": config("circuit_breaker = true"), "AIBRIDGE_CIRCUIT_BREAKER": "on"}
    assert value_of(load({"circuit_breaker": False}, environ), "circuit_breaker") == (
        False,
        "flag --no-circuit-breaker",
    )


def test_the_flag_for_the_file_comes_before_the_variable(config: Callable[[str], str]) -> None:
    """--config overrides AIBRIDGE_CONFIG."""
    assert load({"config": config("rate_limit = 4")}, {"AIBRIDGE_CONFIG": "/nowhere"}).settings.rate_limit == 4


def test_networks_may_be_an_array(config: Callable[[str], str]) -> None:
    """In the file trusted proxies are one string or an array of strings, perhaps an empty one."""
    path = config('trusted_proxies = ["10.0.0.0/8", "::1"]')
    assert load({"config": path}, {}).settings.trusted_proxies == VALUES["trusted_proxies"][1]
    assert load({"config": config("trusted_proxies = []")}, {}).settings.trusted_proxies == ()


def test_an_explicit_proxy_leaves_the_environments_unread() -> None:
    """With an upstream proxy set, HTTPS_PROXY is not in force, so it can't be a mistake either."""
    loaded = load({"upstream_proxy": "http://p:1"}, {"HTTPS_PROXY": "socks5://x", "NO_PROXY": "*"})
    assert value_of(loaded, "https_proxy") == (None, "default")
    assert mistake({}, {"HTTPS_PROXY": "socks5://hunter2"}).startswith("HTTPS_PROXY: ")


# Unknown names.


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("AIBRIDGE_RATELIMIT", "AIBRIDGE_RATE_LIMIT"),
        ("AIBRIDGE_CONFG", "AIBRIDGE_CONFIG"),
        ("AIBRIDGE_OPENAI_API_KEY", "OPENAI_API_KEY"),
        ("AIBRIDGE_OPENAI_API_KEY_FILE", "OPENAI_API_KEY_FILE"),
        ("AIBRIDGE_ADMIN_URI", "AIBRIDGE_ADMIN_URL"),
    ],
)
def test_an_error_about_an_unknown_variable_names_the_one_meant(variable: str, meant: str) -> None:
    """A misspelt variable is a mistake that names it and the one that was probably meant, not its value."""
    assert mistake({}, {variable: "hunter2"}) == f"{variable}: unknown variable; did you mean {meant}?"


@pytest.mark.parametrize(
    "options", [TOP, BREAKER, MOCK, DEMO, SIMULATE], ids=["top", "breaker", "mock", "demo", "simulate"]
)
def test_no_command_passes_over_an_unknown_variable(options: tuple[Option, ...]) -> None:
    """A misspelt AIBRIDGE_ADMIN_URL is an error for every command; the variables of serve are not."""
    with pytest.raises(UsageError) as found:
        values(options, {}, {"AIBRIDGE_ADMIN_URLL": "http://bridge:4002"})
    assert str(found.value) == "AIBRIDGE_ADMIN_URLL: unknown variable; did you mean AIBRIDGE_ADMIN_URL?"
    told = values(options, {}, {"AIBRIDGE_RATE_LIMIT": "7", "AIBRIDGE_SERVICE_HOST": "10.0.0.1"})
    assert told == values(options, {}, {})


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("AIBRIDGE_ADMIN_PORT", "AIBRIDGE_ADMIN_BIND"),
        ("AIBRIDGE_PORT", "AIBRIDGE_BIND"),
        ("AIBRIDGE_HOST", "AIBRIDGE_BIND"),
        ("AIBRIDGE_ADMIN_HOST", "AIBRIDGE_ADMIN_BIND"),
        ("AIBRIDGE_CONFIG_FILE", "AIBRIDGE_CONFIG"),
        ("AIBRIDGE_DEBUG", "AIBRIDGE_LOG_LEVEL"),
    ],
)
def test_names_of_other_programs_are_understood(variable: str, meant: str, config: Callable[[str], str]) -> None:
    """What others call a port is the address here, and not what is spelt most like it."""
    assert mistake({}, {variable: "5"}) == f"{variable}: unknown variable; did you mean {meant}?"
    key, meant = variable.removeprefix("AIBRIDGE_").lower(), meant.removeprefix("AIBRIDGE_").lower()
    if meant != "config":
        path = config(f"{key} = 5")
        assert mistake({"config": path}) == f"{path}:1:1: {key}: unknown key; did you mean {meant}?"


def test_a_variable_like_no_other_is_a_mistake_too() -> None:
    """Every unknown AIBRIDGE_ variable is refused, an empty one too."""
    assert mistake({}, {"AIBRIDGE_XYZZY": ""}) == "AIBRIDGE_XYZZY: unknown variable; unset it"
    assert mistake({}, {"AIBRIDGE_\n\x1b[31m": "1"}).startswith("AIBRIDGE_\\n\\x1b[31m: ")


def test_other_peoples_variables_are_not_ours() -> None:
    """The client's variables, foreign ones and what Kubernetes adds for a service are no mistakes."""
    environ = {
        "AIBRIDGE_ADMIN_URL": "x",
        "AIBRIDGE_ADMIN_TOKEN": "x",
        "CODER_AIBRIDGE_OTHER": "x",
        "MY_AIBRIDGE_X": "x",
        "AIBRIDGE_SERVICE_HOST": "10.0.0.1",
        "AIBRIDGE_SERVICE_PORT": "4001",
        "AIBRIDGE_SERVICE_PORT_HTTP": "4001",
        "AIBRIDGE_PORT": "tcp://10.0.0.1:4001",
        "AIBRIDGE_PORT_4001_TCP": "tcp://10.0.0.1:4001",
        "AIBRIDGE_PORT_4001_TCP_ADDR": "10.0.0.1",
        "AIBRIDGE_ADMIN_SERVICE_HOST": "10.0.0.1",
        "AIBRIDGE_ADMIN_PORT": "tcp://10.0.0.1:4002",
    }
    assert load({}, environ).settings == Settings()
    assert "AIBRIDGE_PORT" in mistake({}, {"AIBRIDGE_PORT": "4001"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ratelimit = 1", "1:1: ratelimit: unknown key; did you mean rate_limit?"),
        ("rate-limit = 1", "1:1: rate-limit: unknown key; did you mean rate_limit?"),
        ("\n xyzzy = 1", "2:2: xyzzy: unknown key; remove it"),
        ("[xyzzy]\na = 1", "1:2: [xyzzy]: unknown table; remove it"),
        ("[rate_limits]\na = 1", "1:2: [rate_limits]: unknown table; did you mean rate_limit?"),
        ('openai_api_key = "hunter2"', "1:1: openai_api_key: unknown key; set OPENAI_API_KEY in the environment"),
        ('"a\\nb" = 1', "1:1: a\\nb: unknown key; remove it"),
    ],
)
def test_an_unknown_key_is_a_mistake(text: str, said: str, config: Callable[[str], str]) -> None:
    """A key or a table that no option has is refused by name, with the one that was probably meant."""
    path = config(text)
    assert mistake({"config": path}) == f"{path}:{said}"


# Values that don't fit.


def test_a_mistake_names_its_place_and_how_to_mend_it(config: Callable[[str], str]) -> None:
    """The same wrong value has a message in the terms of its place."""
    problem = '"ten" is not a whole number'
    assert mistake({"rate_limit": "ten"}) == f"--rate-limit: {problem}; write e.g. --rate-limit 10"
    assert mistake({}, {"AIBRIDGE_RATE_LIMIT": "ten"}) == (
        f"AIBRIDGE_RATE_LIMIT: {problem}; write e.g. AIBRIDGE_RATE_LIMIT=10"
    )
    path = config("rate_limit = -1")
    assert mistake({"config": path}) == (
        f'{path}:1:1: rate_limit: "-1" is not a whole number; write e.g. rate_limit = 10'
    )
    path = config('bind = "x"')
    assert mistake({"config": path}) == (
        f'{path}:1:1: bind: "x" is not HOST:PORT; write e.g. bind = ["127.0.0.1:4001"]'
    )


@pytest.mark.parametrize("option", FLAGGED, ids=lambda option: option.name)
@pytest.mark.parametrize(
    "value", ["1979-05-27", "1.5", "{}", "[1]", "[[]]", "nan", "inf", "0x" + "f" * 9999, "-1", "[{}]"]
)
def test_a_wrong_type_in_the_file_is_a_mistake(option: Option, value: str, config: Callable[[str], str]) -> None:
    """No TOML value but one of the option's own type and unit is taken, and the key is named."""
    path = config(f"{option.key} = {value}")
    assert mistake({"config": path}).startswith(f"{path}:1:1: {option.key}: ")


def test_types_in_the_file_are_not_guessed(config: Callable[[str], str]) -> None:
    """A count in quotes, a boolean in quotes or a number for a boolean is refused, with the right spelling."""
    for text, spelling in (
        ('rate_limit = "10"', "rate_limit = 10"),
        ('circuit_breaker = "true"', "circuit_breaker = true"),
        ("circuit_breaker = 1", "circuit_breaker = true"),
        ("rate_limit = true", "rate_limit = 10"),
        ("trusted_proxies = [1]", 'trusted_proxies = ["10.0.0.0/8"]'),
    ):
        assert mistake({"config": config(text)}).endswith(f"; write e.g. {spelling}")


@given(st.sampled_from([CONFIG, *OPTIONS]), st.text(), st.booleans())
def test_nothing_but_mistakes_leaves(option: Option, text: str, by_flag: bool) -> None:
    """Whatever stands in a flag or a variable, it is loaded or answered with one line that hides secrets."""
    flags = {option.name: text} if by_flag and option.flag and not option.negative else {}
    try:
        loaded = load(flags, {} if flags else {option.all_variables[-1]: text})
    except UsageError as error:
        line = str(error)
    else:
        line = " ".join(" ".join(row) for row in loaded.rows())
    assert line.isprintable()


@given(st.binary())
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Whatever bytes the file holds, they are loaded or answered with a mistake."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        load({"config": str(path)}, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rate_limit", "is not TOML"),
        ("rate_limit = 1\nrate_limit = 2", "is not TOML"),
        ("rate_limit = " + "9" * 5000, "is not TOML"),
        ("a = " + "[" * 100_000, "is nested too deeply"),
        ("#" * (1 << 20) + "#", "is longer than"),
    ],
)
def test_a_file_that_is_no_toml_is_a_mistake(text: str, said: str, config: Callable[[str], str]) -> None:
    """A file that can't be parsed is answered with its name and the reason."""
    path = config(text)
    assert mistake({"config": path}).startswith(f'--config: "{path}" {said}')


@pytest.mark.parametrize("path", ["/nonexistent/x", "/", "/dev/zero", "a\0b", "", "\udcff" * 3, "x" * 5000])
def test_a_file_that_cannot_be_read_is_a_mistake(path: str) -> None:
    """A missing file, a directory, an endless device or an impossible name is refused at its place."""
    assert mistake({"config": path}).startswith("--config: ")


# Secrets.


def test_a_central_key_comes_from_a_file(tmp_path: Path) -> None:
    """OPENAI_API_KEY_FILE names a file whose content, stripped, is the key."""
    path = tmp_path / "key"
    path.write_text("  sk-hunter2\n")
    loaded = load({}, {"OPENAI_API_KEY_FILE": str(path)})
    assert loaded.settings.openai_api_key
    assert loaded.settings.openai_api_key.reveal() == "sk-hunter2"
    assert str(loaded.origins["openai_api_key"]) == "environment OPENAI_API_KEY_FILE"


def test_the_proxys_url_from_a_file(tmp_path: Path) -> None:
    """Its password then stands in no command line; what is malformed in it is not repeated."""
    path = tmp_path / "proxy"
    path.write_text("http://me:hunter2@proxy.test:3128\n")
    loaded = load({}, {"AIBRIDGE_UPSTREAM_PROXY_FILE": str(path)})
    proxy = loaded.settings.upstream_proxy
    assert proxy
    assert (proxy.reveal(), proxy.file) == ("http://me:hunter2@proxy.test:3128", path)
    assert str(loaded.origins["upstream_proxy"]) == "environment AIBRIDGE_UPSTREAM_PROXY_FILE"
    path.write_text("ftp://me:hunter2@proxy.test")
    assert "hunter2" not in mistake({}, {"AIBRIDGE_UPSTREAM_PROXY_FILE": str(path)})


@pytest.mark.parametrize("value", ['"hunter2"', "'hunter2'"])
def test_quotes_around_a_secret_are_a_mistake(value: str, tmp_path: Path) -> None:
    """A shell or an editor left them there; the provider would only say 401."""
    path = tmp_path / "key"
    path.write_text(value)
    for environ in ({"OPENAI_API_KEY": value}, {"OPENAI_API_KEY_FILE": str(path)}):
        line = mistake({}, environ)
        assert "quotes" in line
        assert "hunter2" not in line


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"])
def test_a_central_key_has_one_source(name: str) -> None:
    """Key and key file together are a mistake."""
    line = mistake({}, {name: "hunter2", f"{name}_FILE": "/hunter2"})
    assert line == f"{name}: {name}_FILE is set too; unset one of them"


@pytest.mark.parametrize("content", ["", " \n", "two words", "schlüssel", "\x00", "x" * 20_000])
@pytest.mark.parametrize(
    "variable", ["OPENAI_API_KEY_FILE", "ANTHROPIC_API_KEY_FILE", "AIBRIDGE_ADMIN_TOKEN_FILE"]
)
def test_a_secrets_file_holds_one_visible_ascii_secret(content: str, variable: str, tmp_path: Path) -> None:
    """An empty file, white space, control codes or too much is a mistake, and the content is not repeated."""
    path = tmp_path / "secret"
    path.write_text(content)
    line = mistake({}, {variable: str(path)})
    assert line.startswith(f"{variable}: the file ")
    assert (content.strip() or "\n") not in line


def test_a_secret_in_place_of_its_file_is_not_repeated() -> None:
    """A secret given in place of its file's name is not repeated in the message."""
    assert "hunter2" not in mistake({}, {"OPENAI_API_KEY_FILE": "hunter2"})
    assert "hunter2" not in mistake({"admin_token_file": "hunter2"})


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HTTPS_PROXY", "AIBRIDGE_UPSTREAM_PROXY"])
@pytest.mark.parametrize("value", ["hunter2 hunter2", "hunter2\n\nhunter2", "http://a:hünter2@", "hünter2"])
def test_a_wrong_secret_is_not_repeated(name: str, value: str) -> None:
    """A mistake in a secret names the variable and never quotes."""
    line = mistake({}, {name: value})
    assert line.startswith(f"{name}: ")
    assert "nter2" not in line


def test_rows_show_no_secret(tmp_path: Path) -> None:
    """What is printed for reading masks keys and passwords, and names where they came from."""
    token = tmp_path / "token"
    token.write_text("hunter2-token")
    environ = {
        "OPENAI_API_KEY": "sk-hunter2",
        "https_proxy": "http://u:hunter2@proxy:1",
        "AIBRIDGE_ADMIN_TOKEN_FILE": str(token),
    }
    loaded = load({}, environ)
    rows = list(loaded.rows())
    assert "hunter2" not in f"{rows} {loaded}"
    assert ("OPENAI_API_KEY", "***", "environment OPENAI_API_KEY") in rows
    assert ("HTTPS_PROXY", "http://***@proxy:1", "environment https_proxy") in rows
    assert loaded.settings.admin_token
    assert loaded.settings.admin_token.reveal() == "hunter2-token"


# Lists, modes and the process environment.


def test_several_addresses_from_flag_variable_and_file(config: Callable[[str], str]) -> None:
    """The flag repeats and takes commas; the variable takes commas; the file an array or commas."""
    expected = (Address("127.0.0.1", 1), UnixSocket("/run/b"), Address("::", 2))
    text = "127.0.0.1:1,unix:/run/b,[::]:2"
    array = ", ".join(f'"{each}"' for each in text.split(","))
    for flags, environ in (
        ({"bind": [text]}, {}),
        ({"bind": ["127.0.0.1:1", "unix:/run/b, [::]:2"]}, {}),
        ({}, {"AIBRIDGE_BIND": text}),
        ({"config": config(f"bind = [{array}]")}, {}),
        ({"config": config(f'bind = "{text}"')}, {}),
    ):
        loaded = load(flags, environ)
        assert loaded.settings.bind == expected
        assert ("--bind", text) in [row[:2] for row in loaded.rows()]


def test_the_mode_of_a_socket_is_text_in_the_file(config: Callable[[str], str]) -> None:
    """TOML's integers are decimal: 660 would be taken for something else."""
    assert load({"config": config('bind_mode = "0600"')}, {}).settings.bind_mode == 0o600
    assert "bind_mode" in mistake({"config": config("bind_mode = 660")})


def test_the_process_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the environment that was passed in counts."""
    monkeypatch.setenv("AIBRIDGE_RATE_LIMIT", "9")
    monkeypatch.setenv("HTTPS_PROXY", "http://p")
    assert load({}, {}).settings == Settings()
    assert os.environ["AIBRIDGE_RATE_LIMIT"] == "9"
