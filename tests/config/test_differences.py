"""What a reload says has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aibridge_trio.config.differences import Differences, differences, fingerprints
from aibridge_trio.config.fixed_options import FIXED
from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.config.provider_tables import ProviderTable, RouteTable
from aibridge_trio.config.settings import OPTIONS, Option, Secret, Settings
from aibridge_trio.core.terms import ClassTotals, Terms
from tests.support.option_values import other_value


def found(before: Settings, after: Settings) -> Differences:
    """Compare without files."""
    return differences(before, after, {}, {})


def test_equal_settings_do_not_differ() -> None:
    """An empty result is false."""
    assert not found(Settings(), Settings())


def test_an_option_is_shown_with_both_values() -> None:
    """As a flag, in the form that a user writes."""
    before, after = Settings(), Settings(max_concurrency=5, idle_timeout=7.0)
    assert found(before, after).changes == ("--max-concurrency: 0 → 5", "--idle-timeout: 5m → 7s")


def test_secrets_are_masked() -> None:
    """Neither the old nor the new one is shown, whether or not their masks are equal."""
    before = Settings(openai_api_key=Secret("sk-old-secret-abcd"), admin_token=Secret("token-one-1234"))
    after = Settings(openai_api_key=Secret("sk-new-secret-abcd"), admin_token=Secret("token-two-1234"))
    [key, token] = found(before, after).changes
    assert key == "OPENAI_API_KEY: another value"
    assert token == "--admin-token-file: another token"


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_no_option_changes_silently(option: Option) -> None:
    """Each is in a line of its own: applied, or with the reason why it stays."""
    before = Settings()
    after = replace(before, **{option.name: other_value(option)})
    changed = found(before, after)
    lines = changed.fixed if option.name in FIXED else changed.changes
    assert [line for line in lines if line.startswith(f"{option.label}: ")] == list(lines)
    assert len(lines) == 1
    if option.name in FIXED:
        assert lines[0].endswith(f": it stays as it was, because {FIXED[option.name]}")


def test_files_with_another_content_are_changes(tmp_path: Path) -> None:
    """A certificate that was renewed has the same name."""
    chain = tmp_path / "chain.pem"
    settings = Settings(tls_cert=chain)
    chain.write_text("one")
    before = fingerprints(settings)
    assert not differences(settings, settings, before, fingerprints(settings))
    chain.write_text("two")
    [line] = differences(settings, settings, before, fingerprints(settings)).changes
    assert line == f"--tls-cert: {chain} has another content"
    chain.unlink()
    assert fingerprints(settings) == {"tls_cert": ""}


def test_what_the_bridge_writes_is_no_change(tmp_path: Path) -> None:
    """The state file has another content every half a minute, which no reload applies."""
    settings = Settings(state_file=tmp_path / "state.json")
    assert not differences(settings, settings, {"state_file": "a"}, {"state_file": "b"})


def test_entries_of_tables_are_named() -> None:
    """Added, removed, or changed, and in what; no value is shown."""
    table = ProviderTable(name="azure", dialect="openai", base_url="https://a.example")
    before = Settings(
        provider_tables=(table, replace(table, name="old")),
        routes=(RouteTable(model="a*", providers=("azure",)),),
        known_callers=KnownCallers(callers=(KnownCaller(name="x"), KnownCaller(name="y"))),
    )
    after = Settings(
        provider_tables=(
            replace(table, base_url="https://b.example", max_concurrency=3),
            replace(table, name="new"),
        ),
        routes=(RouteTable(model="a*", providers=("new",)), RouteTable(model="b", providers=("new",))),
        known_callers=KnownCallers(callers=(KnownCaller(name="x", terms=Terms(max_concurrency=2)),)),
        disabled_providers=frozenset({"copilot"}),
    )
    assert found(before, after).changes == (
        "[providers] azure: changed (base_url, max_concurrency)",
        "[providers] old: removed",
        "[providers] new: added",
        "[routes] a*: changed (providers)",
        "[routes] b: added",
        "[callers] x: changed (terms)",
        "[callers] y: removed",
        "[providers] copilot: off",
    )


def test_of_many_entries_some_are_named() -> None:
    """A class with thousands of callers can change, and the log has all that changed in one line."""
    names = [f"c{number}" for number in range(1000)]
    before = Settings(known_callers=KnownCallers(callers=tuple(KnownCaller(name=name) for name in names)))
    terms = Terms(max_concurrency=2)
    after = Settings(
        known_callers=KnownCallers(callers=tuple(KnownCaller(name=name, terms=terms) for name in names))
    )
    lines = found(before, after).changes
    assert len(lines) == 21
    assert lines[19:] == ("[callers] c19: changed (terms)", "[callers] 980 more: added, removed or changed")


def test_classes_alone_can_change() -> None:
    """What all callers of a class share is no caller's."""
    before = Settings(known_callers=KnownCallers(classes=("a",)))
    after = Settings(known_callers=KnownCallers(classes=("a",), totals={"a": ClassTotals(max_concurrency=1)}))
    assert found(before, after).changes == ("[classes]: changed",)
