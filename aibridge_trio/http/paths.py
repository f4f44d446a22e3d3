"""Whether a path means the same to every reader. Pure.

Another reader of the same path may decode it, once or again and again, and resolve what then are dots, slashes or
parameters into a path that the allow-list has not seen. So what is decoded must be plain at once.

https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote_to_bytes

from aibridge_trio.errors import BadRequest

# All that makes a second look necessary; most paths have nothing of it.
_SUSPECT = re.compile(rb"[^!-~]|[%\\#;?]|//|/[.]+(/|$)")
_ESCAPES = re.compile(rb"(?:[^%]|%[0-9A-Fa-f]{2})*")
# Nobody needs to write these in another way, but who wants to be read in two.
_DISGUISED = re.compile(rb"%2e|%5c", re.IGNORECASE)
_SLASH = re.compile(rb"%2f", re.IGNORECASE)
# Empty ones inside, and dots; some systems cut blanks off. The last may be empty: that is a slash at the end.
_UNFIT_SEGMENT = re.compile(r"/(?=/)|/[. ]+(?=/|$)")
_FORBIDDEN = frozenset("%\\#;?")


def check(path: bytes) -> bool:
    """Refuse a path that is not plain; return whether it holds an encoded slash, which some routes allow."""
    if not _SUSPECT.search(path):
        return False
    if not _ESCAPES.fullmatch(path) or _DISGUISED.search(path) or not is_plain(path):
        raise BadRequest("path with a dot segment, a double slash, a backslash or the like, plain or encoded")
    return _SLASH.search(path) is not None


def is_plain(path: bytes) -> bool:
    """Tell whether what a path decodes to is text without dot segments, empty ones or anything to decode again."""
    try:
        text = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:  # overlong forms are none either
        return False
    # What some systems take compatible characters for, like the full-width dot.
    return all(
        form.isprintable()
        and _FORBIDDEN.isdisjoint(form)
        and form.count("/") == text.count("/")
        and not _UNFIT_SEGMENT.search(form)
        for form in (text, unicodedata.normalize("NFKC", text))
    )
