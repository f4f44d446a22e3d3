"""What a body may not ask for with the central key: answers to be polled and, if configured, stored data.

An id in a body (of an earlier response, a conversation, a file) may belong to another caller: all of them store
data under the same key. The names below are searched for anywhere in the body, as keys and as values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import trio

from aibridge_trio.errors import BadRequest, StoredReference
from aibridge_trio.gateway.buffering import BufferedBody
from aibridge_trio.providers import Route

# Members of the top level.
# https://platform.openai.com/docs/api-reference/responses/create, and Anthropic's `container`.
_AT_THE_TOP = ("previous_response_id", "conversation", "prompt", "container")
WANTED = ("background", *_AT_THE_TOP)
# Names at any level.
_BELOW = ("file_id", "file_ids", "vector_store_id", "vector_store_ids", "item_reference", "skill_id")
_PLAIN = re.compile(b'"(%s)"' % "|".join(_BELOW).encode())
_ESCAPED = re.compile(rb'"[a-z_]{0,20}\\u00[2-7][0-9A-Fa-f](?:[a-z_]|\\u00[2-7][0-9A-Fa-f]){0,20}"')
# Longer than any of these names with every character escaped.
_OVERLAP = 256
# The route whose answers can be requested in the background.
_POLLED = "/responses"


class StoredReferences:
    """Checks bodies that are sent with the central key. `allowed`: references to stored data are not checked."""

    def __init__(self, *, allowed: bool = True) -> None:
        self._allowed = allowed

    def apply(self, *, allowed: bool) -> None:
        """Check, or do not, from now on."""
        self._allowed = allowed

    def applies_to(self, route: Route) -> bool:
        """Return whether bodies for this route have to be checked."""
        return route.pattern == _POLLED or (route.refers and not self._allowed)

    async def check(self, body: BufferedBody, *, encoded: bool) -> None:
        """Raise BadRequest or StoredReference for a forbidden body; `encoded`: it is compressed."""
        if body.found.get("background") is True:
            raise BadRequest("background: true is not served with the central key: its answer could not be polled")
        if self._allowed:
            return
        if body.fault or encoded:
            raise StoredReference("it cannot be read")
        if top := _at_the_top(body):
            raise StoredReference(top)
        if below := await _below(body.pieces()):
            raise StoredReference(below)


async def refers(body: BufferedBody, *, encoded: bool) -> bool:
    """Return whether a body names stored data, or cannot be read; `encoded`: it is compressed."""
    return bool(body.fault or encoded or _at_the_top(body) or await _below(body.pieces()))


def _at_the_top(body: BufferedBody) -> str | None:
    """Return the first of the names at the top level that refers to something; the text of a prompt does not."""
    found = body.found
    named = (name for name in _AT_THE_TOP if found.get(name) is not None)
    return next((name for name in named if not (name == "prompt" and isinstance(found[name], str))), None)


async def _below(pieces: Iterable[bytes]) -> str | None:
    """Return the first of the names in a body, None without one; other tasks run between its pieces."""
    before = b""
    for piece in pieces:
        window = before + piece
        if match := _PLAIN.search(window):
            return match[1].decode()
        for match in _ESCAPED.finditer(window):
            if (name := json.loads(match[0])) in _BELOW:
                return str(name)
        before = window[-_OVERLAP:]
        await trio.lowlevel.checkpoint()
    return None
