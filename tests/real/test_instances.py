"""The real SDKs against three providers at once, each under a name of its own, and by model under one base URL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import anthropic
import openai
import pytest

from tests.support.processes import ASK, PATIENCE, TEXT, Bridge, Provider, a_bridge, a_provider

pytestmark = pytest.mark.real

FILE = """
[providers.vllm]
dialect = "openai"
base_url = "{vllm}/v1"
key = "none"
[providers.azure]
dialect = "openai"
base_url = "{azure}/v1"
key_env = "AZURE_KEY"
key_header = "api-key"
headers = {{ x-team = "blue" }}
[providers.claude]
dialect = "anthropic"
base_url = "{claude}"
key_env = "CLAUDE_KEY"
[providers.gone]
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"
key = "none"
[providers.copilot]
enabled = false
[[routes]]
model = "qwen*"
providers = ["vllm", "azure"]
[[routes]]
model = "claude-x"
providers = ["claude"]
[[routes]]
model = "gpt-x"
providers = ["gone", "azure"]
"""
NAMES = ("vllm", "azure", "claude")
AZURE_KEY, CLAUDE_KEY = "azure-key-0123456789", "claude-key-0123456789"


@pytest.fixture(scope="module")
def providers() -> Iterator[dict[str, Provider]]:
    """Three mocks."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(a_provider()) for name in NAMES}


@pytest.fixture(autouse=True)
def clean(providers: dict[str, Provider]) -> None:
    """Clear what they were asked before."""
    for provider in providers.values():
        provider.clear()


@pytest.fixture(scope="module")
def instances(providers: dict[str, Provider], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A bridge in front of them."""
    path = tmp_path_factory.mktemp("instances") / "aibridge.toml"
    path.write_text(FILE.format(**{name: provider.url for name, provider in providers.items()}))
    with a_bridge("--config", str(path), AZURE_KEY=AZURE_KEY, CLAUDE_KEY=CLAUDE_KEY) as bridge:
        yield bridge


@pytest.fixture
def azure(instances: Bridge) -> Iterator[openai.AzureOpenAI]:
    """Azure's SDK, which sends its key as `api-key` and writes the deployment into the path."""
    with openai.AzureOpenAI(
        base_url=f"{instances.url}/azure/v1",
        api_key="caller-key-0123456789",
        api_version="2024-10-21",
        max_retries=0,
        timeout=PATIENCE,
        http_client=openai.DefaultHttpxClient(trust_env=False),
    ) as client:
        yield client


def claude(bridge: Bridge, prefix: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=bridge.url + prefix,
        api_key="sk-ant-caller",
        max_retries=0,
        timeout=PATIENCE,
        http_client=anthropic.DefaultHttpxClient(trust_env=False),
    )


def asked(providers: dict[str, Provider]) -> dict[str, int]:
    """Return how many requests each provider has got."""
    return {name: provider.stats()["requests"] for name, provider in providers.items()}


def test_three_sdks_at_once(instances: Bridge, providers: dict[str, Provider], azure: openai.AzureOpenAI) -> None:
    """Each provider gets its own key and no caller's; all callers get their answers."""
    with instances.gpt(prefix="/vllm/v1") as gpt, claude(instances, "/claude") as messages:

        def of_gpt(_: int) -> str | None:
            return gpt.chat.completions.create(model="m", messages=ASK).choices[0].message.content

        def of_azure(_: int) -> str:
            return azure.responses.create(model="m", input="hello").output_text

        def of_claude(_: int) -> str:
            said: Any = messages.messages.create(model="m", max_tokens=99, messages=ASK).content[0]
            return str(said.text)

        with ThreadPoolExecutor(9) as threads:
            answers = [threads.map(ask, range(5)) for ask in (of_gpt, of_azure, of_claude)]
            assert [list(each) for each in answers] == [[TEXT] * 5] * 3
    assert asked(providers) == dict.fromkeys(NAMES, 5)
    assert providers["vllm"].credentials() == {}
    assert providers["azure"].credentials() == {"api-key": AZURE_KEY}
    assert providers["claude"].credentials() == {"x-api-key": CLAUDE_KEY}
    assert ["x-team", "blue"] in [list(pair) for pair in providers["azure"].last()["headers"]]


def test_azure_s_sdk_names_the_deployment_in_the_path(
    instances: Bridge, providers: dict[str, Provider], azure: openai.AzureOpenAI
) -> None:
    """The path goes up as it is, with the query."""
    assert azure.chat.completions.create(model="my-gpt", messages=ASK).choices[0].message.content == TEXT
    last = providers["azure"].last()
    assert last["target"] == "/v1/deployments/my-gpt/chat/completions?api-version=2024-10-21"
    assert providers["azure"].credentials() == {"api-key": AZURE_KEY}


def test_the_model_decides(instances: Bridge, providers: dict[str, Provider]) -> None:
    """One base URL for OpenAI's SDK, one for Anthropic's."""
    with instances.gpt(prefix="/v1") as gpt, claude(instances, "") as messages:
        assert gpt.chat.completions.create(model="qwen-7b", messages=ASK).choices[0].message.content == TEXT
        assert messages.messages.create(model="claude-x", max_tokens=99, messages=ASK).model == "claude-x"
        assert [model.id for model in gpt.models.list()] == ["gpt-x"]
        assert [model.id for model in messages.models.list()] == ["claude-x"]
        assert gpt.models.retrieve("gpt-x").id == "gpt-x"
        with pytest.raises(openai.NotFoundError, match="no route for the model unknown"):
            gpt.chat.completions.create(model="unknown", messages=ASK)
        with pytest.raises(anthropic.NotFoundError, match="another dialect"):
            messages.messages.create(model="qwen-7b", max_tokens=99, messages=ASK)
        with pytest.raises(openai.BadRequestError, match="names no model"):
            gpt.moderations.create(input="x")
    assert asked(providers) == {"vllm": 1, "azure": 0, "claude": 1}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("stream", [False, True])
def test_the_next_provider_answers_in_place_of_one_that_does_not(
    instances: Bridge, providers: dict[str, Provider], status: int, stream: bool
) -> None:
    """The SDK's user sees an answer and no error."""
    providers["vllm"].change(fail={str(status): 1.0})
    try:
        with instances.gpt(prefix="/v1") as gpt:
            answer: Any = gpt.chat.completions.create(model="qwen-7b", messages=ASK, stream=stream)
            said = "".join(c.choices[0].delta.content or "" for c in answer if c.choices) if stream else None
            assert (said if stream else answer.choices[0].message.content) == TEXT
    finally:
        providers["vllm"].change(fail={})
    assert asked(providers) == {"vllm": 1, "azure": 1, "claude": 0}


def test_a_provider_that_is_not_there_costs_nothing(instances: Bridge, providers: dict[str, Provider]) -> None:
    """Its connection is refused, and the next one answers; metrics and log name the one that did."""
    before = instances.metric("aibridge_route_passed_over_total", provider="gone", cause="refused")
    with instances.gpt(prefix="/v1") as gpt:
        assert gpt.embeddings.create(model="gpt-x", input="hello").data
        assert gpt.chat.completions.create(model="gpt-x", messages=ASK).choices[0].message.content == TEXT
    after = instances.metric("aibridge_route_passed_over_total", provider="gone", cause="refused")
    assert (after - before, asked(providers)["azure"]) == (2, 2)
    last = instances.requests(1)[-1]
    assert (last["provider"], last["passed_over"]) == ("azure", "gone:refused")
