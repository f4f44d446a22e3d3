from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.config.caller_tokens import new_token
from aibridge_trio.printable import quoted, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain é 字", "plain é 字"), ("a\nb", "a\\nb"), ("\x1b[31m", "\\x1b[31m"), ("\u2028", "\\u2028"), ("", "")],
)
def test_only_unprintable_characters_are_escaped(text: str, shown: str) -> None:
    """Printable text stays as it is; control codes and line ends become Python's escapes."""
    assert visible(text) == shown
    assert quoted(text) == f'"{shown}"'


def test_long_text_is_cut_before_it_is_escaped() -> None:
    """The limit counts the characters of the text; what is cut off is marked."""
    assert visible("x" * 5, 5) == "xxxxx"
    assert visible("\n" * 6, 5) == "\\n" * 5 + "..."


def test_no_token_of_a_caller_is_shown() -> None:
    """Also where the limit would have left a part of it."""
    token = new_token()
    assert visible(f"<{token}>") == "<aib_…>"
    assert visible(token, 20) == visible(token[:40]) == "aib_…"
    assert visible("aib_people") == "aib_people"


@given(st.text())
def test_visible_text_stays_on_its_line(text: str) -> None:
    """Text of any kind becomes one printable line, and quoted text is bounded."""
    assert visible(text).isprintable()
    assert len(visible(text).splitlines()) <= 1
    assert len(quoted(text * 100)) <= 60 * 10 + 5
