"""A bug as an event: its type and places, and no values."""

from __future__ import annotations

import linecache

import pytest

from aibridge_trio.events import Bug


def raised(error: Exception) -> Exception:
    """Return an exception that was raised and caught."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_a_bug_names_type_and_places() -> None:
    """A bug names the exception's type and its places, innermost first."""
    where = Bug.of(raised(ZeroDivisionError("x"))).where
    assert where.startswith("ZeroDivisionError at test_bug.py:")
    assert where.endswith(" raised")


def test_a_bug_contains_no_values() -> None:
    """A bug has nothing of the exception's message, which may quote what callers sent."""
    error = raised(ValueError("Bearer sk-secret"))
    error.add_note("sk-noted")
    assert "sk-" not in repr(Bug.of(error))


def test_a_bug_looks_into_groups() -> None:
    """Of an exception group the first exception is named."""
    group = raised(ExceptionGroup("outer", [ExceptionGroup("inner", [raised(KeyError("sk-secret"))])]))
    where = Bug.of(group).where
    assert where.startswith("KeyError at ")
    assert "sk-" not in where


def test_a_bug_that_was_never_raised() -> None:
    """An exception without a traceback has a type, at least."""
    assert Bug.of(ValueError("x")).where.startswith("ValueError")


def test_a_bug_reads_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its places are found without reading files, which could block the event loop."""
    error = raised(KeyError("x"))

    def read(*_: object) -> None:
        raise AssertionError("a source file was looked at")

    monkeypatch.setattr(linecache, "checkcache", read)
    monkeypatch.setattr(linecache, "getline", read)
    monkeypatch.setattr(linecache, "updatecache", read)
    assert Bug.of(error).where.startswith("KeyError at test_bug.py:")


def test_a_bug_in_endless_recursion_is_a_short_line() -> None:
    """The innermost places are named, up to a bound."""

    def deeper() -> None:
        deeper()

    with pytest.raises(RecursionError) as caught:
        deeper()
    where = Bug.of(caught.value).where
    assert where.startswith("RecursionError at test_bug.py:")
    assert where.count(" < ") < 50
