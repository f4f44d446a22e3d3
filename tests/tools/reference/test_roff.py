"""Markdown as man(7) source."""

from __future__ import annotations

import pytest

from tools.reference import roff


@pytest.mark.parametrize(
    ("markdown", "source"),
    [
        ("## EXIT STATUS", ".SH EXIT STATUS"),
        ("### Circuit breaker", ".SS Circuit breaker"),
        ("`--rate-limit` *N*", r".PP|\fB\-\-rate\-limit\fR \fIN\fR"),
        ("see aibridge-serve(1)", r".PP|see \fBaibridge\-serve\fR(1)"),
        (r"`a\b'c~^` and don't", r".PP|\fBa\eb\(aqc\(ti\(ha\fR and don't"),
        (".dot", r".PP|\&.dot"),
        ("'quote", r".PP|\&'quote"),
        ("one. Two.\nThree", ".PP|one.|Two.|Three"),
        ("one\\\ntwo", ".PP|one|.br|two"),
        ("* a\n  b\n* c", r".IP \(bu 2|a b|.PD 0|.IP \(bu 2|c|.PD"),
        ("1. a", ".IP 1. 4|a"),
        ("`a`\n: b", r".TP|\fBa\fR|b"),
        ("`a`\n: b\n`long`\n: c", r".TP 6|\fBa\fR|b|.PD 0|.TP 6|\fBlong\fR|c|.PD"),
        ("```\n.x\n\n-'y'\n```", r".PP|.RS 4|.EX|\&.x||\-\(aqy\(aq|.EE|.nh|.RE"),
        ("## A\n\n```\nx\n```", ".SH A|.RS 4|.EX|x|.EE|.nh|.RE"),
        ("x " * 60 + ".y", ".PP|" + " ".join("x" * 40) + "|" + " ".join("x" * 20) + " .y"),
    ],
)
def test_markdown_becomes_roff(markdown: str, source: str) -> None:
    """Each form has its macro, and no character is taken for a command or changes on the way."""
    _, _, _, _, *lines = roff.page("x", 1, "2026-01-02", "X 1", markdown).splitlines()
    assert "|".join(lines) == source


def test_a_character_without_an_escape_is_refused() -> None:
    """Pages are ASCII, so that every formatter reads them alike."""
    with pytest.raises(ValueError, match="'é' has no escape"):
        roff.page("x", 1, "2026-01-02", "X 1", "café")
