"""Checks that a request path means the same to every reader. Pure.

Another server may decode the path once more, and resolve dots, slashes or parameters in the result into a path
that the allow-list has not seen. So a path must be unambiguous after decoding it once.

https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote_to_bytes

from aibridge_trio.errors import BadRequest

# What makes the full check necessary; most paths contain none of it.
_SUSPECT = re.compile(rb"[^!-~]|[%\\#;?]|//|/[.]+(/|$)")
_ESCAPES = re.compile(rb"(?:[^%]|%[0-9A-Fa-f]{2})*")
# Encoded dots and backslashes: no client needs them, and readers differ on them.
_DISGUISED = re.compile(rb"%2e|%5c", re.IGNORECASE)
_SLASH = re.compile(rb"%2f", re.IGNORECASE)
# Empty segments, and dot segments; some systems strip spaces. The last may be empty: a trailing slash.
_UNFIT_SEGMENT = re.compile(r"/(?=/)|/[. ]+(?=/|$)")
_FORBIDDEN = frozenset("%\\#;?")


def check(path: bytes) -> bool:
    """Raise BadRequest for an ambiguous path; return whether it has an encoded slash, which some routes allow."""
    if not _SUSPECT.search(path):
        return False
    if not _ESCAPES.fullmatch(path) or _DISGUISED.search(path) or not is_plain(path):
        raise BadRequest("path with a dot segment, a double slash, a backslash or the like, plain or encoded")
    return _SLASH.search(path) is not None


def is_plain(path: bytes) -> bool:
    """Return whether the decoded path is text without dot or empty segments, or anything to decode again."""
    try:
        text = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:  # also for overlong forms
        return False
    # NFKC: some systems replace compatibility characters, like the full-width dot.
    return all(
        form.isprintable()
        and _FORBIDDEN.isdisjoint(form)
        and form.count("/") == text.count("/")
        and not _UNFIT_SEGMENT.search(form)
        for form in (text, unicodedata.normalize("NFKC", text))
    )
