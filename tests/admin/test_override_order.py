"""Bodies of overrides: what they may have, and what each mistake is answered."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.admin.override_order import OverrideOrder, read
from aibridge_trio.core.breaker.breaker import Mode


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ({"mode": "open"}, OverrideOrder(Mode.OPEN, math.inf, "")),
        ({"mode": "open", "for": "10m", "reason": "INC-12"}, OverrideOrder(Mode.OPEN, 600.0, "INC-12")),
        ({"mode": "close", "for": "1h30m"}, OverrideOrder(Mode.CLOSE, 5400.0)),
        ({"mode": "open", "for": "720h"}, OverrideOrder(Mode.OPEN, 2592000.0)),
        ({"mode": "open", "for": None, "reason": None}, OverrideOrder(Mode.OPEN)),
        ({"mode": "auto", "reason": "over"}, OverrideOrder(Mode.AUTO, math.inf, "over")),
    ],
)
def test_orders(body: dict[str, Any], order: OverrideOrder) -> None:
    """A mode alone has no end."""
    assert read(json.dumps(body).encode()) == order


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        ({"mode": "shut"}, 'send {"mode": "open"}'),
        ([], 'send {"mode": "open"}'),
        ({"mode": "open", "fro": "10m"}, "nothing else"),
        ({"mode": "open", "for": "10"}, "its unit"),
        ({"mode": "open", "for": 10}, "its unit"),
        ({"mode": "open", "for": "0s"}, "its unit"),
        ({"mode": "open", "for": "721h"}, "at most 720h"),
        ({"mode": "auto", "for": "10m"}, "auto has no end"),
        ({"mode": "open", "reason": "x" * 201}, "200 printable"),
        ({"mode": "open", "reason": "a\nb"}, "200 printable"),
        ({"mode": "open", "reason": ["INC"]}, "200 printable"),
    ],
)
def test_mistakes(body: Any, mistake: str) -> None:
    """Each is named; none becomes an override without an end."""
    with pytest.raises(ValueError, match=mistake):
        read(json.dumps(body).encode())


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    """Anything is an order or a mistake in words."""
    try:
        order = read(body)
    except ValueError as mistake:
        said = str(mistake)
    else:
        said = order.mode
    assert said.isprintable()
