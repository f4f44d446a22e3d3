"""Members of a JSON object's top level, read from a request's body as it arrives, in bounded memory and work.

The grammar is that of RFC 8259; reading ends at the first violation. Three extensions are accepted because widely
used parsers accept them: a UTF-8 byte order mark, `NaN` and `Infinity`, and any byte in a string. Otherwise a body
could show a member to the provider and hide it from the bridge. For the same reason depth and the length of
numbers are not limited. Names are decoded before they are compared; of several members with one name, the last
counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from aibridge_trio.core.inspection.json_lexer import (
    BOM,
    LONGEST_RAW,
    PART_OF_ESCAPE,
    REST_OF_TEXT,
    SCALAR,
    SKIP,
    SPACE,
    decoded,
    is_part_of_word,
    shortened,
)
from aibridge_trio.core.inspection.wanted_members import Kind, Value, Wanted, meaning

# Bytes, and steps of the reader, between two pauses: either takes less than a millisecond.
_SLICE = 16 * 1024
_STEPS = 256
# Steps that a whole body may take. A message or a tool takes about ten, however long it is; only a body made to be
# expensive takes more.
MAX_STEPS = 100_000


# A number at the end of a piece is kept unchanged up to this length (bytes).
_SHORT = 64


class _State(Enum):
    """What the grammar expects next."""

    BEGIN = auto()
    FIRST_NAME = auto()
    NAME = auto()
    COLON = auto()
    FIRST_VALUE = auto()
    VALUE = auto()
    AFTER = auto()


_OBJECT, _ARRAY = b"{"[0], b"["[0]
_CLOSERS = {b"}"[0]: _OBJECT, b"]"[0]: _ARRAY}


class MemberReader:
    """Reads a body piece by piece; `found` has the wanted members read so far.

    `done`: the object has ended, the body is not an object, or there is a `fault`, which says why the rest cannot
    be read.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.found: dict[str, Value] = {}
        self.done = False
        self.fault: str | None = None
        self._wanted = wanted
        self._state = _State.BEGIN
        self._open = bytearray()  # the open containers, by their first bytes
        self._in_string = False
        self._text = bytearray()
        self._name: str | None = None
        self._rest = b""
        self._at = 0  # offset of `_rest` in the body
        self._steps = 0
        self._spare = 0  # bytes of this slice that may still be parsed in vain
        self._characters: str | None = None  # this slice as text, once that is needed

    def feed(self, piece: bytes) -> Iterator[None]:
        """Read the next piece; yield after each slice, which takes less than a millisecond."""
        for start in range(0, len(piece), _SLICE):
            if self.done:
                return
            data = self._rest + piece[start : start + _SLICE]
            self._rest = b""
            self._spare = len(data)
            self._characters = None
            at = 0
            while at < len(data) and not self.done:
                if self._steps % _STEPS == _STEPS - 1:
                    yield
                self._steps += 1
                if self._steps > MAX_STEPS:
                    self._fail("it is too intricate")
                    return
                at = self._string_step(data, at) if self._in_string else self._step(data, at)
            self._at += at
            yield

    def close(self) -> None:
        """Note the end of the body."""
        if not self.done and (self._rest or self._state is not _State.BEGIN):
            self._fail(f"it ends at byte {self._at}, within its JSON")
        self.done = True

    def _step(self, data: bytes, at: int) -> int:
        """Read as much as one pattern matches; return the end of it."""
        if space := SPACE.match(data, at):
            at = space.end()
        if at == len(data):
            return at
        match self._state:
            case _State.BEGIN:
                read = self._begin
            case _State.FIRST_NAME | _State.NAME:
                read = self._member
            case _State.COLON:
                read = self._colon
            case _State.FIRST_VALUE | _State.VALUE:
                read = self._value
            case _State.AFTER:
                read = self._after
        return read(data, at)

    def _begin(self, data: bytes, at: int) -> int:
        if self._at == at == 0 and BOM.startswith(data[:3]):
            if len(data) < len(BOM):
                return self._keep(data, at)
            at = len(BOM)
            if space := SPACE.match(data, at):
                at = space.end()
            if at == len(data):
                return at
        if data[at] == _OBJECT:
            self._open.append(_OBJECT)
            self._state = _State.FIRST_NAME
            return at + 1
        if data[at] in b'["-0123456789tfnNI':
            self.done = True
            return at
        return self._violation(at)

    def _member(self, data: bytes, at: int) -> int:
        run = (self._wanted.top if len(self._open) == 1 else self._wanted.members).match(data, at)
        if run and run.end() > at:
            self._state = _State.NAME
            return run.end()
        if data[at] == b'"'[0]:
            return self._begin_string(data, at)
        if data[at] == b"}"[0] and self._state is _State.FIRST_NAME:
            return self._after(data, at)
        return self._violation(at)

    def _colon(self, data: bytes, at: int) -> int:
        if data[at] != b":"[0]:
            return self._violation(at)
        self._state = _State.VALUE
        return at + 1

    def _value(self, data: bytes, at: int) -> int:
        if self._open[-1] == _ARRAY:
            run = self._wanted.items.match(data, at)
            if run and run.end() > at:
                self._state = _State.VALUE
                return run.end()
        match data[at : at + 1]:
            case b'"':
                return self._begin_string(data, at)
            case b"[" | b"{":
                if self._name is not None:
                    self._found(Kind.OPAQUE)
                if end := self._container(data, at):
                    self._state = _State.AFTER
                    return end
                self._open.append(data[at])
                self._state = _State.FIRST_VALUE if data[at] == _ARRAY else _State.FIRST_NAME
                return at + 1
            case b"]" if self._state is _State.FIRST_VALUE:
                return self._after(data, at)
        return self._word(data, at)

    def _container(self, data: bytes, at: int) -> int:
        """Return the end of a container, 0 if it does not end in this slice or is not JSON."""
        if self._spare <= 0:
            return 0
        if self._characters is None:
            self._characters = data.decode("latin-1")  # a character for each byte
        try:
            _, end = SKIP.raw_decode(self._characters, at)
        except (ValueError, RecursionError):
            self._spare -= len(data) - at
            return 0
        return end

    def _word(self, data: bytes, at: int) -> int:
        if word := SCALAR.match(data, at):
            if self._name is not None:
                self._found(meaning(word[0]))
            self._state = _State.AFTER
            return word.end()
        rest = data[at:]
        if is_part_of_word(rest):
            return self._keep(data, at)
        return self._violation(at)

    def _after(self, data: bytes, at: int) -> int:
        if data[at] == b","[0] and self._state is _State.AFTER:
            self._state = _State.NAME if self._open[-1] == _OBJECT else _State.VALUE
            return at + 1
        if _CLOSERS.get(data[at]) != self._open[-1]:
            return self._violation(at)
        self._open.pop()
        self._state = _State.AFTER
        self.done = not self._open
        return at + 1

    def _begin_string(self, data: bytes, at: int) -> int:
        self._text.clear()
        self._in_string = True
        return at + 1 if at + 1 == len(data) else self._string_step(data, at + 1)

    def _string_step(self, data: bytes, at: int) -> int:
        """Read on in a string, to its end or the end of the slice."""
        match = REST_OF_TEXT.match(data, at)
        end = match.end() if match else at
        if len(self._open) == 1 and len(self._text) < LONGEST_RAW:
            self._text += data[at:end]
        if end == len(data):
            return end
        if data[end] == b'"'[0]:
            self._end_of_string()
            return end + 1
        if PART_OF_ESCAPE.fullmatch(data, end):
            return self._keep(data, end)
        return self._violation(end)

    def _end_of_string(self) -> None:
        self._in_string = False
        top = len(self._open) == 1
        if self._state in {_State.FIRST_NAME, _State.NAME}:
            if top:
                name = decoded(self._text)
                self._name = name if name in self._wanted.names else None
            self._state = _State.COLON
            return
        if top and self._name is not None:
            self._found(decoded(self._text))
        self._state = _State.AFTER

    def _found(self, value: Value) -> None:
        assert self._name is not None
        self.found[self._name] = value
        self._name = None

    def _keep(self, data: bytes, at: int) -> int:
        """Keep the rest until the next slice; a long number is shortened."""
        rest = data[at:]
        self._rest = rest if len(rest) <= _SHORT else shortened(rest)
        self._at -= len(rest)
        return len(data)

    def _violation(self, at: int) -> int:
        self._fail(f"it is no JSON from byte {self._at + at} on")
        return at

    def _fail(self, fault: str) -> None:
        self.fault = fault
        self.done = True
