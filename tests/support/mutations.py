"""Messages that are almost right."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

# Bytes that mean something to parsers, and some that should not be there.
_TELLING = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"0", b"9", b"f", b"-", b"\x0b", b"\xff"]
_LINES = [
    *(b"content-length: 3\r\n", b"transfer-encoding: chunked\r\n", b"host: x\r\n", b"connection: close\r\n"),
    *(
        b"connection: upgrade\r\nupgrade: h2c\r\n",
        b"expect: 100-continue\r\n",
        b"0\r\n\r\n",
        b"\r\n\r\n",
        b" x\r\n",
    ),
]


@st.composite
def mutated(draw: st.DrawFn, messages: st.SearchStrategy[bytes]) -> bytes:
    """One of these messages, with a few bytes changed, left out, put in or said twice."""
    data = draw(messages)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.integers(0, 30)))
        match draw(st.sampled_from(["change", "leave out", "put in", "repeat", "cut"])):
            case "change":
                data = data[:at] + draw(st.sampled_from(_TELLING)) + data[at + 1 :]
            case "leave out":
                data = data[:at] + data[to:]
            case "put in":
                data = data[:at] + draw(st.sampled_from([*_TELLING, *_LINES])) + data[at:]
            case "repeat":
                data = data[:to] + data[at:]
            case _:
                data = data[:to]
    return data


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """The same bytes in several parts."""
    return [data[a:b] for a, b in pairwise([0, *sorted(n % (len(data) + 1) for n in at), len(data)])]


places = st.lists(st.integers(0, 10_000), max_size=12)
