"""Requests that two readers could read in two ways, and what a bridge makes of each.

Most hide a second request, for a target that ends in `-smuggled`, behind or in the first. `one` is the body with
which exactly the first reaches the provider; where it is None, nothing does.
After https://portswigger.net/research/http-desync-attacks and what has been found since.
"""

from __future__ import annotations

from typing import NamedTuple

_TARGET = b"/openai/v1/models/"


class Case(NamedTuple):
    """`data` is said; of `targets` only the first may ever arrive."""

    name: str
    data: bytes
    one: bytes | None

    @property
    def own(self) -> bytes:
        """The target of the first request, as its provider knows it."""
        return b"/v1/models/" + _slug(self.name)


def _slug(name: str) -> bytes:
    return b"".join(b"%c" % char if chr(char).isalnum() else b"-" for char in name.encode())


def _hidden(name: str) -> bytes:
    return b"GET %s%s-smuggled HTTP/1.1\r\nhost: localhost\r\nx: " % (_TARGET, _slug(name))


def _case(name: str, *lines: bytes, body: bytes = b"", one: bytes | None = None, first: bytes = b"") -> Case:
    """A GET with these lines and this body; HIDDEN and SIZE stand for the hidden request and the length."""
    first = first or b"GET TARGET HTTP/1.1"
    hidden = _hidden(name)
    body = body.replace(b"CHUNK", b"%x\r\n%s\r\n" % (len(hidden), hidden)).replace(b"HIDDEN", hidden)
    one = one.replace(b"HIDDEN", hidden) if one else one
    head = b"".join(line + b"\r\n" for line in (first, b"host: localhost", *lines)) + b"\r\n"
    head = head.replace(b"TARGET", _TARGET + _slug(name)).replace(b"SIZE", b"%d" % len(body))
    return Case(name, head + body, one)


_CL, _TE = b"content-length: SIZE", b"transfer-encoding: chunked"
_LAST = b"0\r\n\r\n"

# The length says that all is one body, the chunks that it ends at once.
_OBFUSCATED = {
    "a blank before the colon": b"transfer-encoding : chunked",
    "a tab before the colon": b"transfer-encoding\t: chunked",
    "a vertical tab": b"transfer-encoding: \x0bchunked",
    "a form feed": b"transfer-encoding: chunked\x0c",
    "a NUL": b"transfer-encoding: chunked\0",
    "a bare CR": b"transfer-encoding: chunked\r",
    "a bare CR before it": b"x: x\rtransfer-encoding: chunked",
    "a bare LF before it": b"x: x\ntransfer-encoding: chunked",
    "a bare LF in it": b"transfer-encoding\n: chunked",
    "folded": b"transfer-encoding:\r\n chunked",
    "folded into the line before": b"x: x\r\n transfer-encoding: chunked",
    "another coding behind": b"transfer-encoding: chunked, identity",
    "another coding before": b"transfer-encoding: gzip, chunked",
    "a coding that nobody knows": b"transfer-encoding: xchunked",
    "identity": b"transfer-encoding: identity",
    "quoted": b'transfer-encoding: "chunked"',
    "twice": b"transfer-encoding: chunked\r\ntransfer-encoding: chunked",
    "then something else": b"transfer-encoding: chunked\r\ntransfer-encoding: x",
    "a comma": b"transfer-encoding: ,chunked",
    "a parameter": b"transfer-encoding: chunked;x=y",
    "empty": b"transfer-encoding:",
    "upper case": b"TRANSFER-ENCODING: CHUNKED",
    "Latin-1": b"transfer-encoding: chunked\xa0",
    "named in Connection": b"connection: transfer-encoding\r\ntransfer-encoding: chunked",
}

_LENGTHS = {
    "different": b"content-length: SIZE\r\ncontent-length: 0",
    "different the other way": b"content-length: 0\r\ncontent-length: SIZE",
    "the same twice": b"content-length: SIZE\r\ncontent-length: SIZE",
    "a list": b"content-length: SIZE, SIZE",
    "a list of two": b"content-length: 0, SIZE",
    "a sign": b"content-length: +SIZE",
    "a minus": b"content-length: -0",
    "hex": b"content-length: 0xSIZE",
    "a blank in it": b"content-length: 0 SIZE",
    "a blank before the colon": b"content-length : SIZE",
    "a vertical tab": b"content-length:\x0bSIZE",
    "a fraction": b"content-length: SIZE.0",
    "an exponent": b"content-length: 1e9",
    "beyond 64 bits": b"content-length: 18446744073709551616",
    "beyond 64 bits by much": b"content-length: " + b"9" * 200,
    "empty": b"content-length:",
    "a NUL": b"content-length: 0\0SIZE",
    "folded": b"content-length:\r\n SIZE",
    "a bare LF before it": b"x: x\ncontent-length: SIZE",
    "Arabic digits": "content-length: ٣".encode(),
}

_CHUNKS = {
    "a size beyond 64 bits": b"10000000000000000\r\n" + _LAST + b"HIDDEN",
    "a size that wraps to 3": b"10000000000000003\r\nabc\r\n" + _LAST + b"HIDDEN",
    "a signed size": b"+3\r\nabc\r\n" + _LAST + b"HIDDEN",
    "a negative size": b"-1\r\n" + _LAST + b"HIDDEN",
    "a size of 0x3": b"0x3\r\nabc\r\n" + _LAST + b"HIDDEN",
    "a blank behind a size": b"3 \r\nabc\r\n" + _LAST + b"HIDDEN",
    "a blank before a size": b" 3\r\nabc\r\n" + _LAST + b"HIDDEN",
    "an underscore in a size": b"1_0\r\nabc\r\n" + _LAST + b"HIDDEN",
    "an empty size": b"\r\nabc\r\n" + _LAST + b"HIDDEN",
    "a bare LF behind a size": b"3\nabc\r\n" + _LAST + b"HIDDEN",
    "a bare CR behind a size": b"3\rabc\r\n" + _LAST + b"HIDDEN",
    "a bare LF behind a chunk": b"3\r\nabc\n" + _LAST + b"HIDDEN",
    "nothing behind a chunk": b"3\r\nabc" + _LAST + b"HIDDEN",
    "two bytes of something behind a chunk": b"3\r\nabcxx" + _LAST + b"HIDDEN",
    "a bare LF in an extension": b"3;\nxx\r\nabc\r\n" + _LAST + b"HIDDEN",
    "a bare CR in an extension": b"3;\rxx\r\nabc\r\n" + _LAST + b"HIDDEN",
    "a NUL in an extension": b"3;\0\r\nabc\r\n" + _LAST + b"HIDDEN",
    "a bare LF at the very end": b"3\r\nabc\r\n0\r\n\nHIDDEN",
    "a length in a trailer": b"3\r\nabc\r\n0\r\ncontent-length: 3\r\n\r\nHIDDEN",
    "a folded trailer": b"3\r\nabc\r\n0\r\nx: x\r\n y\r\n\r\nHIDDEN",
}

_FIRSTS = {
    "a bare LF behind the first line": b"GET TARGET HTTP/1.1\nx: x",
    "a tab": b"GET\tTARGET HTTP/1.1",
    "a blank at the end": b"GET TARGET HTTP/1.1 ",
    "two targets": b"GET TARGET /admin HTTP/1.1",
    "a NUL in the target": b"GET TARGET\0 HTTP/1.1",
    "a byte beyond ASCII": b"GET TARGET\xc3\xa9 HTTP/1.1",
    "lower case": b"get TARGET HTTP/1.1",
    "a colon before it": b":GET TARGET HTTP/1.1",
    "another protocol": b"DESCRIBE TARGET RTSP/1.0",
    "another protocol still": b"SOURCE TARGET ICE/1.0",
    "HTTP/1.2": b"GET TARGET HTTP/1.2",
    "HTTP/2.0": b"GET TARGET HTTP/2.0",
    "HTTP/01.1": b"GET TARGET HTTP/01.1",
    "HTTP/1.10": b"GET TARGET HTTP/1.10",
    "no version": b"GET TARGET",
    "absolute form": b"GET http://y/TARGET HTTP/1.1",
    "absolute form of a host": b"GET http://xTARGET HTTP/1.1",
    "absolute form, upper case": b"GET HTTP://xTARGET HTTP/1.1",
    "another scheme": b"GET file:///etc/passwd HTTP/1.1",
    "no slash": b"GET openai/v1/models HTTP/1.1",
    "an asterisk": b"OPTIONS * HTTP/1.1",
    "an authority": b"CONNECT x:443 HTTP/1.1",
    "a step up": b"GET /openai/v1/models/../../../admin HTTP/1.1",
    "a step up, quoted": b"GET /openai/v1/models/%2e%2e/%2E%2E/admin HTTP/1.1",
    "a step up, half quoted": b"GET /openai/v1/models/.%2e/admin HTTP/1.1",
    "a slash, quoted": b"GET /openai/v1/models%2f..%2fadmin HTTP/1.1",
    "two slashes": b"GET //openai/v1/models HTTP/1.1",
    "two slashes inside": b"GET /openai/v1//models/x HTTP/1.1",
    "a backslash": b"GET /openai/v1/models\\..\\admin HTTP/1.1",
    "a step within": b"GET /openai/v1/./models/x HTTP/1.1",
    "a parameter in a step": b"GET /openai/v1/models/..;/admin HTTP/1.1",
    "a fragment": b"GET /openai/v1/models/x#/../admin HTTP/1.1",
}

_HOSTS = {
    "twice": b"host: localhost",
    "another": b"host: y",
    "folded": b" host: y",
    "a blank before the colon": b"host : y",
}

CASES = [
    _case("CL and TE", _CL, _TE, body=_LAST + b"HIDDEN"),
    _case("TE and CL", _TE, b"content-length: 4", body=b"CHUNK" + _LAST),
    _case("CL 0 and TE", b"content-length: 0", _TE, body=b"CHUNK" + _LAST),
    *(_case(f"TE {name}", _CL, line, body=_LAST + b"HIDDEN") for name, line in _OBFUSCATED.items()),
    *(
        _case(f"TE alone {name}", line, body=_LAST + b"HIDDEN")
        for name, line in _OBFUSCATED.items()
        if name not in {"upper case", "named in Connection"}
    ),
    *(_case(f"CL {name}", line, body=b"HIDDEN") for name, line in _LENGTHS.items()),
    *(_case(f"chunks with {name}", _TE, body=body) for name, body in _CHUNKS.items()),
    *(_case(f"first line with {name}", first=line) for name, line in _FIRSTS.items()),
    *(_case(f"Host {name}", line) for name, line in _HOSTS.items()),
    _case("TE in HTTP 1.0", _TE, first=b"GET TARGET HTTP/1.0", body=_LAST + b"HIDDEN"),
    # These have one meaning, and it is not the hidden one.
    _case("two blanks", first=b"GET  TARGET HTTP/1.1", one=b""),
    _case("a name that llhttp takes for HTTP", first=b"GET TARGET RTSP/1.0", one=b""),
    _case("CL on a GET", _CL, body=b"HIDDEN", one=b"HIDDEN"),
    _case("CL named in Connection", b"connection: content-length", _CL, body=b"HIDDEN", one=b"HIDDEN"),
    _case("CL with zeros before", b"content-length: 000SIZE", body=b"HIDDEN", one=b"HIDDEN"),
    _case("CL with another name", _CL, b"content_length: 0", body=b"HIDDEN", one=b"HIDDEN"),
    _case(
        "TE with another name", _CL, b"transfer_encoding: chunked", body=_LAST + b"HIDDEN", one=_LAST + b"HIDDEN"
    ),
    _case("TE on a GET", _TE, body=b"CHUNK" + _LAST, one=b"HIDDEN"),
    _case("TE in another case", b"Transfer-Encoding: Chunked", body=b"CHUNK" + _LAST, one=b"HIDDEN"),
    _case("an extension", _TE, body=b"3;x=y\r\nabc\r\n" + _LAST, one=b"abc"),
    _case("a trailer", _TE, body=b"3\r\nabc\r\n0\r\nhost: y\r\nx-request-id: y\r\n\r\n", one=b"abc"),
    _case("zeros before a size", _TE, body=b"0003\r\nabc\r\n000\r\n\r\n", one=b"abc"),
    _case("Expect", b"expect: 100-continue", _CL, body=b"HIDDEN", one=b"HIDDEN"),
    _case("Expect of something else", b"expect: y 100-continue", _CL, body=b"HIDDEN", one=b"HIDDEN"),
]
