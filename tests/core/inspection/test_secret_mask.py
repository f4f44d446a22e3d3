"""A central key that its provider says back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from aibridge_trio.config.settings import Secret
from aibridge_trio.core.inspection.secret_mask import SecretMask
from aibridge_trio.http.message import Reply, Request
from tests.support.network import Network

KEY = "sk-sk-central-sk-0123"
CHAT = "/openai/v1/chat/completions"


def masked(secret: bytes, *pieces: bytes) -> bytes:
    mask = SecretMask(secret)
    return b"".join([*map(mask.feed, pieces), mask.end()])


@given(
    st.lists(st.sampled_from([b"a", b"b", b"ab", b"aab", b"aabaab"]), max_size=12).map(b"".join),
    st.lists(st.integers(0, 60), max_size=5).map(sorted),
)
def test_wherever_it_is_cut(data: bytes, cuts: list[int]) -> None:
    """However the data is cut, the whole key is hidden, nothing else changes, and the length stays."""
    pieces = [data[at:to] for at, to in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert masked(b"aab", *pieces) == data.replace(b"aab", b"***")


def test_only_the_beginning_is_looked_at() -> None:
    """After the first 64 KiB pieces pass unchanged, and nothing is kept; a stream's error may come later."""
    long = b"x" * 70_000
    assert masked(b"secret", long, b"secret") == long + b"secret"
    assert masked(b"secret", b"sec", b"x") == b"secx"
    mask = SecretMask(b"secret", stream=True)
    assert [mask.feed(piece) for piece in (long, b"a secret, a sec", b"ret\n", b"s")] == [
        long,
        b"a ******, a ",
        b"******\n",
        b"",
    ]


@pytest.mark.parametrize("status", [200, 401, 500])
@pytest.mark.parametrize("sized", [True, False])
async def test_it_does_not_reach_a_caller(
    autojump_clock: MockClock, network: Network, status: int, sized: bool
) -> None:
    """A central key is masked in headers and bodies, also with 200, however sent; a caller's own is not."""
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}."}}).encode()

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        head = [(b"x-key", b"<%s>" % KEY.encode()), (b"content-type", b"application/json")]
        await reply.start(status, [*head, (b"content-length", b"%d" % len(body))] if sized else head)
        for at in range(0, len(body), 7):
            await reply.send(body[at : at + 7])
        await reply.end()

    await network.answer("openai", provider)
    async with network.bridge(openai_api_key=Secret(KEY), forward_caller_keys=True) as bridge:
        answer = await bridge.client.post(CHAT, content=b"{}")
        assert answer.headers["x-key"] == "<" + "*" * len(KEY) + ">"
        assert KEY not in answer.text
        assert len(answer.content) == len(body)
        own = await bridge.client.post(CHAT, content=b"{}", headers={"authorization": f"Bearer {KEY}"})
        assert own.content == body


async def test_a_stream_is_masked_to_its_end(autojump_clock: MockClock, network: Network) -> None:
    """Its error comes with 200, after any number of events."""
    event = b'data: {"choices": [{"index": 0, "delta": {"content": "s"}}]}\n\n'

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.start(200, [(b"content-type", b"text/event-stream")])
        for _ in range(2000):
            await reply.send(event)
        await reply.send(b'data: {"error": {"message": "the key %b is not good"}}\n\n' % KEY.encode())
        await reply.end()

    await network.answer("openai", provider)
    async with network.bridge(openai_api_key=Secret(KEY)) as bridge:
        answer = await bridge.client.post(CHAT, content=b"{}")
    assert answer.content == event * 2000 + answer.content[len(event) * 2000 :]
    assert f"the key {'*' * len(KEY)} is not good" in answer.text
    assert KEY not in answer.text
