"""The demo shows what it promises."""

from __future__ import annotations

import pytest

from aibridge_trio import demo


@pytest.mark.real
def test_the_demo_shows_outage_breaker_rejects_and_recovery(capsys: pytest.CaptureFixture[str]) -> None:
    """In six seconds: both providers fail and are mended, their breakers open and close, callers are rejected."""
    assert demo.run(6.0) == 0
    said = capsys.readouterr().out
    for scene in ("START", "OUTAGE", "OVERLOAD", "CROWD", "END"):
        assert scene in said
    for provider in ("openai", "anthropic"):
        assert f"{provider} closed → open" in said
        assert f"{provider} open → half-open" in said
    assert "rate_limit" in said
    assert "circuit_open" in said
