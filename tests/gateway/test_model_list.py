from __future__ import annotations

import json
from typing import Any

import pytest

from aibridge_trio.core.caller import Caller
from aibridge_trio.core.terms import Terms
from aibridge_trio.errors import ModelNotRouted
from aibridge_trio.gateway.model_list import answer, visible_to

NAMES = ["gpt-5", "meta/llama"]


def listed(path: str = "/v1/models", *, anthropic: bool = False, names: list[str] = NAMES) -> Any:
    return json.loads(answer(names, path, anthropic=anthropic))


def test_openai_s_list() -> None:
    """Every member that OpenAI's SDK requires."""
    assert listed() == {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 0, "owned_by": "aibridge"} for name in NAMES],
    }


def test_anthropic_s_list() -> None:
    """One page; an empty one has no ends."""
    found = listed(anthropic=True)
    assert (found["first_id"], found["last_id"], found["has_more"]) == ("gpt-5", "meta/llama", False)
    assert found["data"][0] == {
        "type": "model",
        "id": "gpt-5",
        "display_name": "gpt-5",
        "created_at": "1970-01-01T00:00:00Z",
    }
    assert listed(anthropic=True, names=[])["first_id"] is None


@pytest.mark.parametrize("path", ["/v1/models/meta%2Fllama", "/v1/models/meta/llama"])
def test_one_model(path: str) -> None:
    """A slash in its name may be encoded; a name that is not listed is not found."""
    assert listed(path)["id"] == "meta/llama"
    assert listed(path, anthropic=True)["type"] == "model"
    with pytest.raises(ModelNotRouted, match="meta/other"):
        listed("/v1/models/meta/other")


def test_a_known_caller_sees_its_models() -> None:
    """Others see all of them."""
    known = Caller(b"k", "dev", authenticated=False, name="dev", terms=Terms(models=("gpt*",)))
    assert visible_to(known, NAMES) == ["gpt-5"]
    assert visible_to(Caller(b"k", "…", authenticated=True), NAMES) == NAMES
