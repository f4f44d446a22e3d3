"""Models, embeddings and token counts, through the SDKs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

if TYPE_CHECKING:
    pass
from tests.mock.test_mock_sdks import ASK, claude, fresh, gpt, provider

__all__ = ["claude", "fresh", "gpt", "provider"]


def test_tokens_are_counted(claude: anthropic.Anthropic) -> None:
    """Counting tokens answers with a number that grows with the message."""
    few = claude.messages.count_tokens(model="m", messages=ASK)
    many: Any = [{"role": "user", "content": "hello " * 100}]
    assert 0 < few.input_tokens < claude.messages.count_tokens(model="m", messages=many).input_tokens


def test_models_are_listed_in_the_callers_dialect(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """Both SDKs can list models and get one by name."""
    assert [model.id for model in gpt.models.list()] == [model.id for model in claude.models.list()]
    assert gpt.models.retrieve("gpt-x").object == "model"
    assert claude.models.retrieve("claude-x").display_name == "claude-x"


def test_embeddings_come_as_floats(gpt: openai.OpenAI) -> None:
    """There is one vector per input, of the size asked for, whether sent as base64 or as floats."""
    packed = gpt.embeddings.create(model="m", input=["a", "b"], dimensions=4)
    plain = gpt.embeddings.create(model="m", input="a", dimensions=4, encoding_format="float")
    assert [len(each.embedding) for each in packed.data] == [4, 4]
    assert plain.data[0].embedding == pytest.approx(packed.data[0].embedding)
