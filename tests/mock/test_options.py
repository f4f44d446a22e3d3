"""Failures by chance, repeatable by a seed; options that are changed while the mock runs."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from aibridge_trio.cli import flags
from aibridge_trio.mock import Mock, MockOptions
from aibridge_trio.mock.json_fields import ControlError
from aibridge_trio.mock.options import WHEN_FULL, changed
from tests.mock.test_mock import ASK, CHAT
from tests.support.mock_provider import call


async def test_failures_are_drawn_as_often_as_asked() -> None:
    """With --fail 429:0.3 and 503:0.2 half of the requests fail, in that proportion."""
    mock = Mock(MockOptions(fail=((429, 0.3), (503, 0.2)), seed=1))
    for _ in range(1000):
        await call(mock, CHAT, ASK)
    by_status = mock.statistics().by_status
    assert by_status["429"] == pytest.approx(300, abs=45)
    assert by_status["503"] == pytest.approx(200, abs=40)


async def test_a_seed_makes_failures_repeatable() -> None:
    """Two mocks with one seed fail at the same requests."""

    async def statuses() -> list[int]:
        mock = Mock(MockOptions(fail=((529, 0.5),), seed=7))
        return [(await call(mock, "/v1/messages", ASK)).status for _ in range(32)]

    first = await statuses()
    assert set(first) == {200, 529}
    assert first == await statuses()


def test_options_are_changed_by_name() -> None:
    """Those that are named; the others stay."""
    before = MockOptions(slots=3, latency=1, fail=((500, 0.1),))
    after = changed(
        before, b'{"slots": 0, "fail": {"503": 0.5, "529": 0.5}, "when_full": "queue", "quota_burst": 2}'
    )
    assert after == replace(before, slots=0, fail=((503, 0.5), (529, 0.5)), when_full="queue", quota_burst=2)
    assert changed(after, b'{"fail": {}, "when_full": null}') == replace(after, fail=(), when_full=None)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (b"[]", "an object is wanted"),
        (b'{"bind": "x"}', "unknown field bind"),
        (b'{"slots": -1}', "slots: a count is wanted"),
        (b'{"slots": 1.5}', "slots: a count"),
        (b'{"when_full": "slow"}', "when_full: one of 429, 503, 529, queue, or null"),
        (b'{"when_full": []}', "when_full"),
        (b'{"fail": {"200": 1}}', "fail: an object of statuses"),
        (b'{"fail": {"x": 1}}', "fail"),
        (b'{"fail": {"503": 0.6, "529": 0.6}}', "fail"),
        (b'{"fail": {"503": "1"}}', "fail"),
        (b'{"fail": [503]}', "fail"),
        (b'{"quota_burst": 0}', "quota_burst"),
        (b'{"latency": -1}', "latency: a number of seconds"),
    ],
)
def test_an_invalid_change_is_refused(document: bytes, says: str) -> None:
    """With the field's name and what is expected."""
    with pytest.raises(ControlError, match=says):
        changed(MockOptions(), document)


async def test_a_refused_change_changes_nothing() -> None:
    """400, and the options are what they were."""
    mock = Mock(MockOptions(slots=3))
    assert (await call(mock, "/mock/options", {"slots": 5, "tokens": "many"})).status == 400
    assert mock.options == MockOptions(slots=3)
    assert (await call(mock, "/mock/options", {"slots": 5, "tokens": 3})).status == 200
    assert mock.options == MockOptions(slots=5, tokens=3)


def test_the_command_takes_what_the_mock_takes() -> None:
    """The flags are MockOptions' fields, with its defaults, and when_full has the same words."""
    options = {option.name: option for option in flags.MOCK}
    assert set(options) == {field.name for field in fields(MockOptions)}
    assert options["when_full"].unit.choices == WHEN_FULL
    for name, option in options.items():
        if name != "bind":
            given = None if option.default is None else option.unit.parse(option.default)
            assert given == getattr(MockOptions(), name)
