"""Where running bridges are: one URL, several, and mistakes in them."""

from __future__ import annotations

import pytest

from aibridge_trio.cli.client_flags import BREAKER, RELOAD, TOP
from aibridge_trio.config.loader import values
from aibridge_trio.config.settings import Option
from aibridge_trio.errors import UsageError

SEVERAL = ("http://a:1", "http://b:1", "http://c:1")


@pytest.mark.parametrize("options", [RELOAD, BREAKER, TOP])
def test_urls_are_repeated_or_separated_by_commas(options: tuple[Option, ...]) -> None:
    """In flags and in the variable."""
    assert values(options, {"url": ["http://a:1,http://b:1", "http://c:1"]}, {})["url"] == SEVERAL
    assert values(options, {}, {"AIBRIDGE_ADMIN_URL": ",".join(SEVERAL)})["url"] == SEVERAL


def test_a_url_twice_is_a_mistake() -> None:
    """An order would reach that bridge twice."""
    with pytest.raises(UsageError, match="given twice"):
        values(RELOAD, {"url": ["http://a:1", "http://a:1"]}, {})
