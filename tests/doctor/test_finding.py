"""Findings as lines and as JSON."""

from __future__ import annotations

from aibridge_trio.doctor import Finding, document, lines, well

FINE = Finding("ok", "clock", "", "right")
BAD = Finding("error", "provider", "openai http://x", "not\x1breached", "check it")
ODD = Finding("warning", "limits", "--max-body", "large")


def test_a_line_has_level_topic_place_text_and_remedy() -> None:
    """Control characters are escaped, and the last line counts what is not well."""
    assert list(lines([FINE, BAD, ODD, ODD])) == [
        "ok       clock          right",
        "error    provider       openai http://x: not\\x1breached; check it",
        "warning  limits         --max-body: large",
        "warning  limits         --max-body: large",
        "1 error, 2 warnings",
    ]
    assert list(lines([FINE]))[-1] == "all is well"


def test_a_warning_is_not_well() -> None:
    """Only `ok` is."""
    assert well([FINE])
    assert not well([FINE, ODD])
    assert not well([FINE, BAD])


def test_the_document_has_all_fields() -> None:
    """As JSON types."""
    found = {"level": "warning", "topic": "limits", "where": "--max-body", "text": "large", "remedy": ""}
    assert document([ODD]) == {"valid": True, "well": False, "findings": [found]}
