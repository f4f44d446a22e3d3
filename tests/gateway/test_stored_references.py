"""What bodies may not ask for with a central key."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from trio.testing import MockClock

from aibridge_trio.config.settings import Secret
from aibridge_trio.http.message import Reply, Request
from tests.support.network import Network

RESPONSES = "/openai/v1/responses"
CHAT = "/openai/v1/chat/completions"
MESSAGES = "/anthropic/v1/messages"
KEYS = {"openai_api_key": Secret("sk-central-0123"), "anthropic_api_key": Secret("sk-ant-central-0123")}


async def ok(request: Request, reply: Reply) -> None:
    async for _ in request.body:
        pass
    await reply.answer(200, [(b"content-type", b"application/json")], b"{}")


async def ask(network: Network, path: str, content: bytes, *, keys: bool = True, **options: Any) -> str:
    """Return the reject's reason, or the status."""
    for host in ("openai", "anthropic"):
        await network.answer(host, ok)
    headers = options.pop("headers", {})
    async with network.bridge(**(KEYS if keys else {}), **options) as bridge:
        answer = await bridge.client.post(path, content=content, headers=headers)
    return str(answer.headers.get("x-aibridge-reject", answer.status_code))


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"background":true}', "bad_request"),
        (b'{"b\\u0061ckground" : true}', "bad_request"),
        (b'{"background":false}', "200"),
        (b'{"background":"true"}', "200"),
        (b'{"input":{"background":true}}', "200"),
        (b"no json", "200"),
        (b"", "200"),
        (b'{"previous_response_id":"resp_1"}', "200"),
    ],
)
async def test_no_answer_in_the_background(
    autojump_clock: MockClock, network: Network, body: bytes, answer: str
) -> None:
    """A background answer is refused; on other routes, and with a caller's own key, bodies are not read."""
    assert await ask(network, RESPONSES, body) == answer
    assert await ask(network, CHAT, body) == "200"
    assert await ask(network, RESPONSES, body, keys=False) == "200"


def nested(name: str, value: object = "id_1") -> bytes:
    return json.dumps({"input": [{"content": [{"type": "input_file", name: value}]}]}).encode()


@pytest.mark.parametrize("path", [RESPONSES, CHAT, MESSAGES, "/openai/v1/responses/compact"])
@pytest.mark.parametrize(
    "said",
    [
        *(b'{"previous_response_id":"resp_1"}', b'{"conversation":{"id":"c"}}', b'{"prompt":{"id":"p"}}'),
        *(
            b'{"container":"c"}',
            nested("file_id"),
            nested("vector_store_ids", ["vs"]),
            nested("type", "item_reference"),
        ),
        *(b'{"x":{"fil\\u0065_id":"f"}}', b"{no json", b'{"a":1', gzip.compress(b'{"a":1}', mtime=0)),
        b'{"x":"' + b"x" * 70_000 + b'","y":{"file_id":"f"}}',
    ],
)
async def test_stored_references_can_be_refused(
    autojump_clock: MockClock, network: Network, path: str, said: bytes
) -> None:
    """A stored reference is refused at any place, also escaped, and so is a body that cannot be read."""
    headers = {"content-encoding": "gzip"} if said[:2] == b"\x1f\x8b" else {}
    assert await ask(network, path, said, stored_references=False, headers=headers) == "stored_reference"


@pytest.mark.parametrize(
    "said",
    [b'{"input":"the \\"file_id\\" is"}', b'{"conversation":null}', b'{"input":[{"role":"user","content":"hi"}]}'],
)
async def test_ordinary_bodies_go_up(autojump_clock: MockClock, network: Network, said: bytes) -> None:
    """Text that only mentions a name is allowed; with a caller's own key every reference is."""
    completions = "/openai/v1/completions"
    assert await ask(network, completions, b'{"prompt":"hi"}', stored_references=False) == "200"
    assert await ask(network, RESPONSES, said, stored_references=False) == "200"
    assert await ask(network, RESPONSES, nested("file_id"), stored_references=False, keys=False) == "200"
