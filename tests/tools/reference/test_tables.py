"""The tables in the man page."""

from __future__ import annotations

from aibridge_trio.config.tables import keys
from tools.reference.tables import described


def test_every_key_is_described() -> None:
    """Under its table, with its default."""
    text = "\n".join(described())
    for shape in (keys.CLASS, keys.CALLER, keys.PROVIDER, keys.ROUTE):
        for key in shape.keys:
            assert f"`{key.name} =`" in text
    assert "`budget.per =` day | week | month" in text
    assert "`keys[].weight =` N" in text
    assert "Default: `--max-concurrency-per-caller`." in text
