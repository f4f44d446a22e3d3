"""Decodes bytes from a terminal into keys; the list of keys and their effects. Pure."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Key:
    """Keys with one effect; `short` is the text for the screen's last line."""

    keys: str
    does: str
    short: str = ""


KEYS = (
    Key("q, Ctrl-C", "quit", "q quit"),
    Key("?, h", "show this help, or leave it", "? help"),
    Key("p, Space", "pause: the picture stands still, the counting goes on", "p pause"),
    Key("↑, ↓, j, k", "choose a provider", "↑↓ choose"),
    Key("<, >, r", "sort providers by the column to the left or right; r: reverse", "<>r sort"),
    Key("/", "show only what has this in its name; Enter keeps it, Esc clears", "/ filter"),
    Key("e", "refused requests: Enter opens one, Esc goes back"),
    Key("o", "force the chosen breaker open: requests are refused (asks)", "o/c/a breaker"),
    Key("c", "force it closed: requests pass, whatever happens (asks)"),
    Key("a", "automatic: the breaker decides again (asks)"),
    Key("+, -", "draw more often, less often", "+- pace"),
    Key("Ctrl-Z", "suspend; fg comes back", "Ctrl-Z suspend"),
)
# One of several bridges is shown alone.
OF_SEVERAL = Key("Enter, Esc", "of several replicas: look at the chosen one alone, and at all")
# All of several bridges are shown.
FLEET_KEYS = (
    *KEYS[:3],
    Key("↑, ↓, j, k", "choose a replica", "↑↓ choose"),
    Key("←, →", "choose a provider", "←→ provider"),
    Key("Enter, Esc", "look at the chosen replica alone, and at all again", "Enter one"),
    Key("o", "force the chosen provider's breakers open at all (asks)", "o/c/a breaker"),
    Key("c", "force them closed at all: requests pass (asks)"),
    Key("a", "automatic at all: the breakers decide again (asks)"),
    *KEYS[-2:],
)

_NAMES = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[C": "right",
    b"\x1bOC": "right",
    b"\x1b[D": "left",
    b"\x1bOD": "left",
    b"\r": "enter",
    b"\n": "enter",
    b"\x7f": "backspace",
    b"\x08": "backspace",
    b"\x03": "interrupt",
    b"\x1b": "escape",
}
_ESC, _INTERRUPT, _BELL = 0x1B, 0x03, 0x07
# CAN and SUB end any sequence (ECMA-48 8.3.6, 8.3.148).
_CANCELS = (0x18, 0x1A)
# No known sequence is longer; the rest of a longer one is dropped.
_MAX_SEQUENCE = 32
# The bytes of a mouse position after `ESC [ M` (xterm, "X10 compatibility mode"), of any value.
_POSITION = 3
_PASTE, _PASTED = b"\x1b[200~", b"\x1b[201~"
# How long to wait for the rest of a sequence (seconds): after a single ESC, which may be the Esc key; and after
# bytes that a user does not type.
_ESCAPE, _REST = 0.05, 1.0


class _State(Enum):
    """What the next byte belongs to; the value is the name of the method that reads it."""

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

    Every control sequence is read as a whole, known or not, across reads: CSI, SS3, OSC and the other strings of
    ECMA-48, mouse reports and bracketed pastes. Of these only arrows are keys. Ctrl-C is a key within any of them.
    Memory is bounded.

    An arrow begins with the byte of the Esc key. So an ESC at the end of the input stays `pending` until more
    bytes come, or `flush` decides that it is the Esc key.
    """

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="ignore")
        self._state = _State.GROUND
        # The beginning of the current sequence, up to _MAX_SEQUENCE bytes.
        self._text = b""
        self._pasting = False

    @property
    def pending(self) -> bool:
        """Whether a sequence or a paste has begun and not ended."""
        return self._state is not _State.GROUND or self._pasting

    @property
    def timeout(self) -> float:
        """How long to wait for the rest of what is pending (seconds)."""
        return _ESCAPE if self._state is _State.ESCAPE and not self._pasting else _REST

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that these bytes complete."""
        return [key for byte in data for key in self._read(byte)]

    def flush(self) -> list[str]:
        """End what is pending; returns the Esc key if it was a single ESC."""
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

    # One method per state, called with the next byte.

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
        """SS3: one byte; some terminals send modifiers before it."""
        if ord("0") <= byte <= ord("?"):
            self._keep(byte)
        elif ord("@") <= byte <= ord("~"):
            yield from self._end(byte)
        else:
            yield from self._broken(byte)

    def _keep(self, byte: int) -> None:
        self._text = (self._text + bytes([byte]))[:_MAX_SEQUENCE]

    def _end(self, byte: int) -> Iterator[str]:
        """A sequence is complete; some are followed by further bytes."""
        whole = self._text + bytes([byte])
        self._begin({b"\x1b[M": _State.MOUSE, b"\x1b[[": _State.CONSOLE}.get(whole, _State.GROUND))
        self._pasting = whole == _PASTE
        if whole in _NAMES:
            yield _NAMES[whole]

    def _broken(self, byte: int) -> Iterator[str]:
        """Drop an invalid sequence, but read the byte that broke it."""
        self._begin(_State.GROUND)
        if byte not in _CANCELS:
            yield from self._ground(byte)

    def _string(self, byte: int) -> Iterator[str]:
        """OSC and other strings: any bytes up to ST, or to BEL as xterm ends them."""
        if byte == _ESC:
            self._state = _State.STRING_ESCAPE
        elif byte == _BELL or byte in _CANCELS:
            self._begin(_State.GROUND)
        return iter(())

    def _string_escape(self, byte: int) -> Iterator[str]:
        """ST is two bytes; any other ESC ends the string and begins a new sequence."""
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
        """`ESC [ [ A` to `E` are the first function keys of the Linux console."""
        self._begin(_State.GROUND)
        return iter(()) if byte in b"ABCDE" else self._ground(byte)

    def _paste(self, byte: int) -> None:
        """Skip pasted bytes up to the end of the paste."""
        self._text = (self._text + bytes([byte]))[-len(_PASTED) :]
        if self._text == _PASTED:
            self._pasting = False
            self._begin(_State.GROUND)
