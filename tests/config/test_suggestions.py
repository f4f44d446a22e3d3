from __future__ import annotations

import pytest

from aibridge_trio.cli import flags
from aibridge_trio.config.settings import CONFIG, OPTIONS
from aibridge_trio.config.suggestions import _FOREIGN_KEYS, FOREIGN_NAMES, guess, guess_key
from aibridge_trio.config.tables import keys

SERVE = {option.name for option in (CONFIG, *OPTIONS)}
OTHERS = {option.name for option in (*flags.MOCK, *flags.DEMO, *flags.TOP, *flags.SIMULATE)}


@pytest.mark.parametrize(
    ("name", "meant"),
    [("--port", "bind"), ("PORT", "bind"), ("admin-port", "admin_bind"), ("http_proxy", "upstream_proxy")],
)
def test_names_of_other_programs_are_known_in_any_spelling(name: str, meant: str) -> None:
    """Flags, variables and keys are looked up alike: dashes, underscores and case make no difference."""
    assert guess(name, SERVE) == meant


def test_the_known_name_is_returned_as_it_is_spelt() -> None:
    """Names of variables stay in upper case."""
    assert guess("PORT", ["RATE_LIMIT", "BIND"]) == "BIND"


def test_a_client_gets_the_url_for_an_address() -> None:
    """`aibridge top --port` means --url, since `top` connects and does not listen."""
    assert guess("--port", ["url", "once"]) == "url"


@pytest.mark.parametrize("name", ["", "--", "xyzzy"])
def test_a_name_that_is_not_listed_is_not_guessed(name: str) -> None:
    """None for all other names, and for an option that the command does not have."""
    assert guess(name, SERVE) is None
    assert guess("--port", ["seconds"]) is None


@pytest.mark.parametrize(("name", "meant"), FOREIGN_NAMES.items())
def test_every_listed_name_means_an_option_and_is_none_itself(name: str, meant: str) -> None:
    """The table names options that exist, and no name of serve's own is redirected."""
    assert meant in SERVE | OTHERS
    assert name not in SERVE


def test_other_programs_keys_are_keys_here() -> None:
    """Of the table at hand; a name of two meanings has that of the table."""
    shapes = (keys.CLASS, keys.CALLER, keys.PROVIDER, keys.ROUTE)
    names = [{key.name for key in shape.keys} for shape in shapes]
    for meant in _FOREIGN_KEYS.values():
        assert any(set(meant) & known for known in names)
    assert guess_key("api-base", names[2]) == "base_url"
    assert guess_key("provider", names[2]) == "dialect"
    assert guess_key("provider", names[3]) == "providers"
    assert guess_key("rpm", names[3]) is None
