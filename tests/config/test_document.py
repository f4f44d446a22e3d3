"""Documents and the names of places in them."""

from __future__ import annotations

import pytest

from aibridge_trio.config.document import Document, label
from aibridge_trio.config.toml_positions import Path


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("rate_limit",), "rate_limit"),
        (("a b\n",), '"a b\\n"'),
        (("providers",), "[providers]"),
        (("providers", "azure"), "[providers.azure]"),
        (("providers", "azure", "keys", 0, "file"), "[providers.azure] keys[0].file"),
        (("classes", "ci", "budget", "per"), "[classes.ci] budget.per"),
        (("callers", 3), "[[callers]]"),
        (("callers", 3, "class"), "[[callers]] class"),
        (("routes", 0, "providers", 1), "[[routes]] providers[1]"),
    ],
)
def test_a_place_is_named_as_the_file_is_written(path: Path, text: str) -> None:
    """The table as its header, then the key."""
    assert label(path) == text


def test_an_error_names_file_line_column_table_and_key() -> None:
    """And is one line."""
    document = Document("a\n.toml", {"classes": {"ci": {"x": 1}}}, "\n[classes.ci]\n  x = 1\n")
    error = document.error(("classes", "ci", "x"), "unknown key", "remove it")
    assert str(error) == "a\\n.toml:3:3: [classes.ci] x: unknown key; remove it"
    assert document.at(("classes", "ci")) == (2, 10)
