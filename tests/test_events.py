from __future__ import annotations

import linecache
from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from aibridge_trio import events
from aibridge_trio.events import KINDS, Bug
from aibridge_trio.sharing import change


def raised(error: Exception) -> Exception:
    """Return an exception that was raised and caught."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_events_are_frozen(kind: type) -> None:
    """An event cannot be changed once it is published."""
    if is_dataclass(kind):
        event, name = object.__new__(kind), fields(kind)[0].name
    else:
        event, name = tuple.__new__(kind, [None] * len(kind._fields)), kind._fields[0]  # type: ignore[attr-defined]
    with pytest.raises((FrozenInstanceError, AttributeError)):
        setattr(event, name, None)


def test_every_event_is_in_the_union() -> None:
    """Every record of the module is part of `Event`."""
    modules = {events.__name__, change.__name__}
    kinds = [kind for kind in vars(events).values() if getattr(kind, "__module__", "") in modules]
    records = {kind for kind in kinds if is_dataclass(kind) or hasattr(kind, "_fields")}
    assert records == set(KINDS)


def test_a_bug_names_type_and_places() -> None:
    """A bug names the exception's type and its places, innermost first."""
    where = Bug.of(raised(ZeroDivisionError("x"))).where
    assert where.startswith("ZeroDivisionError at test_events.py:")
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
    assert Bug.of(error).where.startswith("KeyError at test_events.py:")


def test_a_bug_in_endless_recursion_is_a_short_line() -> None:
    """The innermost places are named, up to a bound."""

    def deeper() -> None:
        deeper()

    with pytest.raises(RecursionError) as caught:
        deeper()
    where = Bug.of(caught.value).where
    assert where.startswith("RecursionError at test_events.py:")
    assert where.count(" < ") < 50
