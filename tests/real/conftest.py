"""Fixtures for tests of real processes."""

from __future__ import annotations

import pytest


@pytest.fixture
def healed(request: pytest.FixtureRequest) -> None:
    """Close the breakers of the `narrow` bridge before a test that uses it."""
    if "narrow" in request.fixturenames:
        request.getfixturevalue("narrow").heal()
