"""What a terminal sends, as keys, and what each key is for. Pure."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


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

_NAMES = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\r": "enter",
    b"\n": "enter",
    b"\x7f": "backspace",
    b"\x08": "backspace",
    b"\x03": "interrupt",
    b"\x1b": "escape",
}
_ESC, _INTERRUPT, _BELL = 0x1B, 0x03, 0x07
# Cancel and substitute end whatever sequence they come in (ECMA-48 8.3.6, 8.3.148).
_CANCELS = (0x18, 0x1A)
# No sequence that is known here is longer; of one that is, the rest is of no interest.
_MAX_SEQUENCE = 32
# The bytes of a mouse's position behind `ESC [ M` (xterm, "X10 compatibility mode"): any at all.
_POSITION = 3
_PASTE, _PASTED = b"\x1b[200~", b"\x1b[201~"
# So long may the rest of an arrow key be on its way before its first byte is taken for Esc; and so long that of a
# sequence which has certainly begun, because nobody types these (seconds).
_ESCAPE, _REST = 0.05, 1.0


class _State(Enum):
    """What the next byte belongs to; each is the name of the method that reads it."""

    GROUND = "_ground"
    ESCAPE = "_escape"
    CSI = "_control"
    SS3 = "_shifted"
    STRING = "_string"
    STRING_ESCAPE = "_string_escape"
    MOUSE = "_mouse"
    CONSOLE = "_console"


# ECMA-48 5.6: DCS, SOS, OSC, PM and APC, each up to ST.
_OPENERS = {ord("["): _State.CSI, ord("O"): _State.SS3} | dict.fromkeys(b"PX]^_", _State.STRING)


class Decoder:
    """Bytes in, keys out: printable characters as themselves, the others by name. A pure state machine.

    Every control sequence is read whole, known or not, wherever a read cuts it: CSI, SS3, OSC and the other
    strings of ECMA-48, reports of a mouse, and bracketed pastes. Of these only arrows are keys. Ctrl-C is one
    within any of them. Memory is bounded, whatever comes.

    An arrow begins with the byte that Esc alone is. So at the end of what was read an Esc stays `pending`, until
    more comes or `flush` says that nothing does.
    """

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="ignore")
        self._state = _State.GROUND
        # What has come of a sequence, as far as it is of interest.
        self._text = b""
        self._pasting = False

    @property
    def pending(self) -> bool:
        """Whether there is the beginning of a sequence, or of a paste."""
        return self._state is not _State.GROUND or self._pasting

    @property
    def patience(self) -> float:
        """For how long the rest of what is pending may be on its way (seconds)."""
        return _ESCAPE if self._state is _State.ESCAPE and not self._pasting else _REST

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that these bytes complete."""
        return [key for byte in data for key in self._read(byte)]

    def flush(self) -> list[str]:
        """Return what the pending beginning is by itself."""
        escape = self._state is _State.ESCAPE and not self._pasting
        self._begin(_State.GROUND)
        self._pasting = False
        return ["escape"] if escape else []

    def _read(self, byte: int) -> Iterator[str]:
        if byte == _INTERRUPT:
            if self._state is _State.ESCAPE and not self._pasting:
                yield "escape"
            self._begin(_State.GROUND)
            self._pasting = False
            yield "interrupt"
        elif self._pasting:
            self._paste(byte)
        else:
            yield from getattr(self, self._state.value)(byte)

    def _begin(self, state: _State) -> None:
        self._state, self._text = state, b""
        self._utf8.reset()

    # What each state makes of a byte.

    def _ground(self, byte: int) -> Iterator[str]:
        if byte == _ESC:
            self._begin(_State.ESCAPE)
            return
        for character in self._utf8.decode(bytes([byte])):
            name = _NAMES.get(character.encode())
            if name or character.isprintable():
                yield name or character

    def _escape(self, byte: int) -> Iterator[str]:
        if byte in _OPENERS:
            self._state, self._text = _OPENERS[byte], bytes([_ESC, byte])
            return
        self._begin(_State.GROUND)
        yield "escape"
        yield from self._ground(byte)

    def _control(self, byte: int) -> Iterator[str]:
        """CSI: parameters and intermediates, and one final byte (ECMA-48 5.4)."""
        if ord(" ") <= byte <= ord("?"):
            self._keep(byte)
        elif ord("@") <= byte <= ord("~"):
            yield from self._end(byte)
        else:
            yield from self._broken(byte)

    def _shifted(self, byte: int) -> Iterator[str]:
        """SS3: one byte; some terminals put modifiers in front of it."""
        if ord("0") <= byte <= ord("?"):
            self._keep(byte)
        elif ord("@") <= byte <= ord("~"):
            yield from self._end(byte)
        else:
            yield from self._broken(byte)

    def _keep(self, byte: int) -> None:
        self._text = (self._text + bytes([byte]))[:_MAX_SEQUENCE]

    def _end(self, byte: int) -> Iterator[str]:
        """A sequence is complete, but for what some have behind their end."""
        whole = self._text + bytes([byte])
        self._begin({b"\x1b[M": _State.MOUSE, b"\x1b[[": _State.CONSOLE}.get(whole, _State.GROUND))
        self._pasting = whole == _PASTE
        if whole in _NAMES:
            yield _NAMES[whole]

    def _broken(self, byte: int) -> Iterator[str]:
        """A sequence that does not go on like this is dropped, what broke it is not."""
        self._begin(_State.GROUND)
        if byte not in _CANCELS:
            yield from self._ground(byte)

    def _string(self, byte: int) -> Iterator[str]:
        """OSC and its like: whatever it holds, up to ST, or to BEL as xterm ends them."""
        if byte == _ESC:
            self._state = _State.STRING_ESCAPE
        elif byte == _BELL or byte in _CANCELS:
            self._begin(_State.GROUND)
        return iter(())

    def _string_escape(self, byte: int) -> Iterator[str]:
        """ST is two bytes; any other escape ends the string, and begins a sequence of its own."""
        if byte == ord("\\"):
            self._begin(_State.GROUND)
            return iter(())
        self._begin(_State.ESCAPE)
        return self._escape(byte)

    def _mouse(self, byte: int) -> Iterator[str]:
        if byte == _ESC:
            return self._broken(byte)
        self._keep(byte)
        if len(self._text) == _POSITION:
            self._begin(_State.GROUND)
        return iter(())

    def _console(self, byte: int) -> Iterator[str]:
        """`ESC [ [ A` to `E` are the first function keys of Linux' console."""
        self._begin(_State.GROUND)
        return iter(()) if byte in b"ABCDE" else self._ground(byte)

    def _paste(self, byte: int) -> None:
        """What is pasted is no key; only its end is looked for."""
        self._text = (self._text + bytes([byte]))[-len(_PASTED) :]
        if self._text == _PASTED:
            self._pasting = False
            self._begin(_State.GROUND)
