"""Bytes to keys: the same ones however they arrive, and no others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.top.keyboard import KEYS, Decoder

# Pieces of what terminals send: keys, sequences of every kind, and what is neither.
PIECES = st.one_of(
    st.text(max_size=3).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=4),
    st.sampled_from(
        [
            b"\x1b[A",
            b"\x1bOB",
            b"\x1b[1;5C",
            b"\x1b[200~",
            b"\x1b[<0;12;7M",
            b"\x1b[?1;2c",
            b"\x1b[ q",
            b"\x1b",
            b"\x1b[",
            b"\x1bO",
            b"\x1b\n",
            b"\x1b[" + b"1" * 50,
            b"\x03",
            b"\x7f",
            "日".encode(),
        ]
    ),
)
STREAMS = st.lists(PIECES, max_size=12).map(b"".join)


def keys(*pieces: bytes) -> list[str]:
    """What these pieces are, one read each, when nothing comes after them."""
    decoder = Decoder()
    return [key for piece in pieces for key in decoder.feed(piece)] + decoder.flush()


@given(STREAMS, st.data())
def test_cuts_do_not_matter(stream: bytes, data: st.DataObject) -> None:
    """However a stream is cut into reads, it is the same keys."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert keys(*pieces) == keys(stream) == keys(*(bytes([byte]) for byte in stream))


@given(STREAMS)
def test_a_key_is_a_character_or_a_name(stream: bytes) -> None:
    """Nothing that a terminal would obey becomes a key."""
    names = {"up", "down", "left", "right", "enter", "backspace", "escape", "interrupt"}
    assert all(key in names or (len(key) == 1 and key.isprintable()) for key in keys(stream))


@given(STREAMS, STREAMS)
def test_a_flush_leaves_nothing_behind(one: bytes, other: bytes) -> None:
    """After a flush nothing is pending, and what comes next is read by itself."""
    decoder = Decoder()
    decoder.feed(one)
    decoder.flush()
    assert not decoder.pending
    # A character that is cut in its middle is no key yet, and not forgotten.
    if one.decode("utf-8", "ignore").encode() == one and other.isascii():
        assert decoder.feed(other) + decoder.flush() == keys(other)


@given(st.text(max_size=30).filter(str.isprintable))
def test_printable_characters_are_themselves(text: str) -> None:
    """What is typed is what is read, in every script."""
    assert keys(text.encode("utf-8", "surrogatepass")) == list(text)


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        (b"\x1b[A", "up"),
        (b"\x1b[B", "down"),
        (b"\x1bOA", "up"),
        (b"\x1bOB", "down"),
        (b"\x1b[C", "right"),
        (b"\x1bOD", "left"),
        (b"\r", "enter"),
        (b"\n", "enter"),
        (b"\x7f", "backspace"),
        (b"\x08", "backspace"),
        (b"\x03", "interrupt"),
        (b"\x1b", "escape"),
        (b" ", " "),
        ("é".encode(), "é"),
    ],
)
def test_keys_have_names(sent: bytes, key: str) -> None:
    """What a key sends, in both of a terminal's modes, is that key."""
    assert keys(sent) == [key]


ARROWS = {b"\x1b[" + letter for letter in (b"A", b"B", b"C", b"D")}
# ECMA-48 5.4: any parameters, any intermediates, one final byte.
SEQUENCES = st.builds(
    lambda parameters, between, final: f"\x1b[{parameters}{between}{final}".encode(),
    st.text("0123456789:;<=>?", max_size=60),
    st.text(" !\"#$%&'()*+,-./", max_size=3),
    st.sampled_from([chr(code) for code in range(0x40, 0x7F)]),
).filter(lambda sequence: sequence not in {*ARROWS, b"\x1b[M", b"\x1b[[", b"\x1b[200~"})


@given(SEQUENCES, st.integers(0, 70))
def test_unknown_sequences_are_dropped(sequence: bytes, cut: int) -> None:
    """A sequence that is not known here is no key at all, nor are its parts, however long it is."""
    assert keys(b"j" + sequence + b"k") == ["j", "k"]
    assert keys(sequence[:cut], sequence[cut:] + b"k") == ["k"]


@pytest.mark.parametrize("broken", [b"\x1b[", b"\x1b[12;", b"\x1bO", b"\x1b[" + b"7" * 90])
def test_a_broken_sequence_hides_no_interrupt(broken: bytes) -> None:
    """Ctrl-C is Ctrl-C also where the rest of a sequence was to come."""
    assert keys(broken + b"\x03") == ["interrupt"]
    assert keys(broken, b"\x03") == ["interrupt"]


# What else terminals send by themselves: reports of the terminal, mice, pastes, focus.
PAYLOADS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40).map(str.encode)
STRINGS = st.builds(
    lambda opener, payload, end: b"\x1b" + opener + payload + end,
    st.sampled_from([b"]", b"P", b"_", b"^", b"X"]),
    st.one_of(PAYLOADS, st.just("qoy日".encode())),
    st.sampled_from([b"\x1b\\", b"\x07"]),
)
MICE = st.one_of(
    st.binary(min_size=3, max_size=3).filter(lambda where: not set(where) & {0x03, 0x1B}).map(b"\x1b[M".__add__),
    st.builds(
        lambda b, x, y, end: f"\x1b[<{b};{x};{y}{end}".encode(), *[st.integers(0, 999)] * 3, st.sampled_from("mM")
    ),
    st.builds(lambda b, x, y: f"\x1b[{b};{x};{y}M".encode(), *[st.integers(0, 999)] * 3),
)
PASTES = st.one_of(
    PAYLOADS, st.binary(max_size=30).filter(lambda text: b"\x03" not in text and b"\x1b" not in text)
).map(lambda text: b"\x1b[200~" + text + b"\x1b[201~")
SHIFTED = st.builds(
    lambda before, final: b"\x1bO" + before + final,
    st.sampled_from([b"", b"2", b"1;5"]),
    st.sampled_from([bytes([code]) for code in range(0x40, 0x7F) if code not in b"ABCD"]),
)
CONTROLS = st.one_of(
    SEQUENCES, STRINGS, MICE, PASTES, SHIFTED, st.sampled_from([b"\x1b[I", b"\x1b[O", b"\x1b[[A", b"\x1b[[E"])
)


@given(
    st.lists(st.tuples(CONTROLS, st.sampled_from(["", "j", "q", "日", "o"])), max_size=8),
    st.data(),
)
def test_what_is_no_key_operates_nothing(sent: list[tuple[bytes, str]], data: st.DataObject) -> None:
    """Control sequences of every kind, wherever they are cut, are no keys; keys between them are, in order."""
    stream = b"".join(control + key.encode() for control, key in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    decoder = Decoder()
    found = [
        key
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for key in decoder.feed(stream[start:end])
    ]
    assert found == [key for _, key in sent if key]
    assert not decoder.pending


@pytest.mark.parametrize(
    "sent",
    [
        b"\x1b[M !!",
        b"\x1b[M#qo",
        b"\x1b[M\x20\xff\xfe",
        b"\x1b]11;rgb:0c0c/0c0c/0c0c\x1b\\",
        b"\x1b]11;rgb:0c0c/0c0c/0c0c\x07",
        b"\x1bP>|xterm(388)\x1b\\",
        b"\x1b_Gi=31;OK\x1b\\",
        b"\x1b[200~qoy\r\x1b[Aq\x1b[201~",
        b"\x1bO5Q",
    ],
)
def test_no_click_or_answer_is_a_key(sent: bytes) -> None:
    """A mouse click does not quit, a late color report opens no question, a paste answers none."""
    for cut in range(len(sent)):
        decoder = Decoder()
        assert (decoder.feed(sent[:cut]) + decoder.feed(sent[cut:] + b"j"), decoder.pending) == (["j"], False), cut


@pytest.mark.parametrize(
    "begun", [b"\x1b]11;", b"\x1bPq", b"\x1b[200~abc", b"\x1b[M ", b"\x1b]0;a\x1b", b"\x1b[[", b"\x1b[2"]
)
def test_what_never_ends_is_given_up(begun: bytes) -> None:
    """After a second without a byte what has begun is dropped, and the next key is a key; Ctrl-C always is one."""
    decoder = Decoder()
    assert (decoder.feed(begun), decoder.pending, decoder.timeout) == ([], True, 1.0)
    assert (decoder.flush(), decoder.pending, decoder.feed(b"q")) == ([], False, ["q"])
    assert keys(begun + b"\x03") == keys(begun, b"\x03") == ["interrupt"]
    assert keys(begun + b"\x03q") == ["interrupt", "q"]


@pytest.mark.parametrize("cancel", [b"\x18", b"\x1a"])
def test_a_sequence_can_be_cancelled(cancel: bytes) -> None:
    """CAN and SUB end a sequence, and are no keys."""
    assert keys(b"\x1b]0;title" + cancel + b"k") == keys(b"\x1b[12;" + cancel + b"k") == ["k"]


def test_an_unfinished_string_does_not_hide_the_next_sequence() -> None:
    """Where a string breaks off, an arrow behind it is an arrow."""
    assert keys(b"\x1b]0;title\x1b[Aj") == ["up", "j"]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_strings_take_no_memory(pieces: list[bytes]) -> None:
    """However long a string or a paste is, of it nothing is kept."""
    for opener in (b"\x1b]", b"\x1b[200~"):
        decoder = Decoder()
        decoder.feed(opener)
        for piece in pieces:
            decoder.feed(piece)
            assert len(decoder._text) <= 32


def test_esc_alone_waits_for_what_may_follow() -> None:
    """An Esc at the end of a read is pending; a flush says that it was the key."""
    decoder = Decoder()
    assert (decoder.feed(b"j\x1b"), decoder.pending) == (["j"], True)
    assert (decoder.flush(), decoder.pending) == (["escape"], False)


def test_an_arrow_may_come_in_pieces() -> None:
    """After the rest has come, Esc was no key."""
    decoder = Decoder()
    found = [decoder.feed(bytes([byte])) for byte in b"\x1b[A"]
    assert (found, decoder.pending) == ([[], [], ["up"]], False)


def test_esc_before_another_key_is_a_key() -> None:
    """What cannot be a sequence is read at once, without waiting."""
    decoder = Decoder()
    assert (decoder.feed(b"\x1bq\x1b\x1b[B\x1b\r"), decoder.pending) == (
        ["escape", "q", "escape", "down", "escape", "enter"],
        False,
    )
    assert (decoder.feed(b"\x1b\n"), decoder.pending) == (["escape", "enter"], False)


def test_a_character_cut_in_its_middle_is_one_key() -> None:
    """The bytes of a character may come in two reads, and the first ones alone are nothing to wait for."""
    decoder = Decoder()
    assert (decoder.feed("日".encode()[:2]), decoder.pending) == ([], False)
    assert decoder.feed("日".encode()[2:]) == ["日"]


def test_what_is_no_text_is_dropped() -> None:
    """Bytes that are not UTF-8 and control codes without a meaning are no keys."""
    assert keys(b"a\xff\xfe\x80b\x00\x01\x1fc\xc2\x9bd") == ["a", "b", "c", "d"]


@given(st.lists(st.sampled_from([b"1", b";", b" ", b"?" * 40]), min_size=40, max_size=100))
def test_what_is_pending_is_bounded(pieces: list[bytes]) -> None:
    """A sequence that never ends fills no memory, and is dropped in the end."""
    decoder = Decoder()
    decoder.feed(b"\x1b[")
    for piece in pieces:
        assert decoder.feed(piece) == []
        assert len(decoder._text) <= 32
    assert decoder.feed(b"Ak") == ["k"]


def test_every_key_says_what_it_does() -> None:
    """Each line of the help has its keys, its sense, and is named once."""
    named = [key for each in KEYS for key in each.keys.split(", ")]
    assert len(named) == len(set(named))
    assert all(each.keys and each.does for each in KEYS)


def test_the_foot_names_keys_that_are_in_the_help() -> None:
    """What the last line says of a key begins with one of its own names."""
    for each in KEYS:
        word = each.short.partition(" ")[0]
        known = {key for other in KEYS for key in other.keys.split(", ")}
        assert word in known or set(word.replace("/", "") or word) <= known
