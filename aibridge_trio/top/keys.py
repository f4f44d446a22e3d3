"""What a terminal sends, as keys, and what each key is for. Pure."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """Keys that do one thing, as a reader calls them; `short` is how the last line of the screen puts it."""

    keys: str
    does: str
    short: str = ""


KEYS = (
    Key("q, Ctrl-C", "quit", "q quit"),
    Key("?, h", "show this help, or leave it", "? help"),
    Key("p, Space", "pause: the picture stands still, the counting goes on", "p pause"),
    Key("↑, ↓, j, k", "choose a provider", "↑↓ choose"),
    Key("<, >", "sort providers by the column to the left or right", "<>r sort"),
    Key("r", "reverse the order"),
    Key("/", "show only what has this in its name; Enter keeps it, Esc clears", "/ filter"),
    Key("o", "force the chosen breaker open: requests are refused (asks)", "o/c/a breaker"),
    Key("c", "force it closed: requests pass, whatever happens (asks)"),
    Key("a", "automatic: the breaker decides again (asks)"),
    Key("+, -", "draw more often, less often", "+- pace"),
    Key("Ctrl-Z", "suspend; fg comes back", "Ctrl-Z suspend"),
)

# CSI and SS3 sequences (ECMA-48 5.4, xterm's cursor keys), whole or broken off; the rest of one may come in the
# next read.
_SEQUENCE = re.compile(r"\x1b(?:\[[ -?]*[@-~]?|O[@-~]?)")
_UNFINISHED = re.compile(r"\x1b(?:\[[ -?]*|O)?\Z")
_NAMES = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x03": "interrupt",
    "\x1b": "escape",
}
# No sequence that is known here is longer: of one that is, the rest is of no interest.
_MAX_SEQUENCE = 32


class Decoder:
    """Bytes in, keys out: printable characters as themselves, the others by name; unknown sequences are dropped.

    An arrow begins with the byte that Esc alone is. So at the end of what was read an Esc stays `pending`, until
    more comes or `flush` says that nothing does.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="ignore").decode
        self._text = ""

    @property
    def pending(self) -> bool:
        """Whether there is the beginning of a sequence."""
        return bool(self._text)

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that these bytes complete."""
        self._text += self._decode(data)
        return self._keys(final=False)

    def flush(self) -> list[str]:
        """Return what the pending beginning is by itself."""
        return self._keys(final=True)

    def _keys(self, *, final: bool) -> list[str]:
        keys: list[str] = []
        while self._text:
            if not final and _UNFINISHED.match(self._text):
                self._text = self._text[:_MAX_SEQUENCE]
                break
            if sequence := _SEQUENCE.match(self._text):
                keys.append(_NAMES.get(sequence[0], ""))
                self._text = self._text[sequence.end() :]
            else:
                keys.append(_NAMES.get(self._text[0], self._text[0] if self._text[0].isprintable() else ""))
                self._text = self._text[1:]
        return [key for key in keys if key]
