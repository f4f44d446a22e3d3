"""A frame as SVG."""

from __future__ import annotations

import html
import re

from tests.support.pictures import OPEN, UPTIME, a_document, breaking
from tools.picture.draw import svg


def words(text: str) -> str:
    """The text that is seen."""
    return " ".join(
        html.unescape(part).replace("\xa0", " ") for part in re.findall(r"<text[^>]*>([^<]*)</text>", text)
    )


def test_the_last_document_is_shown_against_one_ten_seconds_older() -> None:
    """Rates are over the dashboard's interval, and an open breaker is in the headline."""
    documents = [a_document(UPTIME - 10 + second, breaking("openai", **OPEN)) for second in range(11)]
    seen = words(svg(documents))
    assert "rates over 10s" in seen
    assert re.search(r"openai OPEN, 26s left", seen)
    assert re.search(r"12\.\d/s", seen)


def test_an_open_breaker_is_red() -> None:
    """Its row has the theme's red, which a closed breaker's has not."""
    red = "#ff6b62"
    assert red in svg([a_document(UPTIME, breaking("openai", **OPEN))])
    assert red not in svg([a_document(UPTIME)])
