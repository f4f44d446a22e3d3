"""What a unit is."""

from __future__ import annotations

from aibridge_trio.config.unit import InvalidValue, Secret, Unit, nearest


def test_a_secret_shows_itself_only_to_reveal() -> None:
    """Whatever formats a secret gets its mask."""
    secret = Secret("sk-canary")
    assert secret.reveal() == "sk-canary"
    assert "canary" not in f"{secret!r} {secret!s} {secret:>20}"


def test_a_unit_shows_values_as_text() -> None:
    """By default with `str`."""
    assert Unit(int, "N", "5").show(5) == "5"


def test_an_error_may_know_what_was_meant() -> None:
    """`instead` is for the remedy."""
    assert InvalidValue("60 has no unit", "60s").instead == "60s"
    assert InvalidValue("is wrong").instead is None


def test_the_nearest_word_is_near() -> None:
    """A word like no other has none."""
    assert nearest("ratelimit", ("bind", "rate_limit")) == "rate_limit"
    assert nearest("xyzzy", ("bind", "rate_limit")) is None
