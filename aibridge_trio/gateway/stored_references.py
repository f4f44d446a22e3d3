"""What a body may not ask for with a central key: an answer to be polled and, if so told, stored data.

The ids that a body names (an earlier response, a conversation, a file) belong to whoever stored them under the
same key, which may be another caller. Names of members are looked for wherever they stand, as keys or as values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import trio

from aibridge_trio.errors import BadRequest, StoredReference
from aibridge_trio.gateway.buffering import Ahead
from aibridge_trio.providers import Route

# Of the top level. https://platform.openai.com/docs/api-reference/responses/create, and Anthropic's `container`.
_AT_THE_TOP = ("previous_response_id", "conversation", "prompt", "container")
WANTED = ("background", *_AT_THE_TOP)
# Anywhere below.
_BELOW = ("file_id", "file_ids", "vector_store_id", "vector_store_ids", "item_reference", "skill_id")
_PLAIN = re.compile(b'"(%s)"' % "|".join(_BELOW).encode())
_ESCAPED = re.compile(rb'"[a-z_]{0,20}\\u00[2-7][0-9A-Fa-f](?:[a-z_]|\\u00[2-7][0-9A-Fa-f]){0,20}"')
# Longer than any of these names, escaped all through.
_OVERLAP = 256
# Answers that can be asked for in the background.
_POLLED = "/responses"


class StoredReferences:
    """Looks at the bodies that go up with a central key. `allowed` leaves stored references alone."""

    def __init__(self, *, allowed: bool = True) -> None:
        self._allowed = allowed

    def concern(self, route: Route) -> bool:
        """Tell whether a body for this route has to be read."""
        return route.pattern == _POLLED or (route.refers and not self._allowed)

    async def check(self, ahead: Ahead, *, encoded: bool) -> None:
        """Raise BadRequest or StoredReference; `encoded` if the body is compressed."""
        if ahead.found.get("background") is True:
            raise BadRequest("background: true is not served with the central key: its answer could not be polled")
        if self._allowed:
            return
        if ahead.fault or encoded:
            raise StoredReference("it cannot be read")
        for name in _AT_THE_TOP:
            if ahead.found.get(name) is not None:
                raise StoredReference(name)
        if below := await _below(ahead.kept()):
            raise StoredReference(below)


async def _below(pieces: Iterable[bytes]) -> str | None:
    """Return a name that stands anywhere in a body; let others run between its pieces."""
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
