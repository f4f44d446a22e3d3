from __future__ import annotations

import pytest

from aibridge_trio.core.inspection.json_lexer import LONGEST_TEXT
from aibridge_trio.core.inspection.wanted_members import Kind, Value, Wanted

WANTED = Wanted("model", "background")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"model":"m","background":true,"other":1}', {"model": "m", "background": True}),
        (b'\xef\xbb\xbf {"model":null}', {"model": None}),
        (b'{"model":1,"background":[]}', {"model": 1, "background": Kind.OPAQUE}),
        (b'{"model":1.0,"background":-1}', {"model": Kind.OPAQUE, "background": Kind.OPAQUE}),
        (b'{"model":999999999,"background":1000000000}', {"model": 999999999, "background": Kind.OPAQUE}),
        (b'{"model":"a","model":"b"}', {"model": "b"}),
        (b'{"a":{"model":"m"}}', {}),
        (b'{"mod\\u0065l":"m"}', {"model": "m"}),
        (b'{"model":"' + b"x" * 1000 + b'"}', {"model": "x" * LONGEST_TEXT}),
        (b"[1]", {}),
        (b"", None),
        (b"{", None),
        (b'{"model":"\xff"}', None),
        (b"[" * 100_000, None),
    ],
)
def test_a_small_body_is_parsed_at_once(body: bytes, found: dict[str, Value] | None) -> None:
    """The members of the top level are found; a body that json cannot parse is left to a MemberReader."""
    assert WANTED.parse(body) == found


def test_runs_of_other_members_are_skipped_in_one_match() -> None:
    """A run of other members ends before a wanted name, and before a name with an escape."""
    body = b' "a": 1, "b": {"c": 1}, "model": 2,'
    match = WANTED.top.match(body)
    assert match is not None
    assert body[match.end() :] == b' "model": 2,'
    below = WANTED.members.match(body)
    assert below is not None
    assert below.end() == len(body)
    escaped = WANTED.top.match(b'"mod\\u0065l": 1,')
    assert escaped is not None
    assert escaped.end() == 0
