"""The Date of responses."""

from __future__ import annotations

from aibridge_trio.server.dates import DateHeader


def test_a_date_is_that_of_its_second() -> None:
    """It changes with the second, also where the clock is set back."""
    now = [1795683600.0]
    date = DateHeader(lambda: now[0])
    said = []
    for now[0] in (1795683600.0, 1795683600.9, 1795683601.0, 1795683599.5):
        said.append(date.value())
    assert said == [
        b"Thu, 26 Nov 2026 09:00:00 GMT",
        b"Thu, 26 Nov 2026 09:00:00 GMT",
        b"Thu, 26 Nov 2026 09:00:01 GMT",
        b"Thu, 26 Nov 2026 08:59:59 GMT",
    ]
