"""Reads the YAML of deploy/kubernetes: block mappings and sequences, flow collections on one line, `|` texts.

Anything else is an error: manifests that everyone can read need no more. (The whole of YAML is PyYAML's.)
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_KEY = re.compile(r"([A-Za-z][\w./-]*):(?: (.*))?$")
_BARE = re.compile(r'"[^"]*"|[^\s{}\[\],:][^{}\[\],]*?(?=\s*(?:[{}\[\],]|:(?:\s|$)|$))')
_LITERAL = re.compile(r"true|false|null|-?(?:0|[1-9]\d*)")


def documents(file: Path) -> list[Any]:
    """Return the documents of a file."""
    return [_parse(part) for part in re.split(r"^---$", file.read_text(), flags=re.MULTILINE)]


def _parse(text: str) -> Any:
    lines = [re.sub(r"\s+# .*$", "", line).rstrip() for line in text.splitlines()]
    kept = [(len(line) - len(line.lstrip()), line.lstrip()) for line in lines if line and line.lstrip()[0] != "#"]
    value, rest = _block(kept, 0)
    assert not rest, rest[:1]
    return value


def _block(lines: list[tuple[int, str]], indent: int) -> tuple[Any, list[tuple[int, str]]]:
    """Return the value that begins with the first line, and the lines behind it."""
    assert lines
    assert lines[0][0] >= indent, lines[:1]
    indent = lines[0][0]
    items: list[Any] = []
    members: dict[str, Any] = {}
    while lines and lines[0][0] == indent:
        text = lines[0][1]
        if text.startswith("- "):
            item, lines = _item(lines, indent)
            items.append(item)
            continue
        found = _KEY.fullmatch(text)
        assert found, text
        key, inline = found[1], found[2]
        assert key not in members, key
        lines = lines[1:]
        if inline == "|":
            inner = [line for line in lines if line[0] > indent]
            members[key], lines = "\n".join(line for _, line in inner), lines[len(inner) :]
        elif inline:
            members[key] = _flow(inline)
        else:
            deeper = bool(lines) and (lines[0][0] > indent or lines[0][1].startswith("- "))
            members[key], lines = _block(lines, indent) if deeper else (None, lines)
    assert not (items and members)
    return items or members, lines


def _item(lines: list[tuple[int, str]], indent: int) -> tuple[Any, list[tuple[int, str]]]:
    first = lines[0][1][2:]
    if not _KEY.fullmatch(first):
        return _flow(first), lines[1:]
    return _block([(indent + 2, first), *lines[1:]], indent + 2)


def _flow(text: str) -> Any:
    def quoted(match: re.Match[str]) -> str:
        word = match[0]
        return word if word[0] == '"' or _LITERAL.fullmatch(word) else json.dumps(word)

    return json.loads(_BARE.sub(quoted, text)) if text[0] in '{["' else _scalar(text)


def _scalar(text: str) -> Any:
    return json.loads(text) if _LITERAL.fullmatch(text) else int(text, 8) if re.fullmatch(r"0\d+", text) else text
