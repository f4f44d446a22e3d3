"""Forty calls at once of one key, with the SDKs as they are, against a rate that all of them obey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import anthropic
import openai
import pytest

from tests.real.test_clients import answered, in_node
from tests.support.processes import ASK, PATIENCE, TEXT, Bridge, Provider, a_bridge

pytestmark = pytest.mark.real

CALLS = 40
LIMITS = ("--max-concurrency", "10", "--rate-limit", "5")
Sdk = Callable[[Bridge], AbstractContextManager[Callable[[int], bool]]]
GPT_IN_NODE = f"""
const {{OpenAI}} = require("openai");
const client = new OpenAI();
const ask = {{model: "m", messages: [{{role: "user", content: "hello"}}]}};
const one = async () => (await client.chat.completions.create(ask)).choices[0].message.content === "{TEXT}";
"""
CLAUDE_IN_NODE = f"""
const {{Anthropic}} = require("@anthropic-ai/sdk");
const client = new Anthropic();
const ask = {{model: "m", max_tokens: 99, messages: [{{role: "user", content: "hello"}}]}};
const one = async () => (await client.messages.create(ask)).content[0].text === "{TEXT}";
"""


@contextmanager
def gpt(bridge: Bridge) -> Iterator[Callable[[int], bool]]:
    """Yield one call of OpenAI's SDK, which says whether it was served."""
    with bridge.gpt(retries=2, timeout=6 * PATIENCE) as client:

        def ask(_: int) -> bool:
            try:
                answer = client.chat.completions.create(model="m", messages=ASK)
            except openai.APIStatusError:
                return False
            return answer.choices[0].message.content == TEXT

        yield ask


@contextmanager
def claude(bridge: Bridge) -> Iterator[Callable[[int], bool]]:
    """Yield one call of Anthropic's SDK, which says whether it was served."""
    with bridge.claude(retries=2, timeout=6 * PATIENCE) as client:

        def ask(_: int) -> bool:
            try:
                answer = client.messages.create(model="m", max_tokens=99, messages=ASK)
            except anthropic.APIStatusError:
                return False
            return answer.content[0].type == "text" and answer.content[0].text == TEXT

        yield ask


def in_python(sdk: Sdk, bridge: Bridge) -> int:
    """Return how many of a burst are served."""
    with sdk(bridge) as ask, ThreadPoolExecutor(CALLS) as pool:
        return sum(pool.map(ask, range(CALLS)))


@pytest.mark.parametrize("sdk", [gpt, claude])
def test_a_burst_is_served(sdk: Sdk, provider: Provider) -> None:
    """Nearly all have their turn within the two retries of an SDK."""
    provider.script({"delay": 0.5, "times": CALLS})
    with a_bridge(*LIMITS, provider=provider) as bridge:
        assert in_python(sdk, bridge) >= CALLS * 9 // 10
        assert bridge.rejects("rate_limit") >= CALLS - 10


@pytest.mark.parametrize("sdk", [gpt, claude])
def test_with_a_queue_all_are_served(sdk: Sdk, provider: Provider) -> None:
    """Each waits in the bridge for its turn; not one is refused."""
    provider.script({"delay": 0.5, "times": CALLS})
    with a_bridge(*LIMITS, "--queue-size", str(CALLS), provider=provider) as bridge:
        assert in_python(sdk, bridge) == CALLS
        assert answered(bridge, CALLS) == [("POST", 200)] * CALLS


@pytest.mark.parametrize("ask", [GPT_IN_NODE, CLAUDE_IN_NODE], ids=["openai", "anthropic"])
def test_a_burst_in_node(ask: str, provider: Provider, tmp_path: Path) -> None:
    """The same in Node, whose SDKs sleep no longer than a minute."""
    provider.script({"delay": 0.5, "times": CALLS})
    program = f"""
{ask}
const calls = await Promise.allSettled(Array.from({{length: {CALLS}}}, one));
console.log(calls.filter(call => call.value === true).length);
"""
    with a_bridge(*LIMITS, provider=provider) as bridge:
        done = in_node(program, bridge, tmp_path)
        assert int(done.stdout) >= CALLS * 9 // 10, done.stderr
        assert bridge.rejects("rate_limit") >= CALLS - 10
