"""The card as text, and as a section of the page of results that other sections stand beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.compare.marked import SCORECARD
from bench.compare.report import table
from bench.scorecard.asking import Question
from bench.scorecard.running import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A finished run: who was asked what, and what came out."""

    questions: Sequence[Question]
    rows: Sequence[Row]
    versions: Mapping[str, str]
    date: str
    command: str
    minutes: float
    notes: Sequence[str] = ()

    def row(self, gateway: str, number: int) -> Row | None:
        """Return one verdict."""
        return next((row for row in self.rows if (row.gateway, row.number) == (gateway, number)), None)


def terminal(card: Card) -> str:
    """Return the table for a terminal, its columns lined up."""
    names = list(card.versions)
    longest = max((len(each.text) for each in card.questions), default=0) + 3
    lines = [" " * longest + "  ".join(names)]
    for each in card.questions:
        cells = [_cell(card, name, each.number).center(len(name)) for name in names]
        lines.append(f"{each.number:2} {each.text}".ljust(longest) + "  ".join(cells))
    lines.append("yes, of all".ljust(longest) + "  ".join(_total(card, name).center(len(name)) for name in names))
    return "\n".join(lines) + "\n"


def evidence(card: Card) -> str:
    """Return every verdict with its evidence, question by question."""
    lines = []
    for each in card.questions:
        lines.append(f"{each.number:2} {each.text}")
        lines += [
            f"   {name:10} {'yes' if row.verdict.yes else 'no '}  {row.verdict.evidence}"
            for name in card.versions
            if (row := card.row(name, each.number))
        ]
    return "\n".join(lines) + "\n"


def section(card: Card) -> str:
    """Return the section for the page of results: the table, and the evidence of every cell."""
    names = list(card.versions)
    rows = [
        (
            str(each.number),
            each.text.replace("<", "&lt;"),
            *(_bold(_cell(card, name, each.number)) for name in names),
        )
        for each in card.questions
    ]
    rows.append(("", "yes", *(_total(card, name) for name in names)))
    proofs = [
        (str(each.number), name, _cell(card, name, each.number), _plain(row.verdict.evidence))
        for each in card.questions
        for name in names
        if (row := card.row(name, each.number))
    ]
    versions = ", ".join(f"{name} {version}" for name, version in card.versions.items())
    about = (
        f"Written by `{card.command}` on {card.date} in {card.minutes:.0f} minutes: {versions}. What each "
        "question asks, and how each gateway is configured for it: [README.md](README.md#the-scorecard).\n"
    )
    return "\n".join(
        [
            SCORECARD.begin,
            "## Scorecard\n",
            about,
            table(("", "question", *names), rows),
            *(f"* {note}\n" for note in card.notes),
            "<details><summary>The evidence</summary>\n",
            table(("", "gateway", "", "evidence"), proofs),
            "</details>",
            SCORECARD.end,
            "",
        ]
    )


def _cell(card: Card, name: str, number: int) -> str:
    row = card.row(name, number)
    return "–" if row is None else "yes" if row.verdict.yes else "no"


def _total(card: Card, name: str) -> str:
    return str(sum(row.verdict.yes for row in card.rows if row.gateway == name))


def _bold(cell: str) -> str:
    return f"**{cell}**" if cell == "yes" else cell


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
