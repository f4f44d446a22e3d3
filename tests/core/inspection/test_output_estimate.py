"""Estimated tokens of answers, in the forms that providers stream them in."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from aibridge_trio.core.inspection.output_estimate import OutputEstimate
from aibridge_trio.core.inspection.response import ResponseInspector

TEXT = "The quick brown fox jumps over the lazy dog, and then it rests for a while in the sun. " * 20
TOKENS = len(TEXT) / 4


def chat(text: str) -> bytes:
    delta = {"id": "chatcmpl-123456789", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5"}
    return json.dumps({**delta, "choices": [{"index": 0, "delta": {"content": text}}]}).encode()


def messages(text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return json.dumps({"type": "content_block_delta", "index": 0, "delta": delta}).encode()


def responses(text: str) -> bytes:
    kind = {"type": "response.output_text.delta", "item_id": "msg_0123456789", "output_index": 0}
    return json.dumps({**kind, "content_index": 0, "delta": text, "sequence_number": 7}).encode()


@pytest.mark.parametrize("event", [chat, messages, responses])
@pytest.mark.parametrize("piece", [4, 12, 40, 200])
def test_a_stream_is_estimated_whatever_its_pieces(event: Callable[[str], bytes], piece: int) -> None:
    """One token an event or fifty: within a third of what there is, pings among them or not."""
    estimate, at = OutputEstimate(), 0
    while at < len(TEXT):
        size = 1 + at * 7 % (2 * piece)
        estimate.add_event(event(TEXT[at : at + size]))
        estimate.add_event(b'{"type":"ping"}')
        at += size
    assert TOKENS * 0.66 <= estimate.tokens <= TOKENS * 1.34


def test_a_few_events_are_as_many_tokens() -> None:
    """An answer of which something came is never nothing."""
    estimate = OutputEstimate()
    for _ in range(3):
        estimate.add_event(b"x" * 200)
    assert estimate.tokens == 3


def test_padded_events_are_a_token_each() -> None:
    """OpenAI adds random text of many lengths, which no caller sees."""
    estimate = OutputEstimate()
    for number in range(50):
        estimate.add_event(chat("word")[:-1] + b',"obfuscation":"' + b"x" * (number * 7 % 16) + b'"}')
    assert estimate.tokens == 50


def test_bytes_are_four_to_a_token() -> None:
    """Of an answer that is not read as events."""
    inspector = ResponseInspector(200, media_type="application/json", readable=True)
    assert inspector.output == 0
    inspector.feed(b"x" * 50)
    inspector.feed(b"x" * 50)
    assert inspector.output == 25
