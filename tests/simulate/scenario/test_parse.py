"""Scenario files: what they can say, and one line for what is wrong."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from aibridge_trio.errors import UsageError
from aibridge_trio.simulate import plan
from aibridge_trio.simulate.run import POLICIES
from aibridge_trio.simulate.scenario import parse, settings
from aibridge_trio.simulate.world.clients import CLIENTS
from tests.support.simulated import CALLERS, parsed

MINIMAL = 'duration = "1m"\n[[callers]]\ncount = 1\nrequests_per_minute = 6\n'


def test_little_is_enough() -> None:
    """A duration and callers; all else has a default."""
    given = parsed(MINIMAL)
    assert (given.duration, given.callers, given.model.slots, given.phases) == (60.0, 1, 0, ())
    assert given.settings == settings.default_settings()


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """As some editors on Windows write it."""
    file = tmp_path / "mine.toml"
    file.write_text(MINIMAL, encoding="utf-8-sig")
    assert parse.load(file).duration == 60.0


def test_a_phase_may_come_again() -> None:
    """`every` so often, until the end or `until`."""
    given = parsed(MINIMAL + '[[phases]]\nfrom = "5s"\nfor = "2s"\nevery = "20s"\nuntil = "40s"\nfault = "hang"\n')
    assert [(phase.start, phase.end) for phase in given.phases] == [(5.0, 7.0), (25.0, 27.0)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'test.toml: duration: is missing; add duration = "10s"'),
        ("duration = 60", 'test.toml: duration: "60" has no unit (ms, s, m, h); write e.g. duration = "60s"'),
        ('duration = "1m"', "test.toml: callers: there are none; add [[callers]] with count = 40"),
        (
            'duration = "1m"\n[callers]\ncount = 4',
            "test.toml: callers: is no array of tables; write [[callers]] and below it what belongs there",
        ),
        (
            'duration = "1m"\n[[callers]]\ncount = 4',
            "test.toml: [[callers]] 1 requests_per_minute: is missing; add requests_per_minute = 50",
        ),
        (
            MINIMAL + 'client = "opnai-python"',
            (
                'test.toml: [[callers]] 1 client: "opnai-python" is none of openai-python, openai-node, '
                'anthropic-python, codex, claude-code, none, relentless; write e.g. client = "openai-python"'
            ),
        ),
        (
            MINIMAL + 'provider = "theirs"',
            ('test.toml: [[callers]] 1 provider: "theirs" is none of provider; write e.g. provider = "provider"'),
        ),
        (
            MINIMAL + "curve = [1, -1]",
            'test.toml: [[callers]] 1 curve: "-1" is not a number; write e.g. curve = "0.5,1,2"',
        ),
        (MINIMAL + "patiense = 3", "test.toml: [[callers]] 1 patiense: unknown key; did you mean patience?"),
        (MINIMAL + "[provider]\nslot = 3", "test.toml: [provider] slot: unknown key; did you mean slots?"),
        (
            MINIMAL + "[provider]\nslots = -3",
            'test.toml: [provider] slots: "-3" is not a whole number; write e.g. slots = 10',
        ),
        (
            MINIMAL + "[provider]\nslots = [{}]",
            'test.toml: [provider] slots: "[{}]" is no value; write e.g. slots = 10',
        ),
        (
            MINIMAL + "[provider]\ntokens_per_second = 0",
            "test.toml: [provider] tokens_per_second: no answer would ever end; write e.g. tokens_per_second = 60",
        ),
        (
            "provider = 3\n" + MINIMAL,
            "test.toml: provider: is no table; write [provider] and below it what belongs there",
        ),
        (
            MINIMAL + '[[phases]]\nfrom = "2m"\nfor = "1s"',
            "test.toml: [[phases]] 1 from: is after the end; make it earlier, or the duration longer",
        ),
        (
            MINIMAL + '[[phases]]\nfrom = "1s"\nfor = "5s"\nevery = "5s"',
            "test.toml: [[phases]] 1 every: comes again before it is over; make it longer than for",
        ),
        (
            MINIMAL + '[[phases]]\nfrom = "1s"\nfor = "5s"\nshare = 1.5',
            'test.toml: [[phases]] 1 share: "1.5" is more than 1, which is all; write e.g. share = "50%"',
        ),
        (
            MINIMAL + "[settings]\nmax_concurency = 5",
            "test.toml: [settings] max_concurency: unknown key; did you mean max_concurrency?",
        ),
        (
            MINIMAL + '[settings]\ncircuit_breaker_cooldown = "30"',
            (
                'test.toml: [settings] circuit_breaker_cooldown: "30" has no unit (ms, s, m, h); write e.g. '
                'circuit_breaker_cooldown = "30s"'
            ),
        ),
        (MINIMAL + "[clients.mine]\n", "test.toml: [clients.mine] retries: is missing; add retries = 10"),
        (MINIMAL + "colour = 1\n[x]", "test.toml: [[callers]] 1 colour: unknown key; remove it"),
        ("[y]\n", 'test.toml: duration: is missing; add duration = "10s"'),
        (
            'duration = "1h"\n[[callers]]\ncount = 99000\nrequests_per_minute = 60',
            "test.toml: duration: more than 5,000,000 requests; simulate a shorter time",
        ),
        (
            'duration = "1h"\n[[callers]]\ncount = 200000\nrequests_per_minute = 1',
            "test.toml: callers: more than 100,000 in all; simulate fewer",
        ),
    ],
)
def test_an_error_is_one_line(text: str, said: str) -> None:
    """Which file, table and key; what is wrong; how to mend it."""
    with pytest.raises(UsageError) as found:
        parsed(text)
    assert str(found.value) == said


def test_groups_and_phases_name_their_provider() -> None:
    """A group's is `[provider]` if it names none, with that provider's lengths; a phase's are all."""
    given = parsed(
        MINIMAL + '[[callers]]\ncount = 2\nrequests_per_minute = 6\nprovider = "theirs"\n'
        "[providers.theirs]\nanswer_tokens = 9\nslots_curve = [5, 0]\nquota_headers = true\n"
        '[[phases]]\nfrom = "1s"\nfor = "1s"\n[[phases]]\nfrom = "3s"\nfor = "1s"\nprovider = "theirs"\n'
    )
    assert [(group.provider, group.answer_tokens) for group in given.groups] == [("provider", 300), ("theirs", 9)]
    assert [phase.provider for phase in given.phases] == ["", "theirs"]
    theirs = given.models["theirs"]
    assert (theirs.slots_curve, theirs.quota_headers) == ((5, 0), True)


def test_a_client_of_ones_own_can_be_used() -> None:
    """A table under clients, and its name at the callers."""
    given = parsed(
        CALLERS + 'client = "mine"\n[clients.mine]\nretries = 3\nstatuses = [429, 503]\nlongest_told = "9s"\n'
    )
    client = given.groups[0].client
    assert (client.name, client.retries, client.statuses, client.longest_told) == ("mine", 3, (429, 503), 9.0)


def test_what_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    """No file, or no TOML."""
    with pytest.raises(UsageError, match=r'^SCENARIO: ".*x\.toml" cannot be read: No such file'):
        list(plan.find([str(tmp_path / "x.toml")]))
    (tmp_path / "y.toml").write_text("= 3")
    with pytest.raises(UsageError, match="is not TOML"):
        parse.load(tmp_path / "y.toml")


def test_every_key_is_documented() -> None:
    """What a scenario file can say stands in docs/simulate.md, and every setting that is known."""
    page = (Path(__file__).parents[3] / "docs" / "simulate.md").read_text()
    keys = [
        str(node.args[0].value)
        for node in ast.walk(ast.parse(Path(parse.__file__).read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("take", "table", "tables")
        and isinstance(node.args[0], ast.Constant)
    ]
    assert len(keys) > 40
    for key in keys:
        assert f"`{key}`" in page or f"[{key}" in page, key
    for name in settings.KNOWN:
        assert f"`{name}`" in page or f"`{name.removeprefix('circuit_breaker')}`" in page, name
    for client in CLIENTS:
        assert f"`{client}`" in page
    for policy in POLICIES:
        assert f"| `{policy}` |" in page


def test_the_manuals_example_is_a_scenario() -> None:
    """It can be typed as it stands."""
    prose = Path(__file__).parents[3] / "tools" / "reference" / "prose" / "aibridge-simulate.1.md"
    [example] = [block for block in prose.read_text().split("```") if "[[callers]]" in block]
    given = parsed(example)
    assert (given.callers, len(given.phases), len(given.crowds)) == (40, 1, 1)
