"""Documents are in plain technical English: turns that need a second reading are not used."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Folders and files whose text is held to it: documents, and of Python files docstrings and comments.
HELD = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs",
    "bench",
    "packaging",
    "tools",
    "aibridge_trio",
    "tests",
]
TURNS = {
    "… is told": r"\b(?:is|are|was|were|be|been|being) told\b(?! apart)|\btold (?:so|at once|to wait)\b",
    "nobody, somebody": r"\b(?:no|some|any|every)body\b|\bwhoever\b",
    "room, door": r"\b(?:rooms?|doors?)\b",
    "hears, voice": r"\bhears?\b|\bheard\b|\bvoices?\b|\bknocks?\b",
    "Who … as a subject": r"^\W*(?-i:Who(?:m|se)?)\b(?!.*\?$)",
}
# Text that is quoted: the program's, a client's, a document's from elsewhere.
QUOTED = re.compile(r"`[^`]*`|\"[^\"]*\"|\]\([^)]*\)|<!--.*?-->", re.DOTALL)


def documents() -> Iterator[Path]:
    """The files that are held to it."""
    for each in HELD:
        path = ROOT / each
        yield from (
            [path] if path.is_file() else sorted(file for form in ("md", "py") for file in path.rglob(f"*.{form}"))
        )


def prose(file: Path) -> str:
    """A document without its blocks of code; of a Python file, its docstrings and comments."""
    text = file.read_text()
    if file.suffix == ".py":
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        docstrings = [
            ast.get_docstring(node) or "" for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)
        ]
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        comments = [token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT]
        return "\n\n".join(docstrings) + "\n\n" + "\n".join(comments)
    return re.sub(r"^ *```.*?^ *```$", "\n", text, flags=re.MULTILINE | re.DOTALL)


def sentences(text: str) -> Iterator[str]:
    """Sentences and cells of tables, each in one line, without what is quoted."""
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[*:#|-]|\d+\.) )", QUOTED.sub("·", text)):
        yield from re.split(r"(?<=[.?!;:])\s+|\s*\|\s*", " ".join(paragraph.split()))


@pytest.mark.parametrize("file", list(documents()), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_turn_needs_a_second_reading(file: Path) -> None:
    """No sentence has one of the turns."""
    found = [
        f"{name}: {sentence}"
        for sentence in sentences(prose(file))
        for name, turn in TURNS.items()
        if re.search(turn, sentence, re.IGNORECASE)
    ]
    assert not found, "\n".join(found)


def test_turns_are_found() -> None:
    """Each pattern finds its turn, and a question may begin with who."""
    bad = [
        "A caller is told 429.",
        "Then nobody waits.",
        "There is room.",
        "The breaker hears of it.",
        "x | Who waits",
    ]
    for text, turn in zip(bad, TURNS.values(), strict=True):
        assert any(re.search(turn, each, re.IGNORECASE) for each in sentences(text)), text
    assert not any(re.search(turn, "Who may connect?", re.IGNORECASE) for turn in TURNS.values())
