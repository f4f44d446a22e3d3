"""The generated parts of docs/tuning.md."""

from __future__ import annotations

import pytest

from tools.tuning import page


def test_only_what_stands_between_marks_is_written() -> None:
    """Words stay; a part that is not known, or has no place, is a mistake."""
    text = "# Words\n\n<!-- a 1 -->\nold\n<!-- end -->\n\nmore <!-- words -->\n\n<!-- b 2 -->\n<!-- end -->\n"
    assert page.parts(text) == {"a": ("1", "old\n"), "b": ("2", "")}
    new = page.filled(text, {"a": ("3", "new\\1\n"), "b": ("4", "x\n")})
    assert new == text.replace("a 1", "a 3").replace("old", "new\\1").replace("b 2 -->\n", "b 4 -->\nx\n")
    with pytest.raises(AssertionError, match="b"):
        page.filled(text, {"a": ("3", "new\n")})
