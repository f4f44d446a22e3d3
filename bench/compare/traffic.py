"""The bytes that are exchanged: one request, one answer, one stream, as OpenAI's SDK and API write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

Header = tuple[str, str]

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

MODEL = "gpt-4o-mini"
# The caller's.
KEY = "sk-bench-0123456789abcdefghijklmnopqrstuvwxyz"
_SYSTEM = (
    "You are the assistant of a logistics company's support desk. Answer in the customer's language, in at most "
    "four sentences, and never promise a delivery date. If the shipment number is missing, ask for it first. "
)
_SYSTEM_MESSAGE = {"role": "system", "content": _SYSTEM * 2}
_QUESTION = (
    "My parcel was announced for Tuesday, then for Thursday, and since yesterday the tracking page only says that "
    "it is being processed. The sender tells me to ask you, and your hotline tells me to ask the sender. "
)
_ANSWER = (
    "I am sorry that you are being sent back and forth. Could you tell me the shipment number, please? With it I "
    "can see which depot has your parcel and open an inquiry, so that nobody has to call again. "
)

# What the OpenAI SDK for Python sends beside Host and Content-Length.
HEADERS: tuple[Header, ...] = (
    ("Accept", "application/json"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("Content-Type", "application/json"),
    ("User-Agent", "OpenAI/Python 3.54.0"),
    ("X-Stainless-Lang", "python"),
    ("X-Stainless-Package-Version", "3.54.0"),
    ("X-Stainless-OS", "Linux"),
    ("X-Stainless-Arch", "x64"),
    ("X-Stainless-Runtime", "CPython"),
    ("X-Stainless-Runtime-Version", "3.11.7"),
    ("X-Stainless-Async", "false"),
    ("x-stainless-retry-count", "0"),
    ("x-stainless-read-timeout", "600"),
    ("Authorization", f"Bearer {KEY}"),
)
# What every event of a stream has.
_EVENT: dict[str, object] = {
    "id": "chatcmpl-C0123456789abcdefghijklmnopqr",
    "object": "chat.completion.chunk",
    "created": 1795683600,
    "model": MODEL,
    "service_tier": "default",
    "system_fingerprint": "fp_0123456789",
}
# What stands in the head of a provider's answer beside its framing.
_ANSWER_HEADERS: tuple[Header, ...] = (
    ("Date", "Thu, 26 Nov 2026 09:00:00 GMT"),
    ("Connection", "keep-alive"),
    ("x-request-id", "req_0123456789abcdef0123456789abcdef"),
    ("openai-organization", "bench"),
    ("openai-processing-ms", "412"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("x-content-type-options", "nosniff"),
)


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _head(first: str, headers: Iterable[Header]) -> bytes:
    return "".join([f"{first}\r\n", *(f"{name}: {value}\r\n" for name, value in headers), "\r\n"]).encode()


def body(*, stream: bool, usage: bool = True, size: int = 0) -> bytes:
    """Return a chat completion's request body: about 1.4 kB, or `size` bytes by a longer prompt.

    A stream asks for its `usage`.
    """
    asked: dict[str, object] = {
        "messages": [_SYSTEM_MESSAGE, {"role": "user", "content": _QUESTION * 3}],
        "model": MODEL,
        "temperature": 0.2,
        "max_tokens": 400,
    }
    if stream:
        asked["stream"] = True
    if stream and usage:
        asked["stream_options"] = {"include_usage": True}
    if (short := size - len(_dump(asked))) > 0:
        asked["messages"] = [_SYSTEM_MESSAGE, {"role": "user", "content": _QUESTION * 3 + _padding(short)}]
    return _dump(asked)


def _padding(size: int) -> str:
    return (_QUESTION * (size // len(_QUESTION) + 1))[:size]


def request(port: int, path: str, *, stream: bool, usage: bool = True, headers: Iterable[Header] = ()) -> bytes:
    """Return a whole POST to a proxy on this machine; `headers` are the ones that only this proxy needs."""
    content = body(stream=stream, usage=usage)
    own = (("Host", f"127.0.0.1:{port}"), ("Content-Length", str(len(content))))
    return _head(f"POST {path} HTTP/1.1", (*own, *HEADERS, *headers)) + content


def answer() -> bytes:
    """Return a whole unary answer: head, and a body of about 0.9 kB."""
    content = _dump(
        {
            "id": "chatcmpl-C0123456789abcdefghijklmnopqr",
            "object": "chat.completion",
            "created": 1795683600,
            "model": MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": _ANSWER * 2, "refusal": None, "annotations": []},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 287,
                "completion_tokens": 92,
                "total_tokens": 379,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            },
            "service_tier": "default",
            "system_fingerprint": "fp_0123456789",
        }
    )
    framing = (("Content-Type", "application/json"), ("Content-Length", str(len(content))))
    return _head("HTTP/1.1 200 OK", (*framing, *_ANSWER_HEADERS)) + content


def models() -> bytes:
    """Return the whole answer to a GET: a list of one model. Gateways that check their providers ask for it."""
    listed = {"id": MODEL, "object": "model", "created": 1721172741, "owned_by": "system"}
    content = _dump({"object": "list", "data": [listed]})
    framing = (("Content-Type", "application/json"), ("Content-Length", str(len(content))))
    return _head("HTTP/1.1 200 OK", (*framing, *_ANSWER_HEADERS)) + content


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(delta: dict[str, str], finish: str | None, *, usage: bool) -> bytes:
    data: dict[str, object] = {
        **_EVENT,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    if usage:  # where it is asked for, each event has it, and one at the end a number
        data["usage"] = None
    data["obfuscation"] = "kXw3"
    return _chunk(b"data: " + _dump(data) + b"\n\n")


def stream_head() -> bytes:
    """Return the head of a streamed answer."""
    framing = (("Content-Type", "text/event-stream; charset=utf-8"), ("Transfer-Encoding", "chunked"))
    return _head("HTTP/1.1 200 OK", (*framing, *_ANSWER_HEADERS))


def stream_event(*, usage: bool = True) -> bytes:
    """Return one event of a streamed answer in its chunk, about 300 bytes."""
    return _event({"content": " parcel"}, None, usage=usage)


def stream_end(*, usage: bool = True) -> bytes:
    """Return what ends a stream: the finish, the usage if it was asked for, `[DONE]`, the last chunk."""
    counted = b""
    if usage:
        tokens = {"prompt_tokens": 287, "completion_tokens": 92, "total_tokens": 379}
        counted = _chunk(b"data: " + _dump({**_EVENT, "choices": [], "usage": tokens}) + b"\n\n")
    return _event({}, "stop", usage=usage) + counted + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def whole(message: bytes) -> bool:
    """Tell whether these bytes are a complete request or answer, sized or chunked."""
    end = message.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = _LENGTH.search(message, 0, end + 2)
    if length:
        return len(message) >= end + 4 + int(length[1])
    return message.startswith(b"GET ") or message.endswith(b"0\r\n\r\n")
