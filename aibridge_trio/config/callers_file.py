"""Edits a file of callers as text, so that comments, order and blank lines stay.

Every edit is verified: the new text must read as the old document with the change made to it. A file that is
written in a way that this module cannot edit (inline tables, quoted keys) is left alone, with an error.
"""

from __future__ import annotations

import json
import re
import tomllib
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from aibridge_trio.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*callers[ \t]*\]\]", re.MULTILINE)
# The header of any table but `[callers.budget]` and the like.
_NEXT_TABLE = re.compile(r"^[ \t]*\[(?!\[?[ \t]*callers[ \t]*\.)", re.MULTILINE)
_NO_CALLERS = re.compile(r"^[ \t]*callers[ \t]*=[ \t]*\[\s*\][^\n]*\n{0,2}", re.MULTILINE)
_TOKENS = re.compile(r"^[ \t]*token_sha256[ \t]*=[ \t]*", re.MULTILINE)
_STRING = re.compile(r"""(["'])[0-9A-Fa-f]*\1""")
_TRAILING = re.compile(r"(?:\n[ \t]*(?:#[^\n]*)?)*\Z")
_BARE_KEY = re.compile(r"[0-9A-Za-z_-]+")
_NO_TERMS = """\
# max_concurrency = 8              # requests in flight of one caller
# rate_limit = 10                  # a second
# token_rate_limit = "200000/m"
"""

Entry = dict[str, Any]


def entry(name: str, token_sha256: str, class_name: str | None, expires: date | None) -> str:
    """Return a caller's entry."""
    lines = ["[[callers]]", f"name = {json.dumps(name)}"]
    if class_name is not None:
        lines.append(f"class = {json.dumps(class_name)}")
    lines.append(f'token_sha256 = "{token_sha256}"')
    if expires is not None:
        lines.append(f"expires = {expires.isoformat()}")
    return "\n".join(lines) + "\n"


def empty_class(name: str) -> str:
    """Return a class's table without terms, and examples of terms as comments."""
    key = name if _BARE_KEY.fullmatch(name) else json.dumps(name)
    return f"[classes.{key}]\n{_NO_TERMS}"


def add_caller(text: str, written: str, new_class: str | None = None) -> str:
    """Return the file with one more entry at its end, after the empty table of a new class if one is named."""
    [new] = tomllib.loads(written)["callers"]
    expected = _document(text)
    expected["callers"] = [*_entries(expected), new]
    if new_class is not None:
        expected["classes"] = {new_class: {}}
        written = f"{empty_class(new_class)}\n{written}"
    text = _NO_CALLERS.sub("", text, count=1)
    gap = "" if not text.strip() else "\n" if text.endswith("\n") else "\n\n"
    return _verified(f"{text}{gap}{written}", expected)


def add_token(text: str, name: str, token_sha256: str) -> str:
    """Return the file with one more token for a caller that is in it."""
    expected = _document(text)
    index = position(expected, name)
    entries = _entries(expected)
    entries[index]["token_sha256"] = [token_sha256, *hashes(entries[index])]
    begin, end = _block(text, index)
    block = text[begin:end]
    if not (found := _TOKENS.search(block)):
        head, line, rest = block.partition("\n")
        block = f'{head}{line}token_sha256 = ["{token_sha256}"]\n{rest}'
        return _verified(text[:begin] + block + text[end:], expected)
    at = found.end()
    if string := _STRING.match(block, at):
        block = f'{block[:at]}["{token_sha256}", {string[0]}]{block[string.end() :]}'
    else:
        block = f'{block[: at + 1]}"{token_sha256}", {block[at + 1 :]}'
    return _verified(text[:begin] + block + text[end:], expected)


def remove_caller(text: str, name: str) -> str:
    """Return the file without a caller. The last one leaves `callers = []`: without it, anyone would be served."""
    expected = _document(text)
    index = position(expected, name)
    entries = _entries(expected)
    del entries[index]
    begin, end = _block(text, index)
    text = text[:begin].rstrip("\n") + ("\n\n" if text[:begin].strip() else "") + text[end:].lstrip("\n")
    if not entries:
        text = "callers = []\n" + ("\n" + text if text.strip() else "")
    return _verified(text.rstrip("\n") + "\n", expected)


def remove_token(text: str, name: str, token_sha256: str) -> str:
    """Return the file without one of a caller's tokens; without its entry if nothing else names the caller."""
    expected = _document(text)
    index = position(expected, name)
    own = _entries(expected)[index]
    left = [each for each in hashes(own) if each != token_sha256]
    if not left and "certificate" not in own:
        return remove_caller(text, name)
    begin, end = _block(text, index)
    block = text[begin:end]
    found = _TOKENS.search(block)
    if not left:
        del own["token_sha256"]
        block = re.sub(r"^[ \t]*token_sha256[ \t]*=[ \t]*[^\n]*\n", "", block, count=1, flags=re.MULTILINE)
    elif found:
        own["token_sha256"] = left
        quoted = rf"""(["']){token_sha256}\1[ \t]*,?[ \t]*"""
        changed = re.sub(quoted, "", block[found.end() :], count=1, flags=re.IGNORECASE)
        block = block[: found.end()] + changed
    return _verified(text[:begin] + block + text[end:], expected)


def position(document: Entry, name: str) -> int:
    """Return the index of a caller, -1 without one."""
    return next((index for index, each in enumerate(_entries(document)) if each.get("name") == name), -1)


def hashes(own: Entry) -> list[str]:
    """Return the hashes of a caller's tokens, in lower case."""
    listed = own.get("token_sha256", [])
    return [each.lower() for each in ([listed] if isinstance(listed, str) else listed)]


def _document(text: str) -> Entry:
    return tomllib.loads(text)


def _entries(document: Entry) -> list[Entry]:
    found = document.get("callers", [])
    return found if isinstance(found, list) else []


def _block(text: str, index: int) -> tuple[int, int]:
    """Return where an entry begins and ends; comments before the next table are the next table's."""
    headers = [found.start() for found in _HEADER.finditer(text)]
    if not 0 <= index < len(headers):
        raise _unknown_form()
    begin = headers[index]
    following = _NEXT_TABLE.search(text, text.index("]]", begin) + 2)
    end = following.start() if following else len(text)
    block = text[begin:end]
    if following and (trailing := _TRAILING.search(block)):
        end = begin + trailing.start() + 1
    return begin, end


def _verified(text: str, expected: Entry) -> str:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise _unknown_form() from None
    if _plain(found) != _plain(expected):
        raise _unknown_form()
    return text


def _plain(document: Entry) -> Entry:
    """Return a document in which all tokens are lists of lower-case hashes."""
    document = deepcopy(document)
    for own in _with_tokens(document):
        own["token_sha256"] = hashes(own)
    return document


def _with_tokens(document: Entry) -> Iterator[Entry]:
    return (each for each in _entries(document) if "token_sha256" in each)


def _unknown_form() -> UsageError:
    return UsageError("the file is written in a form that is not edited here; change its [[callers]] by hand")
