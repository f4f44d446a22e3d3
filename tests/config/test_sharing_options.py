"""The options of what replicas share, as a group."""

from __future__ import annotations

from aibridge_trio.config.settings import OPTIONS
from aibridge_trio.config.sharing_options import REPLICAS


def test_they_are_a_group_of_their_own() -> None:
    """As help pages show them."""
    names = [option.name for option in OPTIONS if option.group == REPLICAS]
    assert names[:4] == ["store", "store_prefix", "store_failure", "store_timeout"]
