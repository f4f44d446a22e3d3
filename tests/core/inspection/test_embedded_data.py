"""Embedded data in bodies."""

from __future__ import annotations

import base64
import json
import os

import pytest

from aibridge_trio.core.inspection.embedded_data import embedded

TEXT = "The quick brown fox jumps over the lazy dog; it's 12:30, and the sun is out. " * 500


@pytest.mark.parametrize("size", [4_000, 40_000, 400_000])
def test_an_image_is_found(size: int) -> None:
    """Its size in base64 is known to two kibibytes, whatever stands around it."""
    data = base64.b64encode(os.urandom(size)).decode()
    body = json.dumps({"messages": [{"content": TEXT}, {"url": f"data:image/png;base64,{data}"}, TEXT]}).encode()
    assert abs(embedded(body) - len(data)) <= 2048


@pytest.mark.parametrize(
    "text",
    [TEXT, "def f(x):\n    return x_y.z[0]\n" * 500, "\u4f60\u597d\u4e16\u754c" * 2000, "a-b_c/d+e " * 2000],
)
def test_text_is_no_data(text: str) -> None:
    """Prose, code and other scripts, escaped or not."""
    for escaped in (True, False):
        assert embedded(json.dumps({"content": text}, ensure_ascii=escaped).encode()) == 0


def test_small_pieces() -> None:
    """Less than a sample is nothing; all of a piece is at most all of it."""
    assert embedded(b"") == 0
    assert embedded(b"x" * 63) == 0
    assert embedded(b"x" * 64) == 64
