"""Classes and callers of the file."""

from __future__ import annotations

from datetime import date

import pytest

from aibridge_trio.config.known_callers import KnownCallers
from aibridge_trio.config.settings import Settings
from aibridge_trio.config.tables.callers import known_callers
from aibridge_trio.core.terms import ClassTotals, Rate, Terms, TokenBudget
from tests.config.tables.support import document, error_of
from tests.support.known_callers import fixed_tokens

HASH, OTHER = "a" * 64, "b" * 64
SETTINGS = Settings(max_concurrency_per_caller=5, rate_limit=7)


def read(text: str, settings: Settings = SETTINGS, *, configured: bool = False) -> KnownCallers:
    """Return the callers of a text."""
    return known_callers(document(text), settings, configured=configured)


def test_an_entry_counts_before_its_class_and_that_before_the_options() -> None:
    """Each term by itself; 0 is unlimited also where the options have a limit."""
    found = read(
        """
        [classes.people]
        max_concurrency = 8
        token_rate_limit = "200000/m"
        models = ["gpt-*"]
        budget = { tokens = 1000, per = "week" }
        total_rate_limit = "5000/h"
        [classes.empty]
        [[callers]]
        name = "a"
        class = "people"
        max_concurrency = 3
        models = ["claude-*"]
        [[callers]]
        name = "b"
        class = "people"
        rate_limit = 0
        priority = "low"
        budget = { tokens = 5, per = "day" }
        [[callers]]
        name = "c"
        [[callers]]
        name = "d"
        class = "empty"
        """
    )
    a, b, c, d = (caller.terms for caller in found.callers)
    tokens, week = Rate(200_000, 60), TokenBudget(1000, "week")
    assert a == Terms(max_concurrency=3, rate=Rate(7), token_rate=tokens, models=("claude-*",), budget=week)
    assert b == Terms(
        max_concurrency=8,
        rate=None,
        token_rate=tokens,
        priority="low",
        models=("gpt-*",),
        budget=TokenBudget(5, "day"),
    )
    assert c == d == Terms(max_concurrency=5, rate=Rate(7))
    assert found.totals == {"people": ClassTotals(rate=Rate(5000, 3600))}
    assert found.classes == ("people", "empty")
    assert [caller.class_name for caller in found.callers] == ["people", "people", "", "empty"]


def test_tokens_certificate_and_last_day() -> None:
    """As written, hashes in lower case."""
    [caller] = read(
        f'[[callers]]\nname = "a"\ntoken_sha256 = ["{HASH.upper()}", "{OTHER}"]\ncertificate = "a.example"\n'
        'expires = "2027-03-31"'
    ).callers
    assert caller.token_sha256 == (HASH, OTHER)
    assert caller.certificate == "a.example"
    assert caller.expires == date(2027, 3, 31)


def test_an_empty_file_of_callers_admits_no_caller() -> None:
    """A configuration without callers admits all, as before."""
    assert not read("")
    assert not read("[classes.people]")
    assert read("", configured=True)
    assert read("callers = []")


[_TOKEN] = fixed_tokens(1)


@pytest.mark.parametrize(
    "entry", [f'name = "{_TOKEN}"', f'name = "a"\nclass = "{_TOKEN}"', f'name = "a"\n{_TOKEN} = ""']
)
def test_a_token_in_the_wrong_place_is_not_said(entry: str) -> None:
    """A name stands in logs; and so does a mistake, when a running bridge rereads the file."""
    said = error_of(lambda: read(f"[[callers]]\n{entry}"))
    assert _TOKEN[4:16] not in said
    assert "aib_…" in said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '[classes.people]\n[[callers]]\nname = "a"\nclass = "peple"',
            '4:1: [[callers]] class: there is no class "peple"; did you mean people?',
        ),
        (
            '[[callers]]\nname = "a"\nclass = "ci"',
            '3:1: [[callers]] class: there is no class "ci"; add [classes.ci]',
        ),
        (
            '[[callers]]\nname = "a"\ntoken_sha256 = "aib_canary"',
            (
                "3:1: [[callers]] token_sha256: the text is not the SHA-256 of a token: 64 hexadecimal digits; "
                'write e.g. token_sha256 = "…"'
            ),
        ),
        (
            '[[callers]]\nname = "a"\n[[callers]]\nname = "a"',
            '4:1: [[callers]] name: "a" is given in line 2, too; give each caller its own',
        ),
        (
            (
                f'[[callers]]\nname = "a"\ntoken_sha256 = "{HASH}"\n[[callers]]\nname = "b"\n'
                f'token_sha256 = ["{OTHER}", "{HASH.upper()}"]'
            ),
            "6:1: [[callers]] token_sha256: this token is given in line 3, too; give each caller its own",
        ),
        (
            '[[callers]]\nname = "a"\ncertificate = "x"\n[[callers]]\nname = "b"\ncertificate = "x"',
            '6:1: [[callers]] certificate: "x" is given in line 3, too; give each caller its own',
        ),
    ],
)
def test_a_caller_is_one_caller(text: str, line: str) -> None:
    """Names, tokens and certificates are one caller's, and classes exist."""
    assert error_of(lambda: read(text)) == f"a.toml:{line}"
