"""What is said of a path that leads nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from aibridge_trio.events import Finished
from aibridge_trio.providers.anthropic import ANTHROPIC
from aibridge_trio.providers.base_url_hints import hint
from aibridge_trio.providers.copilot import COPILOT
from aibridge_trio.providers.openai import OPENAI
from tests.support.network import Network

KNOWN = (OPENAI, ANTHROPIC, COPILOT)


@pytest.mark.parametrize(
    ("method", "path", "right", "base"),
    [
        ("POST", "/openai/chat/completions", "/openai/v1/chat/completions", ".../openai/v1"),
        ("POST", "/openai/responses", "/openai/v1/responses", ".../openai/v1"),
        ("GET", "/openai/models", "/openai/v1/models", ".../openai/v1"),
        ("POST", "/openai/v1/v1/chat/completions", "/openai/v1/chat/completions", ".../openai "),
        ("POST", "/v1/chat/completions", "/openai/v1/chat/completions", ".../openai/v1"),
        ("POST", "/v1/v1/chat/completions", "/openai/v1/chat/completions", ".../openai/v1"),
        ("POST", "/chat/completions", "/openai/v1/chat/completions", ".../openai/v1"),
        ("POST", "/openai/openai/v1/chat/completions", "/openai/v1/chat/completions", ".../openai/v1"),
        ("POST", "/OpenAI/v1/chat/completions", "/openai/v1/chat/completions", ".../openai/v1"),
        ("POST", "/openai/deployments/gpt-5/chat/completions", "/openai/v1/chat/completions", ".../openai/v1"),
        ("POST", "/api/v1/embeddings", "/openai/v1/embeddings", ".../openai/v1"),
        ("GET", "/v1/models/gpt-5", "/anthropic/v1/models/gpt-5", ".../anthropic"),
        ("POST", "/v1/messages", "/anthropic/v1/messages", ".../anthropic"),
        ("POST", "/messages", "/anthropic/v1/messages", ".../anthropic/v1"),
        ("POST", "/anthropic/messages", "/anthropic/v1/messages", ".../anthropic/v1"),
        ("POST", "/anthropic/v1/v1/messages", "/anthropic/v1/messages", ".../anthropic"),
        ("POST", "/anthropic/v1/messages/", "/anthropic/v1/messages", "without a slash"),
        ("POST", "/openai/v1//chat/completions", "/openai/v1/chat/completions", "without a slash"),
        ("POST", "//openai/v1/chat/completions", "/openai/v1/chat/completions", "without another slash"),
        ("POST", "/openai/v1/chat/completions/", "/openai/v1/chat/completions", "without a slash"),
        ("GET", "/openai/v1//models/gpt-5", "/openai/v1/models/gpt-5", "without a slash"),
        ("POST", "/copilot/v1/chat/completions", "/copilot/chat/completions", ".../copilot"),
    ],
)
def test_the_usual_wrong_base_urls(method: str, path: str, right: str, base: str) -> None:
    """Without a version, with two, without a prefix, with an extra slash: the hint has the right base URL."""
    said = hint(KNOWN, method, path)
    assert said
    assert f"the path is {right}: " in said + " "
    assert base in said + " "


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/favicon.ico"),
        ("GET", "/openai/v1/evals"),
        ("POST", "/openai/v1/chat"),
        ("DELETE", "/openai/v1/chat/completions"),
        ("POST", ""),
        ("OPTIONS", "*"),
        ("GET", "/openai/v1/models/..%2Ffiles"),
        ("GET", "/v1/models/%2e%2e"),
    ],
)
def test_nothing_is_said_where_nothing_is_known(method: str, path: str) -> None:
    """A path of which no end is a route's, or that is right but for its method."""
    assert hint(KNOWN, method, path) is None


@given(
    st.text(max_size=60), st.lists(st.sampled_from(["openai", "v1", "messages", "", "models", "x"]), max_size=30)
)
def test_any_path_is_read(text: str, parts: list[str]) -> None:
    """For any path; the path in a hint leads to a route."""
    for path in (text, "/" + "/".join(parts)):
        said = hint(KNOWN, "POST", path)
        if said:
            right = said.removeprefix("the path is ").partition(": ")[0]
            assert any(
                right.startswith(known.prefix) and known.route(method, right.removeprefix(known.prefix))
                for known in KNOWN
                for method in ("POST", "GET")
            )


async def test_it_stands_in_the_reject_and_the_path_in_the_log(
    autojump_clock: MockClock, network: Network
) -> None:
    """In the dialect of the path; of what is found, or refused for another reason, no path is kept."""
    async with network.bridge() as bridge:
        said = (await bridge.client.post("/anthropic/messages?key=secret")).json()["error"]["message"]
        assert said.startswith(
            "route not supported: POST /anthropic/messages; the path is /anthropic/v1/messages: "
        )
        said = (await bridge.client.post("/openai/v1//chat/completions")).json()["message"]
        assert "write the base URL without a slash at its end" in said
        await bridge.client.get("/")
        await bridge.client.get("/" + "x" * 1000)
        paths = [event.path for event in bridge.published(Finished)]
        assert paths == ["/anthropic/messages", None, None, "/" + "x" * 127]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_claude_code_finds_what_it_asks_for_first(
    autojump_clock: MockClock, network: Network, method: str
) -> None:
    """Its probes are answered by the bridge, with a provider or without."""
    async with network.bridge() as bridge:
        for path in ("/", "/anthropic", "/anthropic/api/hello"):
            assert (await bridge.client.request(method, path)).status_code == 200
    assert network.dialled == ["bridge"]
