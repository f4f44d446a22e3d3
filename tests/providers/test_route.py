from __future__ import annotations

import pytest

from aibridge_trio.providers.route import Route, any_method, intercepted, posted, readable, stored


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/models", "/models", True),
        ("/models", "/models/", False),
        ("/models", "/modelsx", False),
        ("/models/*", "/models/a", True),
        ("/models/*", "/models/a/b", True),
        ("/models/*", "/models/", False),
        ("/models/*", "/models", False),
    ],
)
def test_a_star_matches_one_or_more_characters(pattern: str, path: str, matches: bool) -> None:
    """Without a star the path is equal to the pattern; a star at its end matches anything but nothing."""
    assert Route(pattern).matches("GET", path) is matches


def test_methods_are_those_of_the_row() -> None:
    """A row without methods allows all of them; another allows its own, in upper case."""
    assert Route("/x").matches("PURGE", "/x")
    row = Route("/x", frozenset({"GET"}))
    assert row.matches("GET", "/x")
    assert not row.matches("get", "/x")
    assert not row.matches("POST", "/x")


def test_the_kinds_of_rows() -> None:
    """Only intercepted rows are inspected; stored data is for own keys, as a collection and its items."""
    get, post = frozenset({"GET", "HEAD"}), frozenset({"POST"})
    assert list(intercepted("/a")) == [Route("/a", post, intercepted=True, refers=True, model="body")]
    assert list(readable("/a", slashes=True)) == [Route("/a", get, slashes=True, model="none")]
    assert list(posted("/a", refers=True)) == [Route("/a", post, refers=True, model="body")]
    assert list(any_method("/a", "/b")) == [Route("/a"), Route("/b")]
    assert list(stored("/a")) == [Route("/a", own_key=True), Route("/a/*", own_key=True)]
