"""Files in the repository that are generated from the code: completion scripts, man pages, JSON Schemas.

tree: the command line · completions, bash, zsh, fish: the scripts · man: the pages · roff: Markdown as man(7) ·
tables: the tables in man pages · schema: the schemas.
"""

from __future__ import annotations

from pathlib import Path

from tools.reference import completions, man, schema

_ROOT = Path(__file__).parents[2]


def generated() -> dict[str, str]:
    """Return the text of every generated file by its path in the repository."""
    return completions.scripts() | man.pages() | schema.schemas()


def outdated(root: Path = _ROOT) -> list[str]:
    """Return the paths of the generated files that are missing or differ from what the code gives."""
    return [path for path, text in generated().items() if not _is(root / path, text)]


def write(root: Path = _ROOT) -> None:
    """Write every generated file."""
    for path, text in generated().items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text, encoding="utf-8", newline="\n")


def _is(file: Path, text: str) -> bool:
    return file.is_file() and file.read_bytes() == text.encode()
